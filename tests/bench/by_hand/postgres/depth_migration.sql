-- Both windows in one pass.
WITH people AS (
  SELECT user_id, SUM(COALESCE(minutes::NUMERIC, 0)) FILTER (WHERE occurred_at < TIMESTAMP '2025-11-29 23:00:00')::DOUBLE PRECISION AS here,
    SUM(COALESCE(minutes::NUMERIC, 0)) FILTER (WHERE occurred_at >= TIMESTAMP '2025-11-02 23:00:00')::DOUBLE PRECISION AS there
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-11-01 23:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
), thresholds AS (
  SELECT PERCENTILE_CONT(ARRAY[0.25, 0.5, 0.9]) WITHIN GROUP (ORDER BY here) AS q, PERCENTILE_CONT(ARRAY[0.25, 0.5, 0.9]) WITHIN GROUP (ORDER BY there) AS r FROM people
), moved AS (
  SELECT CASE WHEN here IS NULL THEN 5 WHEN here >= q[3] THEN 1 WHEN here >= q[2] THEN 2 WHEN here >= q[1] THEN 3 ELSE 4 END AS a,
    CASE WHEN there IS NULL THEN 5 WHEN there >= r[3] THEN 1 WHEN there >= r[2] THEN 2 WHEN there >= r[1] THEN 3 ELSE 4 END AS b, COUNT(*) AS users
  FROM people, thresholds GROUP BY 1, 2
), tiers AS (SELECT * FROM (VALUES ('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)) AS tiers(tier, position))
SELECT DATE '2025-11-30' AS period, f.tier AS "from", g.tier AS "to", COALESCE(users, 0) AS users
FROM tiers AS f CROSS JOIN tiers AS g LEFT JOIN moved ON a = f.position AND b = g.position
WHERE f.position < 5 OR g.position < 5
ORDER BY f.tier COLLATE "C", g.tier COLLATE "C"
