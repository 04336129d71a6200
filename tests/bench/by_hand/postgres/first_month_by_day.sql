-- As the weekly one, by each person's own clock: a bit for each 24 hours since the sign-up.
WITH started AS MATERIALIZED (
  SELECT user_id, MIN(occurred_at) AS t, CAST(MIN(occurred_at) + CASE WHEN MIN(occurred_at) < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-09-02' AS c
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up'
  GROUP BY 1
), people AS (
  SELECT e.user_id, c, BIT_OR(1 << EXTRACT(DAY FROM occurred_at - t)::INT) AS days
  FROM app_events AS e JOIN started USING (user_id)
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    AND occurred_at > t AND occurred_at < t + INTERVAL '744 hours'
  GROUP BY 1, 2
), patterns AS (SELECT c, days, COUNT(*) AS n FROM people GROUP BY 1, 2),
sizes AS (SELECT c, COUNT(*) AS size FROM started GROUP BY 1),
cells AS (SELECT c, j, SUM(n) AS users FROM patterns, GENERATE_SERIES(0, 30) AS j WHERE days >> j & 1 = 1 GROUP BY 1, 2),
days AS (SELECT c, DATE '2025-09-02' + c AS day FROM GENERATE_SERIES(0, 89) AS c)
SELECT day AS start, j AS period_index, COALESCE(size, 0) AS size,
  CASE WHEN CAST(day + 1 AS TIMESTAMP) - CASE WHEN day < DATE '2025-10-26' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END + (j + 1) * INTERVAL '24 hours' <= TIMESTAMP '$data_through' THEN COALESCE(users, 0) END AS users
FROM days CROSS JOIN GENERATE_SERIES(0, 30) AS j LEFT JOIN sizes USING (c) LEFT JOIN cells USING (c, j)
ORDER BY 1, 2
