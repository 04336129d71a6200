/* metrics-api metric=share_of_power_users fingerprint=915ada5606b7 */
WITH people AS (
  SELECT
    user_id AS entity,
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
    1
), by_number AS (
  SELECT
    spine.period AS period,
    CAST(bitCount(bitAnd(people.days, spine.mask)) AS Nullable(Int64)) AS score,
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
), by_tier AS (
  SELECT
    period,
    CASE WHEN score >= 6 THEN 1 WHEN score >= 3 THEN 2 WHEN score >= 1 THEN 3 ELSE 4 END AS score,
    SUM(users) AS users
  FROM by_number
  GROUP BY
    1,
    2
), sizes AS (
  SELECT
    period,
    score AS position,
    SUM(users) AS users
  FROM by_tier
  GROUP BY
    1,
    2
), tiers AS (
  SELECT
    spine.period AS period,
    spine_2.tier AS tier,
    spine_2.position AS position,
    COALESCE(sizes.users, 0) AS users
  FROM (
    SELECT
      addDays(toDate32('2026-03-02'), 7 * number) AS period
    FROM numbers(4)
  ) AS spine
  CROSS JOIN VALUES('tier Nullable(String), position Nullable(Int64)', ('power', 1), ('core', 2), ('casual', 3), ('none', 4)) AS spine_2
  LEFT JOIN sizes
    ON spine.period = sizes.period AND spine_2.position = sizes.position
), last_sizes AS (
  SELECT
    position,
    users
  FROM sizes
  WHERE
    period = toDate32('2026-03-23')
), tiers_2 AS (
  SELECT
    spine.tier AS tier,
    spine.position AS position,
    COALESCE(last_sizes.users, 0) AS users
  FROM VALUES('tier Nullable(String), position Nullable(Int64)', ('power', 1), ('core', 2), ('casual', 3), ('none', 4)) AS spine
  LEFT JOIN last_sizes
    ON spine.position = last_sizes.position
)
SELECT
  0 AS part,
  period,
  value
FROM (
  SELECT
    period,
    CAST(SUM(users) FILTER(WHERE tier = 'power') AS Nullable(Float64)) / nullIf(SUM(users) FILTER(WHERE position <= 4), 0) AS value
  FROM tiers
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
  CAST(SUM(users) FILTER(WHERE tier = 'power') AS Nullable(Float64)) / nullIf(SUM(users) FILTER(WHERE position <= 4), 0) AS value
FROM tiers_2
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
