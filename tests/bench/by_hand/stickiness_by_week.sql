WITH people AS (
  SELECT user_id, BIT_OR(1::HUGEINT << (CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-05')) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-04 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
), windows AS (SELECT t, ((1::HUGEINT << 28) - 1) << (t - 27) AS mask, 1::HUGEINT << t AS last FROM RANGE(27, 118) AS r(t)),
counted AS (
  SELECT t, COUNT(*) AS long, COUNT(*) FILTER (WHERE days & last <> 0) AS short
  FROM people, windows WHERE days & mask <> 0
  GROUP BY 1
)
SELECT CAST(DATE_TRUNC('week', DATE '2025-08-05' + t::INT) AS DATE) AS period, AVG(short / long) AS value
FROM counted
GROUP BY 1 ORDER BY 1
