/* metrics-api metric=share_of_power_users fingerprint=915ada5606b7 */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATEDIFF(
      DAY,
      DATE '2026-03-02',
      CAST(CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS "day"
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-28'
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
), in_windows AS (
  SELECT
    spine.period,
    active_days.entity,
    COUNT(*) AS score
  FROM active_days
  JOIN (
    SELECT
      DATE '2026-03-02' AS period,
      0 AS held_day
    UNION ALL
    SELECT
      DATE '2026-03-02',
      1
    UNION ALL
    SELECT
      DATE '2026-03-02',
      2
    UNION ALL
    SELECT
      DATE '2026-03-02',
      3
    UNION ALL
    SELECT
      DATE '2026-03-02',
      4
    UNION ALL
    SELECT
      DATE '2026-03-02',
      5
    UNION ALL
    SELECT
      DATE '2026-03-02',
      6
    UNION ALL
    SELECT
      DATE '2026-03-09',
      7
    UNION ALL
    SELECT
      DATE '2026-03-09',
      8
    UNION ALL
    SELECT
      DATE '2026-03-09',
      9
    UNION ALL
    SELECT
      DATE '2026-03-09',
      10
    UNION ALL
    SELECT
      DATE '2026-03-09',
      11
    UNION ALL
    SELECT
      DATE '2026-03-09',
      12
    UNION ALL
    SELECT
      DATE '2026-03-09',
      13
    UNION ALL
    SELECT
      DATE '2026-03-16',
      14
    UNION ALL
    SELECT
      DATE '2026-03-16',
      15
    UNION ALL
    SELECT
      DATE '2026-03-16',
      16
    UNION ALL
    SELECT
      DATE '2026-03-16',
      17
    UNION ALL
    SELECT
      DATE '2026-03-16',
      18
    UNION ALL
    SELECT
      DATE '2026-03-16',
      19
    UNION ALL
    SELECT
      DATE '2026-03-16',
      20
    UNION ALL
    SELECT
      DATE '2026-03-23',
      21
    UNION ALL
    SELECT
      DATE '2026-03-23',
      22
    UNION ALL
    SELECT
      DATE '2026-03-23',
      23
    UNION ALL
    SELECT
      DATE '2026-03-23',
      24
    UNION ALL
    SELECT
      DATE '2026-03-23',
      25
    UNION ALL
    SELECT
      DATE '2026-03-23',
      26
    UNION ALL
    SELECT
      DATE '2026-03-23',
      27
  ) AS spine
    ON active_days."day" = spine.held_day
  GROUP BY
    1,
    2
), scores AS (
  SELECT
    period,
    score
  FROM in_windows
), by_number AS (
  SELECT
    period,
    score,
    COUNT(*) AS users
  FROM scores
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
    spine.period,
    spine_2.tier,
    spine_2.position,
    COALESCE(sizes.users, 0) AS users
  FROM (
    SELECT
      DATE '2026-03-02' AS period
    UNION ALL
    SELECT
      DATE '2026-03-09'
    UNION ALL
    SELECT
      DATE '2026-03-16'
    UNION ALL
    SELECT
      DATE '2026-03-23'
  ) AS spine
  CROSS JOIN (
    SELECT
      CAST('power' AS VARCHAR(5)) AS tier,
      1 AS position
    UNION ALL
    SELECT
      CAST('core' AS VARCHAR(4)),
      2
    UNION ALL
    SELECT
      CAST('casual' AS VARCHAR(6)),
      3
    UNION ALL
    SELECT
      CAST('none' AS VARCHAR(4)),
      4
  ) AS spine_2
  LEFT JOIN sizes
    ON spine.period = sizes.period AND spine_2.position = sizes.position
), last_sizes AS (
  SELECT
    position,
    users
  FROM sizes
  WHERE
    period = DATE '2026-03-23'
), tiers_2 AS (
  SELECT
    spine.tier,
    spine.position,
    COALESCE(last_sizes.users, 0) AS users
  FROM (
    SELECT
      CAST('power' AS VARCHAR(5)) AS tier,
      1 AS position
    UNION ALL
    SELECT
      CAST('core' AS VARCHAR(4)),
      2
    UNION ALL
    SELECT
      CAST('casual' AS VARCHAR(6)),
      3
    UNION ALL
    SELECT
      CAST('none' AS VARCHAR(4)),
      4
  ) AS spine
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
    CAST(SUM(CASE WHEN tier = 'power' THEN users END) AS DOUBLE PRECISION) / NULLIF(SUM(CASE WHEN position <= 4 THEN users END), 0) AS value
  FROM tiers
  GROUP BY
    1
  ORDER BY
    period
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  CAST(SUM(CASE WHEN tier = 'power' THEN users END) AS DOUBLE PRECISION) / NULLIF(SUM(CASE WHEN position <= 4 THEN users END), 0) AS value
FROM tiers_2
