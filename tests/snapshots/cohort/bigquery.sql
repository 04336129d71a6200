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
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
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
  JOIN UNNEST(
    ARRAY<STRUCT<held_day INT64, opens_0 INT64, closes_0 INT64, opens_1 INT64, closes_1 INT64>>[
      (-1, 0, 4, 0, 0),
      (0, 0, 4, 0, 1),
      (1, 0, 4, 0, 1),
      (2, 0, 4, 0, 1),
      (3, 0, 4, 0, 1),
      (4, 0, 4, 0, 1),
      (5, 0, 4, 0, 1),
      (6, 0, 4, 0, 1),
      (7, 0, 4, 0, 2),
      (8, 0, 4, 0, 2),
      (9, 0, 4, 0, 2),
      (10, 0, 4, 0, 2),
      (11, 0, 4, 0, 2),
      (12, 0, 4, 0, 2),
      (13, 0, 4, 0, 2),
      (14, 0, 4, 0, 3),
      (15, 0, 4, 0, 3),
      (16, 0, 4, 0, 3),
      (17, 0, 4, 0, 3),
      (18, 0, 4, 0, 3),
      (19, 0, 4, 0, 3),
      (20, 0, 4, 0, 3),
      (21, 0, 4, 0, 4),
      (22, 0, 4, 0, 4),
      (23, 0, 4, 0, 4),
      (24, 0, 4, 0, 4),
      (25, 0, 4, 0, 4),
      (26, 0, 4, 0, 4),
      (27, 0, 4, 0, 4),
      (28, 0, 4, 0, 4),
      (29, 0, 4, 0, 4),
      (30, 1, 4, 1, 4),
      (31, 1, 4, 1, 4),
      (32, 1, 4, 1, 4),
      (33, 1, 4, 1, 4),
      (34, 1, 4, 1, 4),
      (35, 1, 4, 1, 4),
      (36, 1, 4, 1, 4),
      (37, 2, 4, 2, 4),
      (38, 2, 4, 2, 4),
      (39, 2, 4, 2, 4),
      (40, 2, 4, 2, 4),
      (41, 2, 4, 2, 4),
      (42, 2, 4, 2, 4),
      (43, 2, 4, 2, 4),
      (44, 3, 4, 3, 4),
      (45, 3, 4, 3, 4),
      (46, 3, 4, 3, 4),
      (47, 3, 4, 3, 4),
      (48, 3, 4, 3, 4),
      (49, 3, 4, 3, 4),
      (50, 3, 4, 3, 4)
    ]
  ) AS spine
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
    FROM UNNEST(
      ARRAY<STRUCT<period DATE, number INT64>>[(DATE '2026-03-02', 0), (DATE '2026-03-09', 1), (DATE '2026-03-16', 2), (DATE '2026-03-23', 3)]
    ) AS spine
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
    FROM UNNEST(
      ARRAY<STRUCT<period DATE, number INT64>>[(DATE '2026-03-02', 0), (DATE '2026-03-09', 1), (DATE '2026-03-16', 2), (DATE '2026-03-23', 3)]
    ) AS spine
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
