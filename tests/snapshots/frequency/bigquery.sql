/* metrics-api metric=watch_frequency fingerprint=764e6d3f27ae */
WITH active_days AS (
  SELECT
    user_id AS entity,
    DATE_DIFF(
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
    ) AS `day`
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
    1,
    2
), placed_days AS (
  SELECT
    entity,
    1 AS weight,
    `day` AS opens,
    `day` + 7 AS closes
  FROM active_days
), changed AS (
  SELECT
    entity,
    `at`,
    SUM(lift) AS lift
  FROM (
    SELECT
      entity,
      opens AS `at`,
      weight AS lift
    FROM placed_days
    UNION ALL
    SELECT
      entity,
      closes AS `at`,
      0 - weight AS lift
    FROM placed_days
  ) AS found
  GROUP BY
    1,
    2
), reached AS (
  SELECT
    `at`,
    lift,
    SUM(lift) OVER (PARTITION BY entity ORDER BY `at` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS score_after
  FROM changed
), changes AS (
  SELECT
    `at`,
    score,
    change
  FROM (
    SELECT
      `at`,
      CASE WHEN score >= 6 THEN 1 WHEN score >= 3 THEN 2 WHEN score >= 1 THEN 3 ELSE 4 END AS score,
      SUM(change) AS change
    FROM (
      SELECT
        `at`,
        score_after AS score,
        1 AS change
      FROM reached
      WHERE
        score_after > 0
      UNION ALL
      SELECT
        `at`,
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
    FROM UNNEST([
      STRUCT(DATE '2026-03-02' AS period, 6 AS number),
      STRUCT(DATE '2026-03-03' AS period, 7 AS number),
      STRUCT(DATE '2026-03-04' AS period, 8 AS number),
      STRUCT(DATE '2026-03-05' AS period, 9 AS number),
      STRUCT(DATE '2026-03-06' AS period, 10 AS number),
      STRUCT(DATE '2026-03-07' AS period, 11 AS number),
      STRUCT(DATE '2026-03-08' AS period, 12 AS number),
      STRUCT(DATE '2026-03-09' AS period, 13 AS number),
      STRUCT(DATE '2026-03-10' AS period, 14 AS number),
      STRUCT(DATE '2026-03-11' AS period, 15 AS number),
      STRUCT(DATE '2026-03-12' AS period, 16 AS number),
      STRUCT(DATE '2026-03-13' AS period, 17 AS number),
      STRUCT(DATE '2026-03-14' AS period, 18 AS number),
      STRUCT(DATE '2026-03-15' AS period, 19 AS number),
      STRUCT(DATE '2026-03-16' AS period, 20 AS number),
      STRUCT(DATE '2026-03-17' AS period, 21 AS number),
      STRUCT(DATE '2026-03-18' AS period, 22 AS number),
      STRUCT(DATE '2026-03-19' AS period, 23 AS number),
      STRUCT(DATE '2026-03-20' AS period, 24 AS number),
      STRUCT(DATE '2026-03-21' AS period, 25 AS number),
      STRUCT(DATE '2026-03-22' AS period, 26 AS number),
      STRUCT(DATE '2026-03-23' AS period, 27 AS number),
      STRUCT(DATE '2026-03-24' AS period, 28 AS number),
      STRUCT(DATE '2026-03-25' AS period, 29 AS number),
      STRUCT(DATE '2026-03-26' AS period, 30 AS number),
      STRUCT(DATE '2026-03-27' AS period, 31 AS number),
      STRUCT(DATE '2026-03-28' AS period, 32 AS number),
      STRUCT(DATE '2026-03-29' AS period, 33 AS number)
    ]) AS spine
    JOIN changes
      ON changes.`at` <= spine.number
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
  CAST(users AS FLOAT64) / NULLIF(people, 0) AS share
FROM (
  SELECT
    spine.period,
    spine_2.tier,
    spine_2.position,
    COALESCE(sizes.users, 0) AS users,
    SUM(COALESCE(sizes.users, 0)) OVER (PARTITION BY spine.period) AS people
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-02', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
  ) AS spine
  CROSS JOIN UNNEST([
    STRUCT('power' AS tier, 1 AS position),
    STRUCT('core' AS tier, 2 AS position),
    STRUCT('casual' AS tier, 3 AS position),
    STRUCT('none' AS tier, 4 AS position)
  ]) AS spine_2
  LEFT JOIN sizes
    ON spine.period = sizes.period AND spine_2.position = sizes.position
) AS spine
ORDER BY
  period NULLS LAST,
  position NULLS LAST
LIMIT 10001
