/* metrics-api metric=stickiness fingerprint=7e281bd09e7b */
WITH active_days AS (
  SELECT
    user_id AS entity,
    dateDiff(
      'day',
      toDate32('2026-02-24'),
      toDate32(
        CASE
          WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
          THEN occurred_at + INTERVAL '1' HOUR
          ELSE occurred_at + INTERVAL '2' HOUR
        END,
        'UTC'
      )
    ) AS "day"
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-02-23 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-02-22')
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
), people AS (
  SELECT
    entity,
    groupBitOr(bitShiftLeft(toUInt64(1), "day")) AS days
  FROM active_days
  GROUP BY
    1
), long_windows AS (
  SELECT
    spine.period AS "day",
    toInt64(COUNT(*)) AS in_long
  FROM VALUES(
    'period Nullable(Date32), mask Nullable(Int64)',
    ('2026-03-23', 268435455),
    ('2026-03-24', 536870910),
    ('2026-03-25', 1073741820),
    ('2026-03-26', 2147483640),
    ('2026-03-27', 4294967280),
    ('2026-03-28', 8589934560),
    ('2026-03-29', 17179869120)
  ) AS spine
  CROSS JOIN people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
  GROUP BY
    1
), short_windows AS (
  SELECT
    spine.period AS "day",
    toInt64(COUNT(*)) AS in_short
  FROM VALUES(
    'period Nullable(Date32), mask Nullable(Int64)',
    ('2026-03-23', 134217728),
    ('2026-03-24', 268435456),
    ('2026-03-25', 536870912),
    ('2026-03-26', 1073741824),
    ('2026-03-27', 2147483648),
    ('2026-03-28', 4294967296),
    ('2026-03-29', 8589934592)
  ) AS spine
  CROSS JOIN people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
  GROUP BY
    1
), averaged AS (
  SELECT
    dateTrunc('week', long_windows."day") AS period,
    AVG(CAST(COALESCE(short_windows.in_short, 0) AS Nullable(Float64)) / nullIf(long_windows.in_long, 0)) AS mean_ratio
  FROM long_windows
  LEFT JOIN short_windows
    ON long_windows."day" = short_windows."day"
  GROUP BY
    1
), by_active_days AS (
  SELECT
    spine.period AS period,
    CAST(bitCount(bitAnd(people.days, spine.mask)) AS Nullable(Int64)) AS active_days,
    toInt64(COUNT(*)) AS users
  FROM VALUES('period Nullable(Date32), mask Nullable(Int64)', ('2026-03-23', 17179869120)) AS spine
  CROSS JOIN people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  period,
  value,
  CAST(NULL AS Nullable(Int64)) AS active_days,
  CAST(NULL AS Nullable(Int64)) AS users,
  CAST(NULL AS Nullable(Float64)) AS share
FROM (
  SELECT
    spine.period AS period,
    averaged.mean_ratio AS value
  FROM VALUES('period Nullable(Date32), last_day Nullable(Date32), days Nullable(Int64)', ('2026-03-23', '2026-03-29', 7)) AS spine
  LEFT JOIN averaged
    ON spine.period = averaged.period
  ORDER BY
    1
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS Nullable(Date32)) AS period,
  averaged.mean_ratio AS value,
  CAST(NULL AS Nullable(Int64)) AS active_days,
  CAST(NULL AS Nullable(Int64)) AS users,
  CAST(NULL AS Nullable(Float64)) AS share
FROM VALUES('period Nullable(Date32), last_day Nullable(Date32), days Nullable(Int64)', ('2026-03-23', '2026-03-29', 7)) AS spine
LEFT JOIN (
  SELECT
    period,
    mean_ratio
  FROM averaged
  WHERE
    period = toDate32('2026-03-23')
) AS averaged
  ON spine.period = averaged.period
UNION ALL
SELECT
  2 AS part,
  period,
  CAST(NULL AS Nullable(Float64)) AS value,
  active_days,
  users,
  share
FROM (
  SELECT
    period,
    active_days,
    people AS users,
    CAST(people AS Nullable(Float64)) / nullIf(of_window, 0) AS share
  FROM (
    SELECT
      spine.period AS period,
      spine_2.active_days AS active_days,
      COALESCE(by_active_days.users, 0) AS people,
      SUM(COALESCE(by_active_days.users, 0)) OVER (PARTITION BY spine.period) AS of_window
    FROM VALUES('period Nullable(Date32), window_days Nullable(Int64)', ('2026-03-23', 28)) AS spine
    JOIN VALUES(
      'active_days Nullable(Int64)',
      (1),
      (2),
      (3),
      (4),
      (5),
      (6),
      (7),
      (8),
      (9),
      (10),
      (11),
      (12),
      (13),
      (14),
      (15),
      (16),
      (17),
      (18),
      (19),
      (20),
      (21),
      (22),
      (23),
      (24),
      (25),
      (26),
      (27),
      (28)
    ) AS spine_2
      ON spine_2.active_days <= spine.window_days
    LEFT JOIN by_active_days
      ON spine.period = by_active_days.period AND spine_2.active_days = by_active_days.active_days
  ) AS spine
  ORDER BY
    1,
    2
  LIMIT 10001
) AS found
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
