/* metrics-api metric=share_rate fingerprint=7ee411191106 */
WITH people AS (
  SELECT
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1' HOUR
      ELSE occurred_at + INTERVAL '2' HOUR
    END AS DATE) AS period,
    user_id AS entity,
    COUNT(*) FILTER(WHERE event = 'shared') AS events_videos_shared,
    COUNT(*) FILTER(
      WHERE (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    ) AS events_videos_watched
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      event = 'shared'
      OR (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
    )
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    period,
    COUNT(*) FILTER(WHERE entity <> '' AND events_videos_shared > 0) AS videos_shared_users,
    COUNT(*) FILTER(WHERE entity <> '' AND events_videos_watched > 0) AS videos_watched_users
  FROM people
  GROUP BY
    1
), people_overall AS (
  SELECT
    entity,
    SUM(events_videos_shared) AS events_videos_shared,
    SUM(events_videos_watched) AS events_videos_watched
  FROM people
  GROUP BY
    1
)
SELECT
  0 AS part,
  period,
  value
FROM (
  SELECT
    spine.period,
    CAST(COALESCE(counted.videos_shared_users, 0) AS DOUBLE) / NULLIF(COALESCE(counted.videos_watched_users, 0), 0) AS value
  FROM (
    SELECT
      EXPLODE(SEQUENCE(DATE '2026-03-23', DATE '2026-03-29', INTERVAL '1' DAY)) AS period
  ) AS spine
  LEFT JOIN counted
    ON spine.period = counted.period
  ORDER BY
    period NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  CAST(COUNT(*) FILTER(WHERE entity <> '' AND events_videos_shared > 0) AS DOUBLE) / NULLIF(COUNT(*) FILTER(WHERE entity <> '' AND events_videos_watched > 0), 0) AS value
FROM people_overall
