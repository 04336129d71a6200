/* metrics-api metric=dormant_users fingerprint=5772efa8684e */
WITH days AS (
  SELECT
    user_id AS entity,
    CASE
      WHEN occurred_at < TIMESTAMP '2026-02-06 23:00:00'
      THEN -1
      ELSE DATEDIFF(
        DAY,
        DATE '2026-02-07',
        CAST(CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN occurred_at + INTERVAL '1 HOUR'
          ELSE occurred_at + INTERVAL '2 HOUR'
        END AS DATE)
      )
    END AS "day",
    COUNT(*) AS events_1
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '1899-12-31 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '1899-12-30'
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
    days.entity,
    days."day",
    days.events_1,
    spine.held_day,
    spine.opens_0,
    spine.closes_0,
    spine.opens_1,
    spine.closes_1
  FROM days
  JOIN (
    SELECT
      -1 AS held_day,
      0 AS opens_0,
      4 AS closes_0,
      0 AS opens_1,
      0 AS closes_1
    UNION ALL
    SELECT
      0,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      1,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      2,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      3,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      4,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      5,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      6,
      0,
      4,
      0,
      1
    UNION ALL
    SELECT
      7,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      8,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      9,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      10,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      11,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      12,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      13,
      0,
      4,
      0,
      2
    UNION ALL
    SELECT
      14,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      15,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      16,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      17,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      18,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      19,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      20,
      0,
      4,
      0,
      3
    UNION ALL
    SELECT
      21,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      22,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      23,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      24,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      25,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      26,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      27,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      28,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      29,
      0,
      4,
      0,
      4
    UNION ALL
    SELECT
      30,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      31,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      32,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      33,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      34,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      35,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      36,
      1,
      4,
      1,
      4
    UNION ALL
    SELECT
      37,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      38,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      39,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      40,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      41,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      42,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      43,
      2,
      4,
      2,
      4
    UNION ALL
    SELECT
      44,
      3,
      4,
      3,
      4
    UNION ALL
    SELECT
      45,
      3,
      4,
      3,
      4
    UNION ALL
    SELECT
      46,
      3,
      4,
      3,
      4
    UNION ALL
    SELECT
      47,
      3,
      4,
      3,
      4
    UNION ALL
    SELECT
      48,
      3,
      4,
      3,
      4
    UNION ALL
    SELECT
      49,
      3,
      4,
      3,
      4
    UNION ALL
    SELECT
      50,
      3,
      4,
      3,
      4
  ) AS spine
    ON days."day" = spine.held_day
), changes AS (
  SELECT
    entity,
    "at",
    SUM(events_1) AS events_1,
    SUM(events_2) AS events_2
  FROM (
    SELECT
      entity,
      opens_0 AS "at",
      events_1,
      0 AS events_2
    FROM placed_days
    WHERE
      opens_0 < closes_0 AND events_1 <> 0
    UNION ALL
    SELECT
      entity,
      opens_1 AS "at",
      0 AS events_1,
      events_1 AS events_2
    FROM placed_days
    WHERE
      opens_1 < closes_1 AND events_1 <> 0
    UNION ALL
    SELECT
      entity,
      closes_1 AS "at",
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
    "at",
    LEAD("at") OVER (PARTITION BY entity ORDER BY "at") AS next_at,
    SUM(events_1) OVER (PARTITION BY entity ORDER BY "at" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS events_1,
    SUM(events_2) OVER (PARTITION BY entity ORDER BY "at" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS events_2
  FROM changes
), inside AS (
  SELECT
    spells."at",
    spells.next_at,
    COALESCE(users.plan, '(none)') AS user_plan
  FROM spells
  LEFT JOIN users
    ON spells.entity = users.id
  WHERE
    spells.events_1 = 1 AND NOT COALESCE(spells.events_2 >= 1, FALSE)
), moves AS (
  SELECT
    "at",
    user_plan,
    SUM(change) AS change
  FROM (
    SELECT
      "at",
      user_plan,
      1 AS change
    FROM inside
    UNION ALL
    SELECT
      next_at AS "at",
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
    FROM (
      SELECT
        DATE '2026-03-02' AS period,
        0 AS number
      UNION ALL
      SELECT
        DATE '2026-03-09',
        1
      UNION ALL
      SELECT
        DATE '2026-03-16',
        2
      UNION ALL
      SELECT
        DATE '2026-03-23',
        3
    ) AS spine
    JOIN moves
      ON moves."at" <= spine.number
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
    DATE '2026-03-02' AS period
  UNION ALL
  SELECT
    DATE '2026-03-09'
  UNION ALL
  SELECT
    DATE '2026-03-16'
  UNION ALL
  SELECT
    DATE '2026-03-23'
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
    FROM (
      SELECT
        DATE '2026-03-02' AS period,
        0 AS number
      UNION ALL
      SELECT
        DATE '2026-03-09',
        1
      UNION ALL
      SELECT
        DATE '2026-03-16',
        2
      UNION ALL
      SELECT
        DATE '2026-03-23',
        3
    ) AS spine
    JOIN moves
      ON moves."at" <= spine.number
    GROUP BY
      1,
      2
  ) AS spine
  WHERE
    size > 0
) AS spine_2
  ON spine.period = spine_2.period AND segments.user_plan = spine_2.user_plan
ORDER BY
  period,
  user_plan
LIMIT 10001
