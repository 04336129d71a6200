/* metrics-api metric=videos_watched fingerprint=23f8b7740970 */
WITH people AS (
  SELECT
    dateTrunc(
      'week',
      toDate32(
        CASE
          WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
          THEN occurred_at + INTERVAL '1' HOUR
          ELSE occurred_at + INTERVAL '2' HOUR
        END,
        'UTC'
      )
    ) AS period,
    user_id AS entity,
    toInt64(COUNT(*)) AS events
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-01 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-02-28')
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
), counted AS (
  SELECT
    period,
    COALESCE(SUM(events), 0) AS value,
    toInt64(COUNT(*) FILTER(WHERE entity <> '')) AS users
  FROM people
  GROUP BY
    1
), people_overall AS (
  SELECT
    entity,
    SUM(events) AS events
  FROM people
  GROUP BY
    1
)
SELECT
  0 AS part,
  period,
  value,
  users
FROM (
  SELECT
    spine.period AS period,
    COALESCE(counted.value, 0) AS value,
    COALESCE(counted.users, 0) AS users
  FROM (
    SELECT
      addDays(toDate32('2026-03-02'), 7 * number) AS period
    FROM numbers(4)
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
  COALESCE(SUM(events), 0) AS value,
  toInt64(COUNT(*) FILTER(WHERE entity <> '')) AS users
FROM people_overall
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
