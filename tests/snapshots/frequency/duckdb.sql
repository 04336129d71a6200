/* metrics-api metric=watch_frequency fingerprint=764e6d3f27ae */
WITH active_days AS (
  SELECT
    user_id AS entity,
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1' HOUR
      ELSE occurred_at + INTERVAL '2' HOUR
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
), placed_days AS (
  SELECT
    entity,
    1 AS weight,
    "day" AS opens,
    "day" + 7 AS closes
  FROM active_days
), changed AS (
  SELECT
    entity,
    "at",
    SUM(lift) AS lift
  FROM (
    SELECT
      entity,
      opens AS "at",
      weight AS lift
    FROM placed_days
    UNION ALL
    SELECT
      entity,
      closes AS "at",
      0 - weight AS lift
    FROM placed_days
  ) AS found
  GROUP BY
    1,
    2
), reached AS (
  SELECT
    "at",
    lift,
    SUM(lift) OVER (PARTITION BY entity ORDER BY "at" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS score_after
  FROM changed
), changes AS (
  SELECT
    "at",
    score,
    change
  FROM (
    SELECT
      "at",
      CASE WHEN score >= 6 THEN 1 WHEN score >= 3 THEN 2 WHEN score >= 1 THEN 3 ELSE 4 END AS score,
      SUM(change) AS change
    FROM (
      SELECT
        "at",
        score_after AS score,
        1 AS change
      FROM reached
      WHERE
        score_after > 0
      UNION ALL
      SELECT
        "at",
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
    FROM (VALUES
      (DATE '2026-03-02', 6),
      (DATE '2026-03-03', 7),
      (DATE '2026-03-04', 8),
      (DATE '2026-03-05', 9),
      (DATE '2026-03-06', 10),
      (DATE '2026-03-07', 11),
      (DATE '2026-03-08', 12),
      (DATE '2026-03-09', 13),
      (DATE '2026-03-10', 14),
      (DATE '2026-03-11', 15),
      (DATE '2026-03-12', 16),
      (DATE '2026-03-13', 17),
      (DATE '2026-03-14', 18),
      (DATE '2026-03-15', 19),
      (DATE '2026-03-16', 20),
      (DATE '2026-03-17', 21),
      (DATE '2026-03-18', 22),
      (DATE '2026-03-19', 23),
      (DATE '2026-03-20', 24),
      (DATE '2026-03-21', 25),
      (DATE '2026-03-22', 26),
      (DATE '2026-03-23', 27),
      (DATE '2026-03-24', 28),
      (DATE '2026-03-25', 29),
      (DATE '2026-03-26', 30),
      (DATE '2026-03-27', 31),
      (DATE '2026-03-28', 32),
      (DATE '2026-03-29', 33)) AS spine(period, number)
    JOIN changes
      ON changes."at" <= spine.number
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
      CAST(UNNEST(GENERATE_SERIES(DATE '2026-03-02', DATE '2026-03-29', INTERVAL '1' DAY)) AS DATE) AS period
  ) AS spine
  CROSS JOIN (VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4)) AS spine_2(tier, position)
  LEFT JOIN sizes
    ON spine.period = sizes.period AND spine_2.position = sizes.position
) AS spine
ORDER BY
  period,
  position
LIMIT 10001
