/* metrics-api metric=share_rate fingerprint=e9101869c78e */
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
    user_id AS entity
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-03-30')
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'shared'
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    period,
    toInt64(COUNT(*) FILTER(WHERE entity <> '')) AS videos_shared_users
  FROM people
  GROUP BY
    1
), people_2 AS (
  SELECT
    toDate32(
      CASE
        WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
        THEN occurred_at + INTERVAL '1' HOUR
        ELSE occurred_at + INTERVAL '2' HOUR
      END,
      'UTC'
    ) AS period,
    user_id AS entity
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-03-30')
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    )
  GROUP BY
    1,
    2
), counted_2 AS (
  SELECT
    period,
    toInt64(COUNT(*) FILTER(WHERE entity <> '')) AS videos_watched_users
  FROM people_2
  GROUP BY
    1
), inputs AS (
  SELECT
    spine.period AS period,
    COALESCE(counted.videos_shared_users, 0) AS videos_shared_users,
    CAST(NULL AS Nullable(Int64)) AS videos_watched_users
  FROM (
    SELECT
      addDays(toDate32('2026-03-23'), number) AS period
    FROM numbers(7)
  ) AS spine
  LEFT JOIN counted
    ON spine.period = counted.period
  UNION ALL
  SELECT
    spine.period AS period,
    CAST(NULL AS Nullable(Int64)) AS videos_shared_users,
    COALESCE(counted_2.videos_watched_users, 0) AS videos_watched_users
  FROM (
    SELECT
      addDays(toDate32('2026-03-23'), number) AS period
    FROM numbers(7)
  ) AS spine
  LEFT JOIN counted_2
    ON spine.period = counted_2.period
), people_overall AS (
  SELECT
    entity
  FROM people
  GROUP BY
    1
), people_overall_2 AS (
  SELECT
    entity
  FROM people_2
  GROUP BY
    1
), inputs_2 AS (
  SELECT
    toInt64(COUNT(*) FILTER(WHERE entity <> '')) AS videos_shared_users,
    CAST(NULL AS Nullable(Int64)) AS videos_watched_users
  FROM people_overall
  UNION ALL
  SELECT
    CAST(NULL AS Nullable(Int64)) AS videos_shared_users,
    toInt64(COUNT(*) FILTER(WHERE entity <> '')) AS videos_watched_users
  FROM people_overall_2
)
SELECT
  0 AS part,
  period,
  value
FROM (
  SELECT
    period,
    CAST(MAX(videos_shared_users) AS Nullable(Float64)) / nullIf(MAX(videos_watched_users), 0) AS value
  FROM inputs
  GROUP BY
    1
  ORDER BY
    1
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS Nullable(Date32)) AS period,
  CAST(MAX(videos_shared_users) AS Nullable(Float64)) / nullIf(MAX(videos_watched_users), 0) AS value
FROM inputs_2
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
