-- By week of entry: each opening looks forward to the next search and that to the next video; the best of each week.
WITH opened AS (
  SELECT user_id, occurred_at AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'opened_app' AND user_id <> ''
), searched AS (
  SELECT user_id, occurred_at AS t2 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'searched'
), watched AS (
  SELECT user_id, occurred_at AS t3 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND event = 'watched' AND minutes >= 10
), tried AS (
  SELECT opened.user_id, t1, CASE WHEN t2 <= t1 + INTERVAL 1 DAY THEN t2 END AS t2
  FROM opened ASOF LEFT JOIN searched ON opened.user_id = searched.user_id AND t1 <= t2
), further AS (
  SELECT tried.user_id, t1, t2, CASE WHEN t2 IS NOT NULL AND t3 <= t1 + INTERVAL 1 DAY THEN t3 END AS t3
  FROM tried ASOF LEFT JOIN watched ON tried.user_id = watched.user_id AND t2 <= t3
), best AS (
  SELECT user_id, CAST(DATE_TRUNC('week', t1 + CASE WHEN t1 < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END) AS DATE) AS period,
    COUNT(t3) > 0 AS is_done,
    ARG_MIN(t1, (CASE WHEN t3 IS NOT NULL THEN 1 WHEN t2 IS NOT NULL THEN 2 ELSE 3 END, COALESCE(t3, t2, t1), -EPOCH_US(t1))) AS t1
  FROM further GROUP BY 1, 2
)
SELECT period, COUNT(*) AS entered, COUNT(*) FILTER (is_done) AS converted,
  COUNT(*) FILTER (NOT is_done AND t1 > TIMESTAMP '$data_through' - INTERVAL 1 DAY) AS pending,
  COUNT(*) FILTER (t1 <= TIMESTAMP '$data_through' - INTERVAL 1 DAY) AS mature_entered
FROM best GROUP BY 1 ORDER BY 1
