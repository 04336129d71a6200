-- Recurring and on or after: events are weeks of people first, and of each week the last later one decides.
-- Returns count until the data ends, starts to the end of the range.
WITH weeks AS (
  SELECT user_id, (CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-09-01') / 7 AS w, COUNT(*) > 1 AND MIN(occurred_at) < MAX(occurred_at) AS again
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared') AND user_id <> ''
  GROUP BY 1, 2
), people AS (
  SELECT BIT_OR(1 << w) AS weeks, BIT_OR(CASE WHEN again THEN 1 << w ELSE 0 END) AS again, MAX(w) AS latest FROM weeks GROUP BY user_id
), patterns AS (SELECT weeks, again, latest, COUNT(*) AS n FROM people GROUP BY 1, 2, 3
), reached AS (
  SELECT c, CASE WHEN latest > c THEN LEAST(latest - c, 8) WHEN again >> c & 1 = 1 THEN 0 ELSE -1 END AS k, SUM(n) AS n
  FROM patterns, GENERATE_SERIES(0, 12) AS c WHERE weeks >> c & 1 = 1 GROUP BY 1, 2
), cells AS (SELECT c, j, SUM(n) FILTER (WHERE k >= j) AS users, SUM(n) AS size FROM reached, GENERATE_SERIES(0, 8) AS j GROUP BY 1, 2)
SELECT DATE '2025-09-01' + 7 * c AS start, j AS period_index, size,
  CASE WHEN CAST(TIMESTAMP '$data_through' + INTERVAL '1 hour' AS DATE) - DATE '2025-09-01' >= 7 * (c + j + 1) THEN COALESCE(users, 0) END AS users
FROM cells
ORDER BY 1, 2
