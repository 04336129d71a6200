/* metrics-api metric=watch_frequency fingerprint=2f2a24082b2c */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATEDIFF(
      DAY,
      DATE '2026-02-24',
      CAST(CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS "day"
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-23 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-22'
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
        WHEN DATEDIFF(
          DAY,
          DATE '2026-02-24',
          CAST(CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN signed_up_at + INTERVAL '1 HOUR'
            ELSE signed_up_at + INTERVAL '2 HOUR'
          END AS DATE)
        ) > 0
        THEN DATEDIFF(
          DAY,
          DATE '2026-02-24',
          CAST(CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN signed_up_at + INTERVAL '1 HOUR'
            ELSE signed_up_at + INTERVAL '2 HOUR'
          END AS DATE)
        )
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
    FROM (
      SELECT
        DATE '2026-03-02' AS period,
        6 AS number
      UNION ALL
      SELECT
        DATE '2026-03-03',
        7
      UNION ALL
      SELECT
        DATE '2026-03-04',
        8
      UNION ALL
      SELECT
        DATE '2026-03-05',
        9
      UNION ALL
      SELECT
        DATE '2026-03-06',
        10
      UNION ALL
      SELECT
        DATE '2026-03-07',
        11
      UNION ALL
      SELECT
        DATE '2026-03-08',
        12
      UNION ALL
      SELECT
        DATE '2026-03-09',
        13
      UNION ALL
      SELECT
        DATE '2026-03-10',
        14
      UNION ALL
      SELECT
        DATE '2026-03-11',
        15
      UNION ALL
      SELECT
        DATE '2026-03-12',
        16
      UNION ALL
      SELECT
        DATE '2026-03-13',
        17
      UNION ALL
      SELECT
        DATE '2026-03-14',
        18
      UNION ALL
      SELECT
        DATE '2026-03-15',
        19
      UNION ALL
      SELECT
        DATE '2026-03-16',
        20
      UNION ALL
      SELECT
        DATE '2026-03-17',
        21
      UNION ALL
      SELECT
        DATE '2026-03-18',
        22
      UNION ALL
      SELECT
        DATE '2026-03-19',
        23
      UNION ALL
      SELECT
        DATE '2026-03-20',
        24
      UNION ALL
      SELECT
        DATE '2026-03-21',
        25
      UNION ALL
      SELECT
        DATE '2026-03-22',
        26
      UNION ALL
      SELECT
        DATE '2026-03-23',
        27
      UNION ALL
      SELECT
        DATE '2026-03-24',
        28
      UNION ALL
      SELECT
        DATE '2026-03-25',
        29
      UNION ALL
      SELECT
        DATE '2026-03-26',
        30
      UNION ALL
      SELECT
        DATE '2026-03-27',
        31
      UNION ALL
      SELECT
        DATE '2026-03-28',
        32
      UNION ALL
      SELECT
        DATE '2026-03-29',
        33
    ) AS spine
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
      WHEN DATEDIFF(
        DAY,
        DATE '2026-02-24',
        CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1 HOUR'
          ELSE signed_up_at + INTERVAL '2 HOUR'
        END AS DATE)
      ) > 0
      THEN DATEDIFF(
        DAY,
        DATE '2026-02-24',
        CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1 HOUR'
          ELSE signed_up_at + INTERVAL '2 HOUR'
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
  FROM (
    SELECT
      DATE '2026-03-02' AS period,
      0 AS since,
      6 AS until
    UNION ALL
    SELECT
      DATE '2026-03-03',
      1,
      7
    UNION ALL
    SELECT
      DATE '2026-03-04',
      2,
      8
    UNION ALL
    SELECT
      DATE '2026-03-05',
      3,
      9
    UNION ALL
    SELECT
      DATE '2026-03-06',
      4,
      10
    UNION ALL
    SELECT
      DATE '2026-03-07',
      5,
      11
    UNION ALL
    SELECT
      DATE '2026-03-08',
      6,
      12
    UNION ALL
    SELECT
      DATE '2026-03-09',
      7,
      13
    UNION ALL
    SELECT
      DATE '2026-03-10',
      8,
      14
    UNION ALL
    SELECT
      DATE '2026-03-11',
      9,
      15
    UNION ALL
    SELECT
      DATE '2026-03-12',
      10,
      16
    UNION ALL
    SELECT
      DATE '2026-03-13',
      11,
      17
    UNION ALL
    SELECT
      DATE '2026-03-14',
      12,
      18
    UNION ALL
    SELECT
      DATE '2026-03-15',
      13,
      19
    UNION ALL
    SELECT
      DATE '2026-03-16',
      14,
      20
    UNION ALL
    SELECT
      DATE '2026-03-17',
      15,
      21
    UNION ALL
    SELECT
      DATE '2026-03-18',
      16,
      22
    UNION ALL
    SELECT
      DATE '2026-03-19',
      17,
      23
    UNION ALL
    SELECT
      DATE '2026-03-20',
      18,
      24
    UNION ALL
    SELECT
      DATE '2026-03-21',
      19,
      25
    UNION ALL
    SELECT
      DATE '2026-03-22',
      20,
      26
    UNION ALL
    SELECT
      DATE '2026-03-23',
      21,
      27
    UNION ALL
    SELECT
      DATE '2026-03-24',
      22,
      28
    UNION ALL
    SELECT
      DATE '2026-03-25',
      23,
      29
    UNION ALL
    SELECT
      DATE '2026-03-26',
      24,
      30
    UNION ALL
    SELECT
      DATE '2026-03-27',
      25,
      31
    UNION ALL
    SELECT
      DATE '2026-03-28',
      26,
      32
    UNION ALL
    SELECT
      DATE '2026-03-29',
      27,
      33
  ) AS spine
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(CASE WHEN by_tier.known_day <= spine.until THEN by_tier.users END) AS known_active
  FROM (
    SELECT
      DATE '2026-03-02' AS period,
      0 AS since,
      6 AS until
    UNION ALL
    SELECT
      DATE '2026-03-03',
      1,
      7
    UNION ALL
    SELECT
      DATE '2026-03-04',
      2,
      8
    UNION ALL
    SELECT
      DATE '2026-03-05',
      3,
      9
    UNION ALL
    SELECT
      DATE '2026-03-06',
      4,
      10
    UNION ALL
    SELECT
      DATE '2026-03-07',
      5,
      11
    UNION ALL
    SELECT
      DATE '2026-03-08',
      6,
      12
    UNION ALL
    SELECT
      DATE '2026-03-09',
      7,
      13
    UNION ALL
    SELECT
      DATE '2026-03-10',
      8,
      14
    UNION ALL
    SELECT
      DATE '2026-03-11',
      9,
      15
    UNION ALL
    SELECT
      DATE '2026-03-12',
      10,
      16
    UNION ALL
    SELECT
      DATE '2026-03-13',
      11,
      17
    UNION ALL
    SELECT
      DATE '2026-03-14',
      12,
      18
    UNION ALL
    SELECT
      DATE '2026-03-15',
      13,
      19
    UNION ALL
    SELECT
      DATE '2026-03-16',
      14,
      20
    UNION ALL
    SELECT
      DATE '2026-03-17',
      15,
      21
    UNION ALL
    SELECT
      DATE '2026-03-18',
      16,
      22
    UNION ALL
    SELECT
      DATE '2026-03-19',
      17,
      23
    UNION ALL
    SELECT
      DATE '2026-03-20',
      18,
      24
    UNION ALL
    SELECT
      DATE '2026-03-21',
      19,
      25
    UNION ALL
    SELECT
      DATE '2026-03-22',
      20,
      26
    UNION ALL
    SELECT
      DATE '2026-03-23',
      21,
      27
    UNION ALL
    SELECT
      DATE '2026-03-24',
      22,
      28
    UNION ALL
    SELECT
      DATE '2026-03-25',
      23,
      29
    UNION ALL
    SELECT
      DATE '2026-03-26',
      24,
      30
    UNION ALL
    SELECT
      DATE '2026-03-27',
      25,
      31
    UNION ALL
    SELECT
      DATE '2026-03-28',
      26,
      32
    UNION ALL
    SELECT
      DATE '2026-03-29',
      27,
      33
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
    spine.period,
    5 AS position,
    COALESCE(known_users.known_users, 0) - COALESCE(known_active.known_active, 0) AS users
  FROM (
    SELECT
      DATE '2026-03-02' AS period
    UNION ALL
    SELECT
      DATE '2026-03-03'
    UNION ALL
    SELECT
      DATE '2026-03-04'
    UNION ALL
    SELECT
      DATE '2026-03-05'
    UNION ALL
    SELECT
      DATE '2026-03-06'
    UNION ALL
    SELECT
      DATE '2026-03-07'
    UNION ALL
    SELECT
      DATE '2026-03-08'
    UNION ALL
    SELECT
      DATE '2026-03-09'
    UNION ALL
    SELECT
      DATE '2026-03-10'
    UNION ALL
    SELECT
      DATE '2026-03-11'
    UNION ALL
    SELECT
      DATE '2026-03-12'
    UNION ALL
    SELECT
      DATE '2026-03-13'
    UNION ALL
    SELECT
      DATE '2026-03-14'
    UNION ALL
    SELECT
      DATE '2026-03-15'
    UNION ALL
    SELECT
      DATE '2026-03-16'
    UNION ALL
    SELECT
      DATE '2026-03-17'
    UNION ALL
    SELECT
      DATE '2026-03-18'
    UNION ALL
    SELECT
      DATE '2026-03-19'
    UNION ALL
    SELECT
      DATE '2026-03-20'
    UNION ALL
    SELECT
      DATE '2026-03-21'
    UNION ALL
    SELECT
      DATE '2026-03-22'
    UNION ALL
    SELECT
      DATE '2026-03-23'
    UNION ALL
    SELECT
      DATE '2026-03-24'
    UNION ALL
    SELECT
      DATE '2026-03-25'
    UNION ALL
    SELECT
      DATE '2026-03-26'
    UNION ALL
    SELECT
      DATE '2026-03-27'
    UNION ALL
    SELECT
      DATE '2026-03-28'
    UNION ALL
    SELECT
      DATE '2026-03-29'
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
      DATE '2026-03-02' AS period
    UNION ALL
    SELECT
      DATE '2026-03-03'
    UNION ALL
    SELECT
      DATE '2026-03-04'
    UNION ALL
    SELECT
      DATE '2026-03-05'
    UNION ALL
    SELECT
      DATE '2026-03-06'
    UNION ALL
    SELECT
      DATE '2026-03-07'
    UNION ALL
    SELECT
      DATE '2026-03-08'
    UNION ALL
    SELECT
      DATE '2026-03-09'
    UNION ALL
    SELECT
      DATE '2026-03-10'
    UNION ALL
    SELECT
      DATE '2026-03-11'
    UNION ALL
    SELECT
      DATE '2026-03-12'
    UNION ALL
    SELECT
      DATE '2026-03-13'
    UNION ALL
    SELECT
      DATE '2026-03-14'
    UNION ALL
    SELECT
      DATE '2026-03-15'
    UNION ALL
    SELECT
      DATE '2026-03-16'
    UNION ALL
    SELECT
      DATE '2026-03-17'
    UNION ALL
    SELECT
      DATE '2026-03-18'
    UNION ALL
    SELECT
      DATE '2026-03-19'
    UNION ALL
    SELECT
      DATE '2026-03-20'
    UNION ALL
    SELECT
      DATE '2026-03-21'
    UNION ALL
    SELECT
      DATE '2026-03-22'
    UNION ALL
    SELECT
      DATE '2026-03-23'
    UNION ALL
    SELECT
      DATE '2026-03-24'
    UNION ALL
    SELECT
      DATE '2026-03-25'
    UNION ALL
    SELECT
      DATE '2026-03-26'
    UNION ALL
    SELECT
      DATE '2026-03-27'
    UNION ALL
    SELECT
      DATE '2026-03-28'
    UNION ALL
    SELECT
      DATE '2026-03-29'
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
    UNION ALL
    SELECT
      CAST('inactive' AS VARCHAR(8)),
      5
  ) AS spine_2
  LEFT JOIN every_size
    ON spine.period = every_size.period AND spine_2.position = every_size.position
) AS spine
ORDER BY
  period,
  position
LIMIT 10001
