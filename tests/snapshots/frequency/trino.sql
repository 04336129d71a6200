/* metrics-api metric=watch_frequency fingerprint=2f2a24082b2c */
WITH people AS (
  SELECT
    user_id AS entity,
    BITWISE_OR_AGG(
      BITWISE_LEFT_SHIFT(
        BIGINT '1',
        DATE_DIFF(
          'day',
          DATE '2026-02-24',
          CAST(CASE
            WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN occurred_at + INTERVAL '1' HOUR
            ELSE occurred_at + INTERVAL '2' HOUR
          END AS DATE)
        )
      )
    ) AS days
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
    1
), by_number AS (
  SELECT
    spine.period,
    people.known_day,
    BIT_COUNT(BITWISE_AND(people.days, spine.mask), 64) AS score,
    COUNT(*) AS users
  FROM (VALUES
    (DATE '2026-03-02', 127),
    (DATE '2026-03-03', 254),
    (DATE '2026-03-04', 508),
    (DATE '2026-03-05', 1016),
    (DATE '2026-03-06', 2032),
    (DATE '2026-03-07', 4064),
    (DATE '2026-03-08', 8128),
    (DATE '2026-03-09', 16256),
    (DATE '2026-03-10', 32512),
    (DATE '2026-03-11', 65024),
    (DATE '2026-03-12', 130048),
    (DATE '2026-03-13', 260096),
    (DATE '2026-03-14', 520192),
    (DATE '2026-03-15', 1040384),
    (DATE '2026-03-16', 2080768),
    (DATE '2026-03-17', 4161536),
    (DATE '2026-03-18', 8323072),
    (DATE '2026-03-19', 16646144),
    (DATE '2026-03-20', 33292288),
    (DATE '2026-03-21', 66584576),
    (DATE '2026-03-22', 133169152),
    (DATE '2026-03-23', 266338304),
    (DATE '2026-03-24', 532676608),
    (DATE '2026-03-25', 1065353216),
    (DATE '2026-03-26', 2130706432),
    (DATE '2026-03-27', 4261412864),
    (DATE '2026-03-28', 8522825728),
    (DATE '2026-03-29', 17045651456)) AS spine(period, mask)
  CROSS JOIN (
    SELECT
      people.days,
      users.known_day
    FROM people
    LEFT JOIN (
      SELECT
        id AS who,
        CASE
          WHEN DATE_DIFF(
            'day',
            DATE '2026-02-24',
            CAST(CASE
              WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
              THEN signed_up_at + INTERVAL '1' HOUR
              ELSE signed_up_at + INTERVAL '2' HOUR
            END AS DATE)
          ) > 0
          THEN DATE_DIFF(
            'day',
            DATE '2026-02-24',
            CAST(CASE
              WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
              THEN signed_up_at + INTERVAL '1' HOUR
              ELSE signed_up_at + INTERVAL '2' HOUR
            END AS DATE)
          )
          ELSE 0
        END AS known_day
      FROM users
      WHERE
        id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00'
    ) AS users
      ON people.entity = users.who
  ) AS people
  WHERE
    BITWISE_AND(people.days, spine.mask) <> 0
  GROUP BY
    1,
    2,
    3
), by_tier AS (
  SELECT
    period,
    known_day,
    CASE WHEN score >= 6 THEN 1 WHEN score >= 3 THEN 2 WHEN score >= 1 THEN 3 ELSE 4 END AS score,
    SUM(users) AS users
  FROM by_number
  GROUP BY
    1,
    2,
    3
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
      WHEN DATE_DIFF(
        'day',
        DATE '2026-02-24',
        CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1' HOUR
          ELSE signed_up_at + INTERVAL '2' HOUR
        END AS DATE)
      ) > 0
      THEN DATE_DIFF(
        'day',
        DATE '2026-02-24',
        CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1' HOUR
          ELSE signed_up_at + INTERVAL '2' HOUR
        END AS DATE)
      )
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
  FROM UNNEST(SEQUENCE(DATE '2026-03-02', DATE '2026-03-29', INTERVAL '1' DAY)) AS spine(period)
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
  CASE WHEN position <= 4 THEN CAST(users AS DOUBLE) / NULLIF(people, 0) END AS share
FROM (
  SELECT
    spine.period,
    spine_2.tier,
    spine_2.position,
    COALESCE(every_size.users, 0) AS users,
    SUM(CASE WHEN spine_2.position <= 4 THEN COALESCE(every_size.users, 0) END) OVER (PARTITION BY spine.period) AS people
  FROM UNNEST(SEQUENCE(DATE '2026-03-02', DATE '2026-03-29', INTERVAL '1' DAY)) AS spine(period)
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
