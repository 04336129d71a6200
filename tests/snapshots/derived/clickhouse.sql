/* metrics-api metric=minutes_per_weekly_active fingerprint=a22a79d5972c */
WITH counted AS (
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
    COALESCE(country, '(none)') AS country,
    SUM(CASE WHEN minutes BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308 THEN minutes END) AS minutes_watched
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-01 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-02-28')
    AND occurred_on <= toDate32('2026-03-30')
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'watched'
    AND minutes >= 1
    AND minutes <= 1.7976931348623157E+308
  GROUP BY
    1,
    2
), segments AS (
  SELECT
    country
  FROM counted
  GROUP BY
    1
), people AS (
  SELECT
    user_id AS entity,
    COALESCE(country, '(none)') AS country,
    groupBitOr(
      bitShiftLeft(
        toUInt64(1),
        dateDiff(
          'day',
          toDate32('2026-03-02'),
          toDate32(
            CASE
              WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
              THEN occurred_at + INTERVAL '1' HOUR
              ELSE occurred_at + INTERVAL '2' HOUR
            END,
            'UTC'
          )
        )
      )
    ) AS days
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
    AND user_id <> ''
  GROUP BY
    1,
    2
), active AS (
  SELECT
    spine.period AS period,
    people.country AS country,
    toInt64(COUNT(*)) AS users
  FROM VALUES(
    'period Nullable(Date32), mask Nullable(Int64)',
    ('2026-03-02', 127),
    ('2026-03-09', 16256),
    ('2026-03-16', 2080768),
    ('2026-03-23', 266338304)
  ) AS spine
  CROSS JOIN people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
  GROUP BY
    1,
    2
), segments_2 AS (
  SELECT
    country
  FROM active
  GROUP BY
    1
), inputs AS (
  SELECT
    spine.period AS period,
    segments.country AS country,
    counted.minutes_watched AS minutes_watched,
    CAST(NULL AS Nullable(Int64)) AS weekly_actives
  FROM (
    SELECT
      addDays(toDate32('2026-03-02'), 7 * number) AS period
    FROM numbers(4)
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.period = counted.period AND segments.country = counted.country
  UNION ALL
  SELECT
    spine.period AS period,
    segments_2.country AS country,
    CAST(NULL AS Nullable(Float64)) AS minutes_watched,
    COALESCE(active.users, 0) AS weekly_actives
  FROM (
    SELECT
      addDays(toDate32('2026-03-02'), 7 * number) AS period
    FROM numbers(4)
  ) AS spine
  CROSS JOIN segments_2
  LEFT JOIN active
    ON spine.period = active.period AND segments_2.country = active.country
)
SELECT
  period,
  country,
  CAST(MAX(minutes_watched) AS Nullable(Float64)) / nullIf(COALESCE(MAX(weekly_actives), 0), 0) AS value
FROM inputs
GROUP BY
  1,
  2
ORDER BY
  1,
  2
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
