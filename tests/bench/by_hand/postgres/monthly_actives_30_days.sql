-- One bit for each day of a person, one mask for each window.
WITH people AS (
  SELECT user_id, BIT_OR(1::BIGINT << (CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-10-05')) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-04 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
), windows AS (SELECT t, ((1::BIGINT << 28) - 1) << (t - 27) AS mask FROM GENERATE_SERIES(27, 56) AS t)
SELECT DATE '2025-10-05' + t AS period, COUNT(*) AS value
FROM people, windows WHERE days & mask <> 0
GROUP BY 1 ORDER BY 1
