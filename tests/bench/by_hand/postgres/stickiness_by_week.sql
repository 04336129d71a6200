-- Two words of a bit for each day; of everybody in a day's window, who is there on the day.
WITH people AS (
  SELECT user_id, BIT_OR(CASE WHEN d < 59 THEN 1::BIGINT << d ELSE 0 END) AS early, BIT_OR(CASE WHEN d < 59 THEN 0 ELSE 1::BIGINT << d - 59 END) AS late
  FROM (
    SELECT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-08-05' AS d
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-08-04 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  ) AS days
  GROUP BY 1
), windows AS (
  SELECT t, ((1::BIGINT << LEAST(t + 1, 59)) - 1) & ~((1::BIGINT << LEAST(t - 27, 59)) - 1) AS early,
    ((1::BIGINT << GREATEST(t - 58, 0)) - 1) & ~((1::BIGINT << GREATEST(t - 86, 0)) - 1) AS late,
    CASE WHEN t < 59 THEN 1::BIGINT << t ELSE 0 END AS early_day, CASE WHEN t < 59 THEN 0 ELSE 1::BIGINT << t - 59 END AS late_day
  FROM GENERATE_SERIES(27, 117) AS t
), counted AS (
  SELECT t, COUNT(*) AS long, COUNT(*) FILTER (WHERE ((p.early & early_day) | (p.late & late_day)) <> 0) AS short
  FROM people AS p, windows AS w WHERE ((p.early & w.early) | (p.late & w.late)) <> 0
  GROUP BY 1
)
SELECT CAST(DATE_TRUNC('week', DATE '2025-08-05' + t) AS DATE) AS period, AVG(short::DOUBLE PRECISION / long) AS value
FROM counted
GROUP BY 1 ORDER BY 1
