/* metrics-api metric=share_of_power_users fingerprint=915ada5606b7 */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATEDIFF(
      DAY,
      DATE '2026-03-02',
      CAST(CASE
        WHEN occurred_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS "DAY"
  FROM app_events
  WHERE
    occurred_at >= CAST('2026-03-01 23:00:00' AS TIMESTAMPNTZ)
    AND occurred_at < CAST('2026-03-29 22:00:00' AS TIMESTAMPNTZ)
    AND occurred_on >= DATE '2026-02-28'
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
), in_windows AS (
  SELECT
    spine.period,
    active_days.entity,
    COUNT(*) AS score
  FROM active_days
  JOIN (
    SELECT
      CAST(period AS DATE) AS period,
      CAST(held_day AS BIGINT) AS held_day
    FROM (VALUES
      ('2026-03-02', 0),
      ('2026-03-02', 1),
      ('2026-03-02', 2),
      ('2026-03-02', 3),
      ('2026-03-02', 4),
      ('2026-03-02', 5),
      ('2026-03-02', 6),
      ('2026-03-09', 7),
      ('2026-03-09', 8),
      ('2026-03-09', 9),
      ('2026-03-09', 10),
      ('2026-03-09', 11),
      ('2026-03-09', 12),
      ('2026-03-09', 13),
      ('2026-03-16', 14),
      ('2026-03-16', 15),
      ('2026-03-16', 16),
      ('2026-03-16', 17),
      ('2026-03-16', 18),
      ('2026-03-16', 19),
      ('2026-03-16', 20),
      ('2026-03-23', 21),
      ('2026-03-23', 22),
      ('2026-03-23', 23),
      ('2026-03-23', 24),
      ('2026-03-23', 25),
      ('2026-03-23', 26),
      ('2026-03-23', 27)) AS constants(period, held_day)
  ) AS spine
    ON active_days."DAY" = spine.held_day
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
      DATEADD(DAY, 7 * (ROW_NUMBER() OVER (ORDER BY NULL) - 1), DATE '2026-03-02') AS period
    FROM TABLE(GENERATOR(ROWCOUNT => 4))
  ) AS spine
  CROSS JOIN (
    SELECT
      CAST(tier AS VARCHAR) AS tier,
      CAST(position AS BIGINT) AS position
    FROM (VALUES
      ('power', 1),
      ('core', 2),
      ('casual', 3),
      ('none', 4)) AS constants(tier, position)
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
      CAST(tier AS VARCHAR) AS tier,
      CAST(position AS BIGINT) AS position
    FROM (VALUES
      ('power', 1),
      ('core', 2),
      ('casual', 3),
      ('none', 4)) AS constants(tier, position)
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
    CAST(SUM(CASE WHEN tier = 'power' THEN users END) AS DOUBLE) / NULLIF(SUM(CASE WHEN position <= 4 THEN users END), 0) AS value
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
  CAST(SUM(CASE WHEN tier = 'power' THEN users END) AS DOUBLE) / NULLIF(SUM(CASE WHEN position <= 4 THEN users END), 0) AS value
FROM tiers_2
