/* metrics-api metric=stickiness fingerprint=7e281bd09e7b */
WITH active_days AS (
  SELECT
    user_id AS entity,
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1 HOUR'
      ELSE occurred_at + INTERVAL '2 HOUR'
    END AS DATE) - DATE '2026-02-24' AS "day"
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-23 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-22'
    AND occurred_on <= DATE '2026-03-30'
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
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) AS days
  FROM active_days
  GROUP BY
    1
), long_windows AS (
  SELECT
    spine.period AS "day",
    COUNT(*) AS in_long
  FROM (VALUES
    (DATE '2026-03-23', 268435455),
    (DATE '2026-03-24', 536870910),
    (DATE '2026-03-25', 1073741820),
    (DATE '2026-03-26', 2147483640),
    (DATE '2026-03-27', 4294967280),
    (DATE '2026-03-28', 8589934560),
    (DATE '2026-03-29', 17179869120)) AS spine(period, mask)
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1
), short_windows AS (
  SELECT
    spine.period AS "day",
    COUNT(*) AS in_short
  FROM (VALUES
    (DATE '2026-03-23', 134217728),
    (DATE '2026-03-24', 268435456),
    (DATE '2026-03-25', 536870912),
    (DATE '2026-03-26', 1073741824),
    (DATE '2026-03-27', 2147483648),
    (DATE '2026-03-28', 4294967296),
    (DATE '2026-03-29', 8589934592)) AS spine(period, mask)
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
), by_active_days AS (
  SELECT
    spine.period,
    BIT_COUNT(CAST((people.days & spine.mask) AS BIT(64))) AS active_days,
    COUNT(*) AS users
  FROM (VALUES
    (DATE '2026-03-23', 17179869120)) AS spine(period, mask)
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
  CAST(NULL AS BIGINT) AS active_days,
  CAST(NULL AS BIGINT) AS users,
  CAST(NULL AS DOUBLE PRECISION) AS share
FROM (
  SELECT
    spine.period,
    averaged.mean_ratio AS value
  FROM (VALUES
    (DATE '2026-03-23', DATE '2026-03-29', 7)) AS spine(period, last_day, days)
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
FROM (VALUES
  (DATE '2026-03-23', DATE '2026-03-29', 7)) AS spine(period, last_day, days)
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
    FROM (VALUES
      (DATE '2026-03-23', 28)) AS spine(period, window_days)
    JOIN (VALUES
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
      (28)) AS spine_2(active_days)
      ON spine_2.active_days <= spine.window_days
    LEFT JOIN by_active_days
      ON spine.period = by_active_days.period AND spine_2.active_days = by_active_days.active_days
  ) AS spine
  ORDER BY
    period,
    active_days
  LIMIT 10001
) AS found
