-- Two words of a bit for each day; the common bits of a window are its active days.
WITH people AS (
  SELECT BIT_OR(CASE WHEN d < 56 THEN 1::BIGINT << d ELSE 0 END) AS early, BIT_OR(CASE WHEN d < 56 THEN 0 ELSE 1::BIGINT << d - 56 END) AS late
  FROM (
    SELECT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL '2 hours' ELSE INTERVAL '1 hour' END AS DATE) - DATE '2025-08-11' AS d
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  ) AS days
  GROUP BY user_id
), windows AS (
  SELECT t, ((1::BIGINT << LEAST(t + 1, 56)) - 1) & ~((1::BIGINT << LEAST(t - 27, 56)) - 1) AS early,
    ((1::BIGINT << GREATEST(t - 55, 0)) - 1) & ~((1::BIGINT << GREATEST(t - 83, 0)) - 1) AS late
  FROM GENERATE_SERIES(27, 117, 7) AS t
), counted AS (
  SELECT t, BIT_COUNT((p.early & w.early)::BIT(64)) + BIT_COUNT((p.late & w.late)::BIT(64)) AS k, COUNT(*) AS users
  FROM people AS p, windows AS w WHERE ((p.early & w.early) | (p.late & w.late)) <> 0
  GROUP BY 1, 2
)
SELECT DATE '2025-08-11' + t - 6 AS period, k AS active_days, COALESCE(users, 0) AS users
FROM windows CROSS JOIN GENERATE_SERIES(1, 28) AS k LEFT JOIN counted USING (t, k)
ORDER BY 1, 2
