-- Only what those who signed up did within a day is put in order; three rows of each are kept.
WITH anchors AS (
  SELECT user_id, MIN(occurred_at) AS at_0 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up' AND user_id <> ''
  GROUP BY 1
), near AS (
  SELECT user_id, occurred_at, CASE WHEN event = 'watched' AND minutes >= 1 THEN 'watched_video' WHEN event = 'shared' THEN 'shared_video' WHEN event = 'rated' THEN 'rated_video' ELSE event END AS node
  FROM app_events JOIN anchors USING (user_id)
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-12-01 23:00:00' AND NOT COALESCE(is_internal, FALSE)
    AND occurred_at >= at_0 AND occurred_at <= at_0 + INTERVAL 1 DAY AND (occurred_at > at_0 OR event > 'sign_up')
), changes AS (
  SELECT user_id, occurred_at, node FROM near
  QUALIFY node <> LAG(node, 1, 'sign_up') OVER (PARTITION BY user_id ORDER BY occurred_at, node)
), placed AS (
  SELECT user_id, node, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY occurred_at, node) AS place FROM changes
), steps AS (
  SELECT user_id, MAX(node) FILTER (WHERE place = 1) AS n1, MAX(node) FILTER (WHERE place = 2) AS n2, MAX(node) FILTER (WHERE place = 3) AS n3
  FROM placed WHERE place <= 3 GROUP BY 1
), paths AS (SELECT n1, n2, n3, COUNT(*) AS users FROM anchors LEFT JOIN steps USING (user_id) GROUP BY ALL),
edges AS (
  SELECT 1 AS position, 'sign_up' AS source, n1 AS target, SUM(users) AS users FROM paths GROUP BY ALL
  UNION ALL SELECT 2, n1, n2, SUM(users) FROM paths WHERE n1 IS NOT NULL GROUP BY ALL
  UNION ALL SELECT 3, n2, n3, SUM(users) FROM paths WHERE n2 IS NOT NULL GROUP BY ALL
), shown AS (
  SELECT position, target FROM (SELECT position, target, SUM(users) AS users FROM edges WHERE target IS NOT NULL GROUP BY ALL)
  QUALIFY ROW_NUMBER() OVER (PARTITION BY position ORDER BY users DESC, target) <= 8
)
SELECT e.position,
  CASE WHEN e.position = 1 OR s.target IS NOT NULL THEN e.source ELSE '(other)' END AS source,
  CASE WHEN e.target IS NULL THEN '(exit)' WHEN t.target IS NOT NULL THEN e.target ELSE '(other)' END AS target, SUM(e.users) AS users
FROM edges e LEFT JOIN shown s ON s.position = e.position - 1 AND s.target = e.source
LEFT JOIN shown t ON t.position = e.position AND t.target = e.target
GROUP BY ALL ORDER BY ALL
