/* metrics-api metric=stickiness fingerprint=7e281bd09e7b */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATE_DIFF(
      DATE(
        CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
          THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
          ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
        END,
        'UTC'
      ),
      DATE '2026-02-24',
      DAY
    ) AS `day`
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-23 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-02-22'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS FLOAT64) AND minutes >= 3
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
    BIT_OR(1 << `day`) AS days
  FROM active_days
  GROUP BY
    1
), long_windows AS (
  SELECT
    spine.period AS `day`,
    COUNT(*) AS in_long
  FROM UNNEST([
    STRUCT(DATE '2026-03-23' AS period, 268435455 AS mask),
    STRUCT(DATE '2026-03-24' AS period, 536870910 AS mask),
    STRUCT(DATE '2026-03-25' AS period, 1073741820 AS mask),
    STRUCT(DATE '2026-03-26' AS period, 2147483640 AS mask),
    STRUCT(DATE '2026-03-27' AS period, 4294967280 AS mask),
    STRUCT(DATE '2026-03-28' AS period, 8589934560 AS mask),
    STRUCT(DATE '2026-03-29' AS period, 17179869120 AS mask)
  ]) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1
), short_windows AS (
  SELECT
    spine.period AS `day`,
    COUNT(*) AS in_short
  FROM UNNEST([
    STRUCT(DATE '2026-03-23' AS period, 134217728 AS mask),
    STRUCT(DATE '2026-03-24' AS period, 268435456 AS mask),
    STRUCT(DATE '2026-03-25' AS period, 536870912 AS mask),
    STRUCT(DATE '2026-03-26' AS period, 1073741824 AS mask),
    STRUCT(DATE '2026-03-27' AS period, 2147483648 AS mask),
    STRUCT(DATE '2026-03-28' AS period, 4294967296 AS mask),
    STRUCT(DATE '2026-03-29' AS period, 8589934592 AS mask)
  ]) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1
), averaged AS (
  SELECT
    DATE_TRUNC(long_windows.`day`, ISOWEEK) AS period,
    AVG(CAST(COALESCE(short_windows.in_short, 0) AS FLOAT64) / NULLIF(long_windows.in_long, 0)) AS mean_ratio,
    SUM(COALESCE(short_windows.in_short, 0)) AS sum_short
  FROM long_windows
  LEFT JOIN short_windows
    ON long_windows.`day` = short_windows.`day`
  GROUP BY
    1
), by_active_days AS (
  SELECT
    spine.period,
    BIT_COUNT(people.days & spine.mask) AS active_days,
    COUNT(*) AS users
  FROM UNNEST([STRUCT(DATE '2026-03-23' AS period, 17179869120 AS mask)]) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  period,
  value,
  CAST(NULL AS INT64) AS active_days,
  CAST(NULL AS INT64) AS users,
  CAST(NULL AS FLOAT64) AS share
FROM (
  SELECT
    spine.period,
    averaged.mean_ratio AS value
  FROM UNNEST([STRUCT(DATE '2026-03-23' AS period, DATE '2026-03-29' AS last_day, 7 AS days)]) AS spine
  LEFT JOIN averaged
    ON spine.period = averaged.period
  ORDER BY
    period NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  averaged.mean_ratio AS value,
  CAST(NULL AS INT64) AS active_days,
  CAST(NULL AS INT64) AS users,
  CAST(NULL AS FLOAT64) AS share
FROM UNNEST([STRUCT(DATE '2026-03-23' AS period, DATE '2026-03-29' AS last_day, 7 AS days)]) AS spine
LEFT JOIN (
  SELECT
    period,
    mean_ratio,
    sum_short
  FROM averaged
  WHERE
    period = DATE '2026-03-23'
) AS averaged
  ON spine.period = averaged.period
UNION ALL
SELECT
  2 AS part,
  period,
  CAST(NULL AS FLOAT64) AS value,
  active_days,
  users,
  share
FROM (
  SELECT
    period,
    active_days,
    people AS users,
    CAST(people AS FLOAT64) / NULLIF(of_window, 0) AS share
  FROM (
    SELECT
      spine.period,
      spine_2.active_days,
      COALESCE(by_active_days.users, 0) AS people,
      SUM(COALESCE(by_active_days.users, 0)) OVER (PARTITION BY spine.period) AS of_window
    FROM UNNEST([STRUCT(DATE '2026-03-23' AS period, 28 AS window_days)]) AS spine
    JOIN UNNEST([
      STRUCT(1 AS active_days),
      STRUCT(2 AS active_days),
      STRUCT(3 AS active_days),
      STRUCT(4 AS active_days),
      STRUCT(5 AS active_days),
      STRUCT(6 AS active_days),
      STRUCT(7 AS active_days),
      STRUCT(8 AS active_days),
      STRUCT(9 AS active_days),
      STRUCT(10 AS active_days),
      STRUCT(11 AS active_days),
      STRUCT(12 AS active_days),
      STRUCT(13 AS active_days),
      STRUCT(14 AS active_days),
      STRUCT(15 AS active_days),
      STRUCT(16 AS active_days),
      STRUCT(17 AS active_days),
      STRUCT(18 AS active_days),
      STRUCT(19 AS active_days),
      STRUCT(20 AS active_days),
      STRUCT(21 AS active_days),
      STRUCT(22 AS active_days),
      STRUCT(23 AS active_days),
      STRUCT(24 AS active_days),
      STRUCT(25 AS active_days),
      STRUCT(26 AS active_days),
      STRUCT(27 AS active_days),
      STRUCT(28 AS active_days)
    ]) AS spine_2
      ON spine_2.active_days <= spine.window_days
    LEFT JOIN by_active_days
      ON spine.period = by_active_days.period AND spine_2.active_days = by_active_days.active_days
  ) AS spine
  ORDER BY
    period NULLS LAST,
    active_days NULLS LAST
  LIMIT 10001
) AS found
