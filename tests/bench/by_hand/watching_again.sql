-- Recurring and on or after: events are weeks of people first, and of each week the last later one decides.
-- Returns count until the data ends, starts to the end of the range.
WITH weeks AS (
  SELECT user_id, (CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-09-01') // 7 AS w, MIN(occurred_at) AS first, MAX(occurred_at) AS last
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    AND user_id <> ''
  GROUP BY 1, 2
), furthest AS (
  SELECT w AS c, first, last, MAX(w) OVER (PARTITION BY user_id) AS latest FROM weeks
), reached AS (
  SELECT c, CASE WHEN latest > c THEN LEAST(latest - c, 8) WHEN last > first THEN 0 ELSE -1 END AS k, COUNT(*) AS n FROM furthest WHERE c < 13 GROUP BY 1, 2
), cells AS (SELECT c, j, SUM(n) FILTER (k >= j) AS users, SUM(n) AS size FROM reached, RANGE(9) AS r(j) GROUP BY 1, 2)
SELECT DATE '2025-09-01' + 7 * c::INT AS "start", j AS period_index, size,
  CASE WHEN CAST(TIMESTAMP '$data_through' + INTERVAL 1 HOUR AS DATE) - DATE '2025-09-01' >= 7 * (c + j + 1) THEN COALESCE(users, 0) END AS users
FROM cells
ORDER BY 1, 2
