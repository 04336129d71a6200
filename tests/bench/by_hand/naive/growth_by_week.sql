WITH weeks AS (
  SELECT DISTINCT user_id, CAST(DATE_TRUNC('week', CAST(timezone('Europe/Berlin', occurred_at AT TIME ZONE 'UTC') AS DATE)) AS DATE) AS week
  FROM app_events
  WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared') AND user_id <> ''
), firsts AS (SELECT user_id, MIN(week) AS first_week FROM weeks GROUP BY 1),
spine AS (SELECT CAST(w AS DATE) AS week FROM RANGE(DATE '2025-09-01', DATE '2025-12-01', INTERVAL 7 DAY) AS r(w)),
told AS (
  SELECT spine.week, firsts.user_id, firsts.first_week, here.user_id IS NOT NULL AS here, before.user_id IS NOT NULL AS before
  FROM spine
  JOIN firsts ON firsts.first_week <= spine.week
  LEFT JOIN weeks AS here ON here.user_id = firsts.user_id AND here.week = spine.week
  LEFT JOIN weeks AS before ON before.user_id = firsts.user_id AND before.week = spine.week - 7
), counted AS (
  SELECT
    week,
    COUNT(*) FILTER (WHERE here AND first_week = week) AS fresh,
    COUNT(*) FILTER (WHERE here AND before) AS back,
    COUNT(*) FILTER (WHERE here AND first_week < week AND NOT before) AS resurrecting,
    COUNT(*) FILTER (WHERE before AND NOT here) AS dormant,
    COUNT(*) FILTER (WHERE first_week < week AND NOT here) AS dormant_stock
  FROM told
  GROUP BY 1
)
SELECT
  week AS period, fresh AS "new", back AS "returning", resurrecting, dormant, dormant_stock, fresh + back + resurrecting AS active,
  (fresh + resurrecting) / NULLIF(dormant, 0) AS quick_ratio, fresh + resurrecting - dormant AS net_change
FROM counted
ORDER BY 1
