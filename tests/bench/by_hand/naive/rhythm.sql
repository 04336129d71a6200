-- Each day looks for the next one of the same person by a join of days with days.
WITH days AS (
  SELECT DISTINCT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-09-02' AS d
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
), gaps AS (
  SELECT here.user_id, here.d, MIN(later.d) AS following
  FROM days AS here LEFT JOIN days AS later ON later.user_id = here.user_id AND later.d > here.d
  GROUP BY 1, 2
), people AS (
  SELECT MIN(d) AS first, MIN(following) - MIN(d) AS g, QUANTILE_CONT(following - d, 0.5) AS median
  FROM gaps GROUP BY user_id HAVING MIN(d) <= 89 - 30
), counted AS (SELECT COALESCE(g, 89 - first) AS x, COUNT(g) AS returned, COUNT(*) AS n FROM people GROUP BY 1),
curve AS (
  SELECT x, SUM(returned) OVER (ORDER BY x) / SUM(returned) OVER () AS of_returners,
    1 - PRODUCT(1 - returned / at_risk) OVER (ORDER BY x) AS of_all
  FROM (SELECT *, SUM(n) OVER (ORDER BY x DESC) AS at_risk FROM counted)
)
SELECT COUNT(*) AS users, COUNT(g) AS returners,
  (SELECT MIN(x) FROM curve WHERE of_returners >= 0.8) AS interval_of_returners,
  (SELECT MIN(x) FROM curve WHERE of_all >= 0.8) AS interval_of_all, QUANTILE_CONT(median, 0.5) AS median_gap
FROM people
