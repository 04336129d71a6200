/* metrics-api metric=stickiness fingerprint=7e281bd09e7b */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATEDIFF(
      DAY,
      DATE '2026-02-24',
      CAST(CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS "day"
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-23 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-22'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched'
        AND minutes >= 1
        AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
        AND minutes >= 3
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
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INTEGER)) AS days
  FROM active_days
  GROUP BY
    1
), long_windows AS (
  SELECT
    spine.period AS "day",
    COUNT(*) AS in_long
  FROM (
    SELECT
      DATE '2026-03-23' AS period,
      268435455 AS mask
    UNION ALL
    SELECT
      DATE '2026-03-24',
      536870910
    UNION ALL
    SELECT
      DATE '2026-03-25',
      1073741820
    UNION ALL
    SELECT
      DATE '2026-03-26',
      2147483640
    UNION ALL
    SELECT
      DATE '2026-03-27',
      4294967280
    UNION ALL
    SELECT
      DATE '2026-03-28',
      8589934560
    UNION ALL
    SELECT
      DATE '2026-03-29',
      17179869120
  ) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1
), short_windows AS (
  SELECT
    spine.period AS "day",
    COUNT(*) AS in_short
  FROM (
    SELECT
      DATE '2026-03-23' AS period,
      134217728 AS mask
    UNION ALL
    SELECT
      DATE '2026-03-24',
      268435456
    UNION ALL
    SELECT
      DATE '2026-03-25',
      536870912
    UNION ALL
    SELECT
      DATE '2026-03-26',
      1073741824
    UNION ALL
    SELECT
      DATE '2026-03-27',
      2147483648
    UNION ALL
    SELECT
      DATE '2026-03-28',
      4294967296
    UNION ALL
    SELECT
      DATE '2026-03-29',
      8589934592
  ) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1
), averaged AS (
  SELECT
    CAST(DATE_TRUNC('week', long_windows."day") AS DATE) AS period,
    AVG(CAST(COALESCE(short_windows.in_short, 0) AS DOUBLE PRECISION) / NULLIF(long_windows.in_long, 0)) AS mean_ratio
  FROM long_windows
  LEFT JOIN short_windows
    ON long_windows."day" = short_windows."day"
  GROUP BY
    1
), in_windows AS (
  SELECT
    spine.period,
    active_days.entity,
    COUNT(*) AS score
  FROM (
    SELECT
      DATE '2026-03-23' AS period,
      6 AS first_day,
      33 AS last_day
  ) AS spine
  JOIN active_days
    ON active_days."day" >= spine.first_day AND active_days."day" <= spine.last_day
  GROUP BY
    1,
    2
), scores AS (
  SELECT
    period,
    score
  FROM in_windows
), by_active_days AS (
  SELECT
    period,
    score AS active_days,
    COUNT(*) AS users
  FROM scores
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  period,
  value,
  CAST(NULL AS BIGINT) AS active_days,
  CAST(NULL AS BIGINT) AS users,
  CAST(NULL AS DOUBLE PRECISION) AS share
FROM (
  SELECT
    spine.period,
    averaged.mean_ratio AS value
  FROM (
    SELECT
      DATE '2026-03-23' AS period,
      DATE '2026-03-29' AS last_day,
      7 AS days
  ) AS spine
  LEFT JOIN averaged
    ON spine.period = averaged.period
  ORDER BY
    period
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  averaged.mean_ratio AS value,
  CAST(NULL AS BIGINT) AS active_days,
  CAST(NULL AS BIGINT) AS users,
  CAST(NULL AS DOUBLE PRECISION) AS share
FROM (
  SELECT
    DATE '2026-03-23' AS period,
    DATE '2026-03-29' AS last_day,
    7 AS days
) AS spine
LEFT JOIN (
  SELECT
    period,
    mean_ratio
  FROM averaged
  WHERE
    period = DATE '2026-03-23'
) AS averaged
  ON spine.period = averaged.period
UNION ALL
SELECT
  2 AS part,
  period,
  CAST(NULL AS DOUBLE PRECISION) AS value,
  active_days,
  users,
  share
FROM (
  SELECT
    period,
    active_days,
    people AS users,
    CAST(people AS DOUBLE PRECISION) / NULLIF(of_window, 0) AS share
  FROM (
    SELECT
      spine.period,
      spine_2.active_days,
      COALESCE(by_active_days.users, 0) AS people,
      SUM(COALESCE(by_active_days.users, 0)) OVER (PARTITION BY spine.period) AS of_window
    FROM (
      SELECT
        DATE '2026-03-23' AS period,
        28 AS window_days
    ) AS spine
    JOIN (
      SELECT
        1 AS active_days
      UNION ALL
      SELECT
        2
      UNION ALL
      SELECT
        3
      UNION ALL
      SELECT
        4
      UNION ALL
      SELECT
        5
      UNION ALL
      SELECT
        6
      UNION ALL
      SELECT
        7
      UNION ALL
      SELECT
        8
      UNION ALL
      SELECT
        9
      UNION ALL
      SELECT
        10
      UNION ALL
      SELECT
        11
      UNION ALL
      SELECT
        12
      UNION ALL
      SELECT
        13
      UNION ALL
      SELECT
        14
      UNION ALL
      SELECT
        15
      UNION ALL
      SELECT
        16
      UNION ALL
      SELECT
        17
      UNION ALL
      SELECT
        18
      UNION ALL
      SELECT
        19
      UNION ALL
      SELECT
        20
      UNION ALL
      SELECT
        21
      UNION ALL
      SELECT
        22
      UNION ALL
      SELECT
        23
      UNION ALL
      SELECT
        24
      UNION ALL
      SELECT
        25
      UNION ALL
      SELECT
        26
      UNION ALL
      SELECT
        27
      UNION ALL
      SELECT
        28
    ) AS spine_2
      ON spine_2.active_days <= spine.window_days
    LEFT JOIN by_active_days
      ON spine.period = by_active_days.period AND spine_2.active_days = by_active_days.active_days
  ) AS spine
  ORDER BY
    period,
    active_days
  LIMIT 10001
) AS found
