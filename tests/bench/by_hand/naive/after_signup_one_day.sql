-- All events of the season are numbered, and each step is a join of the numbered events with themselves.
WITH named AS (
  SELECT user_id, occurred_at, CASE WHEN event = 'watched' AND minutes >= 1 THEN 'watched_video' WHEN event = 'shared' THEN 'shared_video' WHEN event = 'rated' THEN 'rated_video' ELSE event END AS node FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at < TIMESTAMP '2025-12-01 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND user_id <> ''
), changes AS (
  SELECT * FROM named QUALIFY node IS DISTINCT FROM LAG(node) OVER (PARTITION BY user_id ORDER BY occurred_at, node)
), numbered AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY occurred_at, node) AS rn FROM changes),
first AS (
  SELECT * FROM numbered WHERE node = 'sign_up' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00'
  QUALIFY ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY rn) = 1
), paths AS (
  SELECT a.node AS n1, b.node AS n2, c.node AS n3, COUNT(*) AS users
  FROM first s
  LEFT JOIN numbered a ON a.user_id = s.user_id AND a.rn = s.rn + 1 AND a.occurred_at <= s.occurred_at + INTERVAL 1 DAY
  LEFT JOIN numbered b ON b.user_id = s.user_id AND b.rn = s.rn + 2 AND b.occurred_at <= s.occurred_at + INTERVAL 1 DAY
  LEFT JOIN numbered c ON c.user_id = s.user_id AND c.rn = s.rn + 3 AND c.occurred_at <= s.occurred_at + INTERVAL 1 DAY
  GROUP BY ALL
),
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
