/* metrics-api metric=watch_frequency fingerprint=2f2a24082b2c */
WITH people AS (
  SELECT
    user_id AS entity,
    groupBitOr(
      bitShiftLeft(
        toUInt64(1),
        dateDiff(
          'day',
          toDate32('2026-02-24'),
          toDate32(
            CASE
              WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
              THEN occurred_at + INTERVAL '1' HOUR
              ELSE occurred_at + INTERVAL '2' HOUR
            END,
            'UTC'
          )
        )
      )
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-02-23 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-02-22')
    AND occurred_on <= toDate32('2026-03-30')
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
    spine.period AS period,
    people.known_day AS known_day,
    CAST(bitCount(bitAnd(people.days, spine.mask)) AS Nullable(Int64)) AS score,
    toInt64(COUNT(*)) AS users
  FROM VALUES(
    'period Nullable(Date32), mask Nullable(Int64)',
    ('2026-03-02', 127),
    ('2026-03-03', 254),
    ('2026-03-04', 508),
    ('2026-03-05', 1016),
    ('2026-03-06', 2032),
    ('2026-03-07', 4064),
    ('2026-03-08', 8128),
    ('2026-03-09', 16256),
    ('2026-03-10', 32512),
    ('2026-03-11', 65024),
    ('2026-03-12', 130048),
    ('2026-03-13', 260096),
    ('2026-03-14', 520192),
    ('2026-03-15', 1040384),
    ('2026-03-16', 2080768),
    ('2026-03-17', 4161536),
    ('2026-03-18', 8323072),
    ('2026-03-19', 16646144),
    ('2026-03-20', 33292288),
    ('2026-03-21', 66584576),
    ('2026-03-22', 133169152),
    ('2026-03-23', 266338304),
    ('2026-03-24', 532676608),
    ('2026-03-25', 1065353216),
    ('2026-03-26', 2130706432),
    ('2026-03-27', 4261412864),
    ('2026-03-28', 8522825728),
    ('2026-03-29', 17045651456)
  ) AS spine
  CROSS JOIN (
    SELECT
      people.days AS days,
      users.known_day AS known_day
    FROM people
    LEFT JOIN (
      SELECT
        id AS who,
        CASE
          WHEN dateDiff(
            'day',
            toDate32('2026-02-24'),
            toDate32(
              CASE
                WHEN signed_up_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
                THEN signed_up_at + INTERVAL '1' HOUR
                ELSE signed_up_at + INTERVAL '2' HOUR
              END,
              'UTC'
            )
          ) > 0
          THEN dateDiff(
            'day',
            toDate32('2026-02-24'),
            toDate32(
              CASE
                WHEN signed_up_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
                THEN signed_up_at + INTERVAL '1' HOUR
                ELSE signed_up_at + INTERVAL '2' HOUR
              END,
              'UTC'
            )
          )
          ELSE 0
        END AS known_day
      FROM users
      WHERE
        id <> '' AND signed_up_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    ) AS users
      ON people.entity = users.who
  ) AS people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
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
      WHEN dateDiff(
        'day',
        toDate32('2026-02-24'),
        toDate32(
          CASE
            WHEN signed_up_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
            THEN signed_up_at + INTERVAL '1' HOUR
            ELSE signed_up_at + INTERVAL '2' HOUR
          END,
          'UTC'
        )
      ) > 0
      THEN dateDiff(
        'day',
        toDate32('2026-02-24'),
        toDate32(
          CASE
            WHEN signed_up_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
            THEN signed_up_at + INTERVAL '1' HOUR
            ELSE signed_up_at + INTERVAL '2' HOUR
          END,
          'UTC'
        )
      )
      ELSE 0
    END AS known_day,
    toInt64(COUNT(*)) AS known_users
  FROM users
  WHERE
    id <> '' AND signed_up_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
  GROUP BY
    1
), known_users AS (
  SELECT
    spine.period AS period,
    SUM(known_by_day.known_users) AS known_users
  FROM VALUES(
    'period Nullable(Date32), since Nullable(Int64), until Nullable(Int64)',
    ('2026-03-02', 0, 6),
    ('2026-03-03', 1, 7),
    ('2026-03-04', 2, 8),
    ('2026-03-05', 3, 9),
    ('2026-03-06', 4, 10),
    ('2026-03-07', 5, 11),
    ('2026-03-08', 6, 12),
    ('2026-03-09', 7, 13),
    ('2026-03-10', 8, 14),
    ('2026-03-11', 9, 15),
    ('2026-03-12', 10, 16),
    ('2026-03-13', 11, 17),
    ('2026-03-14', 12, 18),
    ('2026-03-15', 13, 19),
    ('2026-03-16', 14, 20),
    ('2026-03-17', 15, 21),
    ('2026-03-18', 16, 22),
    ('2026-03-19', 17, 23),
    ('2026-03-20', 18, 24),
    ('2026-03-21', 19, 25),
    ('2026-03-22', 20, 26),
    ('2026-03-23', 21, 27),
    ('2026-03-24', 22, 28),
    ('2026-03-25', 23, 29),
    ('2026-03-26', 24, 30),
    ('2026-03-27', 25, 31),
    ('2026-03-28', 26, 32),
    ('2026-03-29', 27, 33)
  ) AS spine
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period AS period,
    SUM(by_tier.users) FILTER(WHERE by_tier.known_day <= spine.until) AS known_active
  FROM VALUES(
    'period Nullable(Date32), since Nullable(Int64), until Nullable(Int64)',
    ('2026-03-02', 0, 6),
    ('2026-03-03', 1, 7),
    ('2026-03-04', 2, 8),
    ('2026-03-05', 3, 9),
    ('2026-03-06', 4, 10),
    ('2026-03-07', 5, 11),
    ('2026-03-08', 6, 12),
    ('2026-03-09', 7, 13),
    ('2026-03-10', 8, 14),
    ('2026-03-11', 9, 15),
    ('2026-03-12', 10, 16),
    ('2026-03-13', 11, 17),
    ('2026-03-14', 12, 18),
    ('2026-03-15', 13, 19),
    ('2026-03-16', 14, 20),
    ('2026-03-17', 15, 21),
    ('2026-03-18', 16, 22),
    ('2026-03-19', 17, 23),
    ('2026-03-20', 18, 24),
    ('2026-03-21', 19, 25),
    ('2026-03-22', 20, 26),
    ('2026-03-23', 21, 27),
    ('2026-03-24', 22, 28),
    ('2026-03-25', 23, 29),
    ('2026-03-26', 24, 30),
    ('2026-03-27', 25, 31),
    ('2026-03-28', 26, 32),
    ('2026-03-29', 27, 33)
  ) AS spine
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
    spine.period AS period,
    5 AS position,
    COALESCE(known_users.known_users, 0) - COALESCE(known_active.known_active, 0) AS users
  FROM (
    SELECT
      addDays(toDate32('2026-03-02'), number) AS period
    FROM numbers(28)
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
  CASE WHEN position <= 4 THEN CAST(users AS Nullable(Float64)) / nullIf(people, 0) END AS share
FROM (
  SELECT
    spine.period AS period,
    spine_2.tier AS tier,
    spine_2.position AS position,
    COALESCE(every_size.users, 0) AS users,
    SUM(CASE WHEN spine_2.position <= 4 THEN COALESCE(every_size.users, 0) END) OVER (PARTITION BY spine.period) AS people
  FROM (
    SELECT
      addDays(toDate32('2026-03-02'), number) AS period
    FROM numbers(28)
  ) AS spine
  CROSS JOIN VALUES(
    'tier Nullable(String), position Nullable(Int64)',
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4),
    ('inactive', 5)
  ) AS spine_2
  LEFT JOIN every_size
    ON spine.period = every_size.period AND spine_2.position = every_size.position
) AS spine
ORDER BY
  1,
  3
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
