/* metrics-api metric=share_rate fingerprint=7ee411191106 */
WITH people AS (
  SELECT
    DATE(
      CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
        THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
        ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
      END,
      'UTC'
    ) AS period,
    user_id AS entity,
    COUNTIF(event = 'shared') AS events_videos_shared,
    COUNTIF(
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
      )
      OR event = 'shared'
    ) AS events_videos_watched
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      event = 'shared'
      OR (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
      )
    )
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    period,
    COUNTIF(entity <> '' AND events_videos_shared > 0) AS videos_shared_users,
    COUNTIF(entity <> '' AND events_videos_watched > 0) AS videos_watched_users
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
    SAFE_DIVIDE(CAST(COALESCE(counted.videos_shared_users, 0) AS FLOAT64), COALESCE(counted.videos_watched_users, 0)) AS value
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-23', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
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
  SAFE_DIVIDE(COUNTIF(entity <> '' AND events_videos_shared > 0), COUNTIF(entity <> '' AND events_videos_watched > 0)) AS value
FROM people_overall
