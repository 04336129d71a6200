/* metrics-api metric=watch_frequency fingerprint=5ea6274a24e9 */
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
), placed_days AS (
  SELECT
    users.known_day,
    active_days.entity,
    1 AS weight,
    active_days."day" AS opens,
    active_days."day" + 7 AS closes
  FROM active_days
  LEFT JOIN (
    SELECT
      id AS who,
      CASE
        WHEN CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1 HOUR'
          ELSE signed_up_at + INTERVAL '2 HOUR'
        END AS DATE) - DATE '2026-02-24' > 0
        THEN CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1 HOUR'
          ELSE signed_up_at + INTERVAL '2 HOUR'
        END AS DATE) - DATE '2026-02-24'
        ELSE 0
      END AS known_day
    FROM users
    WHERE
      id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00'
  ) AS users
    ON active_days.entity = users.who
), changed AS (
  SELECT
    known_day,
    entity,
    "at",
    SUM(lift) AS lift
  FROM (
    SELECT
      known_day,
      entity,
      opens AS "at",
      weight AS lift
    FROM placed_days
    UNION ALL
    SELECT
      known_day,
      entity,
      closes AS "at",
      0 - weight AS lift
    FROM placed_days
  ) AS found
  GROUP BY
    1,
    2,
    3
), reached AS (
  SELECT
    known_day,
    "at",
    lift,
    SUM(lift) OVER (PARTITION BY known_day, entity ORDER BY "at" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS score_after
  FROM changed
), changes AS (
  SELECT
    known_day,
    "at",
    score,
    change
  FROM (
    SELECT
      known_day,
      "at",
      CASE WHEN score >= 6 THEN 1 WHEN score >= 3 THEN 2 WHEN score >= 1 THEN 3 ELSE 4 END AS score,
      SUM(change) AS change
    FROM (
      SELECT
        known_day,
        "at",
        score_after AS score,
        1 AS change
      FROM reached
      WHERE
        score_after > 0
      UNION ALL
      SELECT
        known_day,
        "at",
        score_after - lift AS score,
        -1 AS change
      FROM reached
      WHERE
        score_after - lift > 0
    ) AS found
    GROUP BY
      1,
      2,
      3
  ) AS found
  WHERE
    change <> 0
), by_tier AS (
  SELECT
    period,
    known_day,
    score,
    users
  FROM (
    SELECT
      spine.period,
      changes.known_day,
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
      2,
      3
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
), known_by_day AS (
  SELECT
    CASE
      WHEN CAST(CASE
        WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN signed_up_at + INTERVAL '1 HOUR'
        ELSE signed_up_at + INTERVAL '2 HOUR'
      END AS DATE) - DATE '2026-02-24' > 0
      THEN CAST(CASE
        WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN signed_up_at + INTERVAL '1 HOUR'
        ELSE signed_up_at + INTERVAL '2 HOUR'
      END AS DATE) - DATE '2026-02-24'
      ELSE 0
    END AS known_day,
    COUNT(*) AS known_users
  FROM users
  WHERE
    id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00'
  GROUP BY
    1
), known_users AS (
  SELECT
    spine.period,
    SUM(known_by_day.known_users) AS known_users
  FROM (VALUES
    (DATE '2026-03-02', 0, 6),
    (DATE '2026-03-03', 1, 7),
    (DATE '2026-03-04', 2, 8),
    (DATE '2026-03-05', 3, 9),
    (DATE '2026-03-06', 4, 10),
    (DATE '2026-03-07', 5, 11),
    (DATE '2026-03-08', 6, 12),
    (DATE '2026-03-09', 7, 13),
    (DATE '2026-03-10', 8, 14),
    (DATE '2026-03-11', 9, 15),
    (DATE '2026-03-12', 10, 16),
    (DATE '2026-03-13', 11, 17),
    (DATE '2026-03-14', 12, 18),
    (DATE '2026-03-15', 13, 19),
    (DATE '2026-03-16', 14, 20),
    (DATE '2026-03-17', 15, 21),
    (DATE '2026-03-18', 16, 22),
    (DATE '2026-03-19', 17, 23),
    (DATE '2026-03-20', 18, 24),
    (DATE '2026-03-21', 19, 25),
    (DATE '2026-03-22', 20, 26),
    (DATE '2026-03-23', 21, 27),
    (DATE '2026-03-24', 22, 28),
    (DATE '2026-03-25', 23, 29),
    (DATE '2026-03-26', 24, 30),
    (DATE '2026-03-27', 25, 31),
    (DATE '2026-03-28', 26, 32),
    (DATE '2026-03-29', 27, 33)) AS spine(period, since, until)
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(by_tier.users) FILTER(WHERE by_tier.known_day <= spine.until) AS known_active
  FROM (VALUES
    (DATE '2026-03-02', 0, 6),
    (DATE '2026-03-03', 1, 7),
    (DATE '2026-03-04', 2, 8),
    (DATE '2026-03-05', 3, 9),
    (DATE '2026-03-06', 4, 10),
    (DATE '2026-03-07', 5, 11),
    (DATE '2026-03-08', 6, 12),
    (DATE '2026-03-09', 7, 13),
    (DATE '2026-03-10', 8, 14),
    (DATE '2026-03-11', 9, 15),
    (DATE '2026-03-12', 10, 16),
    (DATE '2026-03-13', 11, 17),
    (DATE '2026-03-14', 12, 18),
    (DATE '2026-03-15', 13, 19),
    (DATE '2026-03-16', 14, 20),
    (DATE '2026-03-17', 15, 21),
    (DATE '2026-03-18', 16, 22),
    (DATE '2026-03-19', 17, 23),
    (DATE '2026-03-20', 18, 24),
    (DATE '2026-03-21', 19, 25),
    (DATE '2026-03-22', 20, 26),
    (DATE '2026-03-23', 21, 27),
    (DATE '2026-03-24', 22, 28),
    (DATE '2026-03-25', 23, 29),
    (DATE '2026-03-26', 24, 30),
    (DATE '2026-03-27', 25, 31),
    (DATE '2026-03-28', 26, 32),
    (DATE '2026-03-29', 27, 33)) AS spine(period, since, until)
  JOIN by_tier
    ON spine.period = by_tier.period
  GROUP BY
    1
), every_size AS (
  SELECT
    period,
    position,
    users
  FROM sizes
  UNION ALL
  SELECT
    spine.period,
    5 AS position,
    COALESCE(known_users.known_users, 0) - COALESCE(known_active.known_active, 0) AS users
  FROM (
    SELECT
      CAST(GENERATE_SERIES(DATE '2026-03-02', DATE '2026-03-29', INTERVAL '1 DAY') AS DATE) AS period
  ) AS spine
  LEFT JOIN known_users
    ON spine.period = known_users.period
  LEFT JOIN known_active
    ON spine.period = known_active.period
)
SELECT
  period,
  tier,
  position,
  users,
  CASE WHEN position <= 4 THEN CAST(users AS DOUBLE PRECISION) / NULLIF(people, 0) END AS share
FROM (
  SELECT
    spine.period,
    spine_2.tier,
    spine_2.position,
    COALESCE(every_size.users, 0) AS users,
    SUM(CASE WHEN spine_2.position <= 4 THEN COALESCE(every_size.users, 0) END) OVER (PARTITION BY spine.period) AS people
  FROM (
    SELECT
      CAST(GENERATE_SERIES(DATE '2026-03-02', DATE '2026-03-29', INTERVAL '1 DAY') AS DATE) AS period
  ) AS spine
  CROSS JOIN (VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4),
    ('inactive', 5)) AS spine_2(tier, position)
  LEFT JOIN every_size
    ON spine.period = every_size.period AND spine_2.position = every_size.position
) AS spine
ORDER BY
  period,
  position
LIMIT 10001
