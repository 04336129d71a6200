/* metrics-api metric=share_of_power_users fingerprint=915ada5606b7 */
WITH people AS (
  SELECT
    user_id AS entity,
    BIT_OR(
      SHIFTLEFT(
        CAST(1 AS BIGINT),
        CAST(DATEDIFF(
          CAST(CASE
            WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN occurred_at + INTERVAL '1' HOUR
            ELSE occurred_at + INTERVAL '2' HOUR
          END AS DATE),
          DATE '2026-03-02'
        ) AS INT)
      )
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
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
    1
), by_number AS (
  SELECT
    spine.period,
    BIT_COUNT(people.days & spine.mask) AS score,
    COUNT(*) AS users
  FROM VALUES
    (DATE '2026-03-02', 127),
    (DATE '2026-03-09', 16256),
    (DATE '2026-03-16', 2080768),
    (DATE '2026-03-23', 266338304) AS spine(period, mask)
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
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
      EXPLODE(SEQUENCE(DATE '2026-03-02', DATE '2026-03-23', INTERVAL '7' DAY)) AS period
  ) AS spine
  CROSS JOIN VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4) AS spine_2(tier, position)
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
  FROM VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4) AS spine(tier, position)
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
    CAST(SUM(users) FILTER(WHERE tier = 'power') AS DOUBLE) / NULLIF(SUM(users) FILTER(WHERE position <= 4), 0) AS value
  FROM tiers
  GROUP BY
    1
  ORDER BY
    period NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  CAST(SUM(users) FILTER(WHERE tier = 'power') AS DOUBLE) / NULLIF(SUM(users) FILTER(WHERE position <= 4), 0) AS value
FROM tiers_2
