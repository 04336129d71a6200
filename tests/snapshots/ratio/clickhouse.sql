/* metrics-api metric=share_rate fingerprint=7ee411191106 */
WITH people AS (
  SELECT
    toDate32(
      CASE
        WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
        THEN occurred_at + INTERVAL '1' HOUR
        ELSE occurred_at + INTERVAL '2' HOUR
      END,
      'UTC'
    ) AS period,
    user_id AS entity,
    toInt64(COUNT(*) FILTER(WHERE event = 'shared')) AS events_videos_shared,
    toInt64(
      COUNT(*) FILTER(
        WHERE (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
      )
    ) AS events_videos_watched
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-03-30')
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
    toInt64(COUNT(*) FILTER(WHERE entity <> '' AND events_videos_shared > 0)) AS videos_shared_users,
    toInt64(COUNT(*) FILTER(WHERE entity <> '' AND events_videos_watched > 0)) AS videos_watched_users
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
    spine.period AS period,
    CAST(COALESCE(counted.videos_shared_users, 0) AS Nullable(Float64)) / nullIf(COALESCE(counted.videos_watched_users, 0), 0) AS value
  FROM (
    SELECT
      addDays(toDate32('2026-03-23'), number) AS period
    FROM numbers(7)
  ) AS spine
  LEFT JOIN counted
    ON spine.period = counted.period
  ORDER BY
    1
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS Nullable(Date32)) AS period,
  CAST(toInt64(COUNT(*) FILTER(WHERE entity <> '' AND events_videos_shared > 0)) AS Nullable(Float64)) / nullIf(toInt64(COUNT(*) FILTER(WHERE entity <> '' AND events_videos_watched > 0)), 0) AS value
FROM people_overall
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
