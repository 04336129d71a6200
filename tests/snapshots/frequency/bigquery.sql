/* metrics-api metric=watch_frequency fingerprint=2f2a24082b2c */
WITH people AS (
  SELECT
    user_id AS entity,
    BIT_OR(
      1 << DATE_DIFF(
        DATE(
          CASE
            WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
            THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
            ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
          END,
          'UTC'
        ),
        DATE '2026-02-24',
        DAY
      )
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-23 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-02-22'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS FLOAT64) AND minutes >= 3
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
    BIT_COUNT(people.days & spine.mask) AS score,
    COUNT(*) AS users
  FROM UNNEST([
    STRUCT(DATE '2026-03-02' AS period, 127 AS mask),
    STRUCT(DATE '2026-03-03' AS period, 254 AS mask),
    STRUCT(DATE '2026-03-04' AS period, 508 AS mask),
    STRUCT(DATE '2026-03-05' AS period, 1016 AS mask),
    STRUCT(DATE '2026-03-06' AS period, 2032 AS mask),
    STRUCT(DATE '2026-03-07' AS period, 4064 AS mask),
    STRUCT(DATE '2026-03-08' AS period, 8128 AS mask),
    STRUCT(DATE '2026-03-09' AS period, 16256 AS mask),
    STRUCT(DATE '2026-03-10' AS period, 32512 AS mask),
    STRUCT(DATE '2026-03-11' AS period, 65024 AS mask),
    STRUCT(DATE '2026-03-12' AS period, 130048 AS mask),
    STRUCT(DATE '2026-03-13' AS period, 260096 AS mask),
    STRUCT(DATE '2026-03-14' AS period, 520192 AS mask),
    STRUCT(DATE '2026-03-15' AS period, 1040384 AS mask),
    STRUCT(DATE '2026-03-16' AS period, 2080768 AS mask),
    STRUCT(DATE '2026-03-17' AS period, 4161536 AS mask),
    STRUCT(DATE '2026-03-18' AS period, 8323072 AS mask),
    STRUCT(DATE '2026-03-19' AS period, 16646144 AS mask),
    STRUCT(DATE '2026-03-20' AS period, 33292288 AS mask),
    STRUCT(DATE '2026-03-21' AS period, 66584576 AS mask),
    STRUCT(DATE '2026-03-22' AS period, 133169152 AS mask),
    STRUCT(DATE '2026-03-23' AS period, 266338304 AS mask),
    STRUCT(DATE '2026-03-24' AS period, 532676608 AS mask),
    STRUCT(DATE '2026-03-25' AS period, 1065353216 AS mask),
    STRUCT(DATE '2026-03-26' AS period, 2130706432 AS mask),
    STRUCT(DATE '2026-03-27' AS period, 4261412864 AS mask),
    STRUCT(DATE '2026-03-28' AS period, 8522825728 AS mask),
    STRUCT(DATE '2026-03-29' AS period, 17045651456 AS mask)
  ]) AS spine
  CROSS JOIN (
    SELECT
      people.entity,
      people.days,
      users.known_day
    FROM people
    LEFT JOIN (
      SELECT
        id AS who,
        CASE
          WHEN DATE_DIFF(
            DATE(
              CASE
                WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00+00'
                THEN TIMESTAMP_ADD(signed_up_at, INTERVAL 1 HOUR)
                ELSE TIMESTAMP_ADD(signed_up_at, INTERVAL 2 HOUR)
              END,
              'UTC'
            ),
            DATE '2026-02-24',
            DAY
          ) > 0
          THEN DATE_DIFF(
            DATE(
              CASE
                WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00+00'
                THEN TIMESTAMP_ADD(signed_up_at, INTERVAL 1 HOUR)
                ELSE TIMESTAMP_ADD(signed_up_at, INTERVAL 2 HOUR)
              END,
              'UTC'
            ),
            DATE '2026-02-24',
            DAY
          )
          ELSE 0
        END AS known_day
      FROM users
      WHERE
        id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00+00'
    ) AS users
      ON people.entity = users.who
  ) AS people
  WHERE
    (people.days & spine.mask) <> 0
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
        DATE(
          CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00+00'
            THEN TIMESTAMP_ADD(signed_up_at, INTERVAL 1 HOUR)
            ELSE TIMESTAMP_ADD(signed_up_at, INTERVAL 2 HOUR)
          END,
          'UTC'
        ),
        DATE '2026-02-24',
        DAY
      ) > 0
      THEN DATE_DIFF(
        DATE(
          CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00+00'
            THEN TIMESTAMP_ADD(signed_up_at, INTERVAL 1 HOUR)
            ELSE TIMESTAMP_ADD(signed_up_at, INTERVAL 2 HOUR)
          END,
          'UTC'
        ),
        DATE '2026-02-24',
        DAY
      )
      ELSE 0
    END AS known_day,
    COUNT(*) AS known_users
  FROM users
  WHERE
    id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00+00'
  GROUP BY
    1
), known_users AS (
  SELECT
    spine.period,
    SUM(known_by_day.known_users) AS known_users
  FROM UNNEST([
    STRUCT(DATE '2026-03-02' AS period, 0 AS since, 6 AS until),
    STRUCT(DATE '2026-03-03' AS period, 1 AS since, 7 AS until),
    STRUCT(DATE '2026-03-04' AS period, 2 AS since, 8 AS until),
    STRUCT(DATE '2026-03-05' AS period, 3 AS since, 9 AS until),
    STRUCT(DATE '2026-03-06' AS period, 4 AS since, 10 AS until),
    STRUCT(DATE '2026-03-07' AS period, 5 AS since, 11 AS until),
    STRUCT(DATE '2026-03-08' AS period, 6 AS since, 12 AS until),
    STRUCT(DATE '2026-03-09' AS period, 7 AS since, 13 AS until),
    STRUCT(DATE '2026-03-10' AS period, 8 AS since, 14 AS until),
    STRUCT(DATE '2026-03-11' AS period, 9 AS since, 15 AS until),
    STRUCT(DATE '2026-03-12' AS period, 10 AS since, 16 AS until),
    STRUCT(DATE '2026-03-13' AS period, 11 AS since, 17 AS until),
    STRUCT(DATE '2026-03-14' AS period, 12 AS since, 18 AS until),
    STRUCT(DATE '2026-03-15' AS period, 13 AS since, 19 AS until),
    STRUCT(DATE '2026-03-16' AS period, 14 AS since, 20 AS until),
    STRUCT(DATE '2026-03-17' AS period, 15 AS since, 21 AS until),
    STRUCT(DATE '2026-03-18' AS period, 16 AS since, 22 AS until),
    STRUCT(DATE '2026-03-19' AS period, 17 AS since, 23 AS until),
    STRUCT(DATE '2026-03-20' AS period, 18 AS since, 24 AS until),
    STRUCT(DATE '2026-03-21' AS period, 19 AS since, 25 AS until),
    STRUCT(DATE '2026-03-22' AS period, 20 AS since, 26 AS until),
    STRUCT(DATE '2026-03-23' AS period, 21 AS since, 27 AS until),
    STRUCT(DATE '2026-03-24' AS period, 22 AS since, 28 AS until),
    STRUCT(DATE '2026-03-25' AS period, 23 AS since, 29 AS until),
    STRUCT(DATE '2026-03-26' AS period, 24 AS since, 30 AS until),
    STRUCT(DATE '2026-03-27' AS period, 25 AS since, 31 AS until),
    STRUCT(DATE '2026-03-28' AS period, 26 AS since, 32 AS until),
    STRUCT(DATE '2026-03-29' AS period, 27 AS since, 33 AS until)
  ]) AS spine
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(CASE WHEN by_tier.known_day <= spine.until THEN by_tier.users END) AS known_active
  FROM UNNEST([
    STRUCT(DATE '2026-03-02' AS period, 0 AS since, 6 AS until),
    STRUCT(DATE '2026-03-03' AS period, 1 AS since, 7 AS until),
    STRUCT(DATE '2026-03-04' AS period, 2 AS since, 8 AS until),
    STRUCT(DATE '2026-03-05' AS period, 3 AS since, 9 AS until),
    STRUCT(DATE '2026-03-06' AS period, 4 AS since, 10 AS until),
    STRUCT(DATE '2026-03-07' AS period, 5 AS since, 11 AS until),
    STRUCT(DATE '2026-03-08' AS period, 6 AS since, 12 AS until),
    STRUCT(DATE '2026-03-09' AS period, 7 AS since, 13 AS until),
    STRUCT(DATE '2026-03-10' AS period, 8 AS since, 14 AS until),
    STRUCT(DATE '2026-03-11' AS period, 9 AS since, 15 AS until),
    STRUCT(DATE '2026-03-12' AS period, 10 AS since, 16 AS until),
    STRUCT(DATE '2026-03-13' AS period, 11 AS since, 17 AS until),
    STRUCT(DATE '2026-03-14' AS period, 12 AS since, 18 AS until),
    STRUCT(DATE '2026-03-15' AS period, 13 AS since, 19 AS until),
    STRUCT(DATE '2026-03-16' AS period, 14 AS since, 20 AS until),
    STRUCT(DATE '2026-03-17' AS period, 15 AS since, 21 AS until),
    STRUCT(DATE '2026-03-18' AS period, 16 AS since, 22 AS until),
    STRUCT(DATE '2026-03-19' AS period, 17 AS since, 23 AS until),
    STRUCT(DATE '2026-03-20' AS period, 18 AS since, 24 AS until),
    STRUCT(DATE '2026-03-21' AS period, 19 AS since, 25 AS until),
    STRUCT(DATE '2026-03-22' AS period, 20 AS since, 26 AS until),
    STRUCT(DATE '2026-03-23' AS period, 21 AS since, 27 AS until),
    STRUCT(DATE '2026-03-24' AS period, 22 AS since, 28 AS until),
    STRUCT(DATE '2026-03-25' AS period, 23 AS since, 29 AS until),
    STRUCT(DATE '2026-03-26' AS period, 24 AS since, 30 AS until),
    STRUCT(DATE '2026-03-27' AS period, 25 AS since, 31 AS until),
    STRUCT(DATE '2026-03-28' AS period, 26 AS since, 32 AS until),
    STRUCT(DATE '2026-03-29' AS period, 27 AS since, 33 AS until)
  ]) AS spine
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
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-02', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
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
  CASE WHEN position <= 4 THEN CAST(users AS FLOAT64) / NULLIF(people, 0) END AS share
FROM (
  SELECT
    spine.period,
    spine_2.tier,
    spine_2.position,
    COALESCE(every_size.users, 0) AS users,
    SUM(CASE WHEN spine_2.position <= 4 THEN COALESCE(every_size.users, 0) END) OVER (PARTITION BY spine.period) AS people
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-02', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
  ) AS spine
  CROSS JOIN UNNEST([
    STRUCT('power' AS tier, 1 AS position),
    STRUCT('core' AS tier, 2 AS position),
    STRUCT('casual' AS tier, 3 AS position),
    STRUCT('none' AS tier, 4 AS position),
    STRUCT('inactive' AS tier, 5 AS position)
  ]) AS spine_2
  LEFT JOIN every_size
    ON spine.period = every_size.period AND spine_2.position = every_size.position
) AS spine
ORDER BY
  period NULLS LAST,
  position NULLS LAST
LIMIT 10001
