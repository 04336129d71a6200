/* metrics-api metric=watch_frequency fingerprint=764e6d3f27ae */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATEDIFF(
      DAY,
      DATE '2026-02-24',
      CAST(CASE
        WHEN occurred_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS "DAY"
  FROM app_events
  WHERE
    occurred_at >= CAST('2026-02-23 23:00:00' AS TIMESTAMPNTZ)
    AND occurred_at < CAST('2026-03-29 22:00:00' AS TIMESTAMPNTZ)
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
), placed_days AS (
  SELECT
    entity,
    1 AS weight,
    "DAY" AS opens,
    "DAY" + 7 AS closes
  FROM active_days
), changed AS (
  SELECT
    entity,
    "AT",
    SUM(lift) AS lift
  FROM (
    SELECT
      entity,
      opens AS "AT",
      weight AS lift
    FROM placed_days
    UNION ALL
    SELECT
      entity,
      closes AS "AT",
      0 - weight AS lift
    FROM placed_days
  ) AS found
  GROUP BY
    1,
    2
), reached AS (
  SELECT
    "AT",
    lift,
    SUM(lift) OVER (PARTITION BY entity ORDER BY "AT" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS score_after
  FROM changed
), changes AS (
  SELECT
    "AT",
    score,
    change
  FROM (
    SELECT
      "AT",
      CASE WHEN score >= 6 THEN 1 WHEN score >= 3 THEN 2 WHEN score >= 1 THEN 3 ELSE 4 END AS score,
      SUM(change) AS change
    FROM (
      SELECT
        "AT",
        score_after AS score,
        1 AS change
      FROM reached
      WHERE
        score_after > 0
      UNION ALL
      SELECT
        "AT",
        score_after - lift AS score,
        -1 AS change
      FROM reached
      WHERE
        score_after - lift > 0
    ) AS found
    GROUP BY
      1,
      2
  ) AS found
  WHERE
    change <> 0
), by_tier AS (
  SELECT
    period,
    score,
    users
  FROM (
    SELECT
      spine.period,
      changes.score,
      SUM(changes.change) AS users
    FROM (
      SELECT
        CAST(period AS DATE) AS period,
        CAST(number AS BIGINT) AS number
      FROM (VALUES
        ('2026-03-02', 6),
        ('2026-03-03', 7),
        ('2026-03-04', 8),
        ('2026-03-05', 9),
        ('2026-03-06', 10),
        ('2026-03-07', 11),
        ('2026-03-08', 12),
        ('2026-03-09', 13),
        ('2026-03-10', 14),
        ('2026-03-11', 15),
        ('2026-03-12', 16),
        ('2026-03-13', 17),
        ('2026-03-14', 18),
        ('2026-03-15', 19),
        ('2026-03-16', 20),
        ('2026-03-17', 21),
        ('2026-03-18', 22),
        ('2026-03-19', 23),
        ('2026-03-20', 24),
        ('2026-03-21', 25),
        ('2026-03-22', 26),
        ('2026-03-23', 27),
        ('2026-03-24', 28),
        ('2026-03-25', 29),
        ('2026-03-26', 30),
        ('2026-03-27', 31),
        ('2026-03-28', 32),
        ('2026-03-29', 33)) AS constants(period, number)
    ) AS spine
    JOIN changes
      ON changes."AT" <= spine.number
    GROUP BY
      1,
      2
  ) AS spine
  WHERE
    users > 0
), sizes AS (
  SELECT
    period,
    score AS position,
    SUM(users) AS users
  FROM by_tier
  GROUP BY
    1,
    2
)
SELECT
  period,
  tier,
  position,
  users,
  CAST(users AS DOUBLE) / NULLIF(people, 0) AS share
FROM (
  SELECT
    spine.period,
    spine_2.tier,
    spine_2.position,
    COALESCE(sizes.users, 0) AS users,
    SUM(COALESCE(sizes.users, 0)) OVER (PARTITION BY spine.period) AS people
  FROM (
    SELECT
      DATEADD(DAY, ROW_NUMBER() OVER (ORDER BY NULL) - 1, DATE '2026-03-02') AS period
    FROM TABLE(GENERATOR(ROWCOUNT => 28))
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
) AS spine
ORDER BY
  period,
  position
LIMIT 10001
