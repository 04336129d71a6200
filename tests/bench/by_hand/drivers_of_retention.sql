-- All events of a person find their sign-up once, and every candidate and the return are aggregates of that one grouping;
-- then few rows: people by score, in bins where there are more than 200 scores.
WITH started AS (
  SELECT user_id, CAST(MIN(occurred_at) + CASE WHEN MIN(occurred_at) < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-09-01' AS s
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-10-26 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up'
  GROUP BY 1
), done AS (
  SELECT user_id, event = 'searched' AS searched, event = 'added_to_list' AS listed, event = 'shared' AS shared, event IN ('watched', 'shared') AS valued, minutes,
    CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-09-01' AS d
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at < TIMESTAMP '2025-11-23 23:00:00' AND NOT COALESCE(is_internal, FALSE)
    AND ((event = 'watched' AND minutes >= 3) OR event IN ('shared', 'searched', 'added_to_list'))
), scored AS (
  SELECT user_id,
    BIT_COUNT(BIT_OR(1 << LEAST(d - s, 14)::INT) FILTER (WHERE valued AND d < s + 14)) AS days,
    MAX(valued::INT) FILTER (WHERE d < s + 14) + MAX(searched::INT) FILTER (WHERE d < s + 14) + MAX(listed::INT) FILTER (WHERE d < s + 14) + MAX(shared::INT) FILTER (WHERE d < s + 14) AS features,
    SUM(minutes) FILTER (WHERE valued AND d < s + 14) AS minutes,
    BOOL_OR(valued AND d // 7 = s // 7 + 4) AS returned
  FROM done JOIN started USING (user_id)
  WHERE d >= s AND (d < s + 14 OR d // 7 = s // 7 + 4)
  GROUP BY 1
), people AS (
  SELECT COALESCE(days, 0) AS days, COALESCE(features, 0) AS features, COALESCE(minutes, 0) AS minutes, COALESCE(returned, FALSE) AS returned, s >= 42 AS held
  FROM started LEFT JOIN scored USING (user_id)
), by_score AS (
  SELECT 'watch_frequency' AS candidate, days::DOUBLE AS score, COUNT(*) AS n, COUNT(*) FILTER (WHERE held AND returned) AS r, COUNT(*) FILTER (WHERE held AND NOT returned) AS l FROM people GROUP BY 2
  UNION ALL
  SELECT 'feature_breadth', features, COUNT(*), COUNT(*) FILTER (WHERE held AND returned), COUNT(*) FILTER (WHERE held AND NOT returned) FROM people GROUP BY 2
  UNION ALL
  SELECT 'minutes_depth', minutes, COUNT(*), COUNT(*) FILTER (WHERE held AND returned), COUNT(*) FILTER (WHERE held AND NOT returned) FROM people GROUP BY 2
), placed AS (
  SELECT *, COUNT(*) OVER (PARTITION BY candidate) AS scores, ROW_NUMBER() OVER (PARTITION BY candidate ORDER BY score) AS place,
    SUM(n) OVER (PARTITION BY candidate ORDER BY score) - n AS before, SUM(n) OVER (PARTITION BY candidate) AS everybody
  FROM by_score
), bins AS (
  SELECT candidate, CASE WHEN scores <= 200 THEN place ELSE before * 200 // everybody END AS bin, SUM(n) AS n, SUM(r) AS r, SUM(l) AS l FROM placed GROUP BY 1, 2
), below AS (SELECT *, SUM(l) OVER (PARTITION BY candidate ORDER BY bin) - l / 2 AS under FROM bins)
SELECT candidate, SUM(n - r - l)::BIGINT AS people, SUM(r + l)::BIGINT AS held_out, SUM(r * under) / (SUM(r) * SUM(l)) AS auc
FROM below GROUP BY 1 ORDER BY 1
