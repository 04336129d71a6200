/* metrics-api metric=dormant_users fingerprint=5772efa8684e */
WITH days AS (
  SELECT
    user_id AS entity,
    CASE
      WHEN occurred_at < TIMESTAMP '2026-02-06 23:00:00+00'
      THEN -1
      ELSE DATE_DIFF(
        DATE(
          CASE
            WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
            THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
            ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
          END,
          'UTC'
        ),
        DATE '2026-02-07',
        DAY
      )
    END AS `day`,
    COUNT(*) AS events_1
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '1899-12-31 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '1899-12-30'
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
    days.entity,
    days.`day`,
    days.events_1,
    spine.held_day,
    spine.opens_0,
    spine.closes_0,
    spine.opens_1,
    spine.closes_1
  FROM days
  JOIN UNNEST([
    STRUCT(-1 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 0 AS closes_1),
    STRUCT(0 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(1 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(2 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(3 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(4 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(5 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(6 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 1 AS closes_1),
    STRUCT(7 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(8 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(9 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(10 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(11 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(12 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(13 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 2 AS closes_1),
    STRUCT(14 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(15 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(16 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(17 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(18 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(19 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(20 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 3 AS closes_1),
    STRUCT(21 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(22 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(23 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(24 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(25 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(26 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(27 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(28 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(29 AS held_day, 0 AS opens_0, 4 AS closes_0, 0 AS opens_1, 4 AS closes_1),
    STRUCT(30 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(31 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(32 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(33 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(34 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(35 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(36 AS held_day, 1 AS opens_0, 4 AS closes_0, 1 AS opens_1, 4 AS closes_1),
    STRUCT(37 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(38 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(39 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(40 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(41 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(42 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(43 AS held_day, 2 AS opens_0, 4 AS closes_0, 2 AS opens_1, 4 AS closes_1),
    STRUCT(44 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1),
    STRUCT(45 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1),
    STRUCT(46 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1),
    STRUCT(47 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1),
    STRUCT(48 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1),
    STRUCT(49 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1),
    STRUCT(50 AS held_day, 3 AS opens_0, 4 AS closes_0, 3 AS opens_1, 4 AS closes_1)
  ]) AS spine
    ON days.`day` = spine.held_day
), changes AS (
  SELECT
    entity,
    `at`,
    SUM(events_1) AS events_1,
    SUM(events_2) AS events_2
  FROM (
    SELECT
      entity,
      opens_0 AS `at`,
      events_1,
      0 AS events_2
    FROM placed_days
    WHERE
      opens_0 < closes_0 AND events_1 <> 0
    UNION ALL
    SELECT
      entity,
      opens_1 AS `at`,
      0 AS events_1,
      events_1 AS events_2
    FROM placed_days
    WHERE
      opens_1 < closes_1 AND events_1 <> 0
    UNION ALL
    SELECT
      entity,
      closes_1 AS `at`,
      0 AS events_1,
      -events_1 AS events_2
    FROM placed_days
    WHERE
      opens_1 < closes_1 AND events_1 <> 0 AND closes_1 < 4
  ) AS found
  GROUP BY
    1,
    2
), spells AS (
  SELECT
    entity,
    `at`,
    LEAD(`at`) OVER (PARTITION BY entity ORDER BY `at`) AS next_at,
    SUM(events_1) OVER (PARTITION BY entity ORDER BY `at` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS events_1,
    SUM(events_2) OVER (PARTITION BY entity ORDER BY `at` ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS events_2
  FROM changes
), inside AS (
  SELECT
    spells.`at`,
    spells.next_at,
    COALESCE(users.plan, '(none)') AS user_plan
  FROM spells
  LEFT JOIN users
    ON spells.entity = users.id
  WHERE
    spells.events_1 = 1 AND NOT COALESCE(spells.events_2 >= 1, FALSE)
), moves AS (
  SELECT
    `at`,
    user_plan,
    SUM(change) AS change
  FROM (
    SELECT
      `at`,
      user_plan,
      1 AS change
    FROM inside
    UNION ALL
    SELECT
      next_at AS `at`,
      user_plan,
      -1 AS change
    FROM inside
    WHERE
      next_at IS NOT NULL
  ) AS found
  GROUP BY
    1,
    2
), segments AS (
  SELECT
    user_plan
  FROM (
    SELECT
      spine.period,
      moves.user_plan,
      SUM(moves.change) AS size
    FROM UNNEST([
      STRUCT(DATE '2026-03-02' AS period, 0 AS number),
      STRUCT(DATE '2026-03-09' AS period, 1 AS number),
      STRUCT(DATE '2026-03-16' AS period, 2 AS number),
      STRUCT(DATE '2026-03-23' AS period, 3 AS number)
    ]) AS spine
    JOIN moves
      ON moves.`at` <= spine.number
    GROUP BY
      1,
      2
  ) AS spine
  WHERE
    size > 0
  GROUP BY
    1
)
SELECT
  spine.period,
  segments.user_plan,
  COALESCE(spine_2.size, 0) AS size
FROM (
  SELECT
    period
  FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-02', DATE '2026-03-23', INTERVAL 7 DAY)) AS period
) AS spine
CROSS JOIN segments
LEFT JOIN (
  SELECT
    period,
    user_plan,
    size
  FROM (
    SELECT
      spine.period,
      moves.user_plan,
      SUM(moves.change) AS size
    FROM UNNEST([
      STRUCT(DATE '2026-03-02' AS period, 0 AS number),
      STRUCT(DATE '2026-03-09' AS period, 1 AS number),
      STRUCT(DATE '2026-03-16' AS period, 2 AS number),
      STRUCT(DATE '2026-03-23' AS period, 3 AS number)
    ]) AS spine
    JOIN moves
      ON moves.`at` <= spine.number
    GROUP BY
      1,
      2
  ) AS spine
  WHERE
    size > 0
) AS spine_2
  ON spine.period = spine_2.period AND segments.user_plan = spine_2.user_plan
ORDER BY
  period NULLS LAST,
  user_plan NULLS LAST
LIMIT 10001
