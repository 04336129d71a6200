-- Sign-ups once a person; returns find theirs by a hash join, and are a bit for each week since. Grouped by pattern before
-- weeks are told apart.
WITH started AS MATERIALIZED (
  SELECT user_id, MIN(occurred_at) AS t, (CAST(MIN(occurred_at) + CASE WHEN MIN(occurred_at) < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-09-01') / 7 AS c
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up'
  GROUP BY 1
), people AS (
  SELECT e.user_id, c, BIT_OR(1 << (CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-09-01') / 7 - c) AS weeks
  FROM app_events AS e JOIN started USING (user_id)
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    AND occurred_at > t
  GROUP BY 1, 2
), patterns AS (SELECT c, weeks, COUNT(*) AS n FROM people GROUP BY 1, 2),
sizes AS (SELECT c, COUNT(*) AS size FROM started GROUP BY 1),
cells AS (SELECT c, j, SUM(n) AS users FROM patterns, GENERATE_SERIES(0, 12) AS j WHERE weeks >> j & 1 = 1 GROUP BY 1, 2)
SELECT DATE '2025-09-01' + 7 * c AS start, j AS period_index, COALESCE(size, 0) AS size,
  CASE WHEN CAST(TIMESTAMP '$data_through' + INTERVAL '1 hour' AS DATE) - DATE '2025-09-01' >= 7 * (c + j + 1) THEN COALESCE(users, 0) END AS users
FROM GENERATE_SERIES(0, 12) AS c CROSS JOIN GENERATE_SERIES(0, 12) AS j LEFT JOIN sizes USING (c) LEFT JOIN cells USING (c, j)
ORDER BY 1, 2
