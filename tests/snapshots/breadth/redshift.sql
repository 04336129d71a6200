/* metrics-api metric=feature_breadth fingerprint=cf697e31980b */
WITH numbered AS (
  SELECT
    user_id AS entity,
    CASE
      WHEN (
        event = 'watched'
        AND minutes >= 1
        AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
        AND minutes >= 3
      )
      OR event = 'shared'
      THEN 1
      ELSE 0
    END AS has_0,
    CASE WHEN event = 'searched' THEN 1 ELSE 0 END AS has_1,
    CASE WHEN event = 'added_to_list' THEN 1 ELSE 0 END AS has_2,
    CASE WHEN event = 'shared' THEN 1 ELSE 0 END AS has_3,
    CAST(FLOOR(
      CAST(DATEDIFF(
        DAY,
        DATE '2026-02-23',
        CAST(CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN occurred_at + INTERVAL '1 HOUR'
          ELSE occurred_at + INTERVAL '2 HOUR'
        END AS DATE)
      ) AS DOUBLE PRECISION) / 7
    ) AS BIGINT) AS "day"
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-21'
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
      OR event = 'searched'
      OR event = 'added_to_list'
    )
    AND user_id <> ''
), people AS (
  SELECT
    entity,
    BIT_OR(CASE WHEN has_0 = 1 THEN CAST(1 AS BIGINT) << CAST("day" AS INTEGER) END) AS days_0,
    BIT_OR(CASE WHEN has_1 = 1 THEN CAST(1 AS BIGINT) << CAST("day" AS INTEGER) END) AS days_1,
    BIT_OR(CASE WHEN has_2 = 1 THEN CAST(1 AS BIGINT) << CAST("day" AS INTEGER) END) AS days_2,
    BIT_OR(CASE WHEN has_3 = 1 THEN CAST(1 AS BIGINT) << CAST("day" AS INTEGER) END) AS days_3
  FROM numbered
  GROUP BY
    1
), scored AS (
  SELECT
    spine.period,
    people.known_day,
    people.entity,
    CASE WHEN (people.days_0 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people.days_1 & spine.mask) <> 0 THEN 2 ELSE 0 END + CASE WHEN (people.days_2 & spine.mask) <> 0 THEN 4 ELSE 0 END + CASE WHEN (people.days_3 & spine.mask) <> 0 THEN 8 ELSE 0 END AS score
  FROM (
    SELECT
      DATE '2026-03-16' AS period,
      15 AS mask
    UNION ALL
    SELECT
      DATE '2026-03-23',
      30
  ) AS spine
  CROSS JOIN (
    SELECT
      people.entity,
      people.days_0,
      people.days_1,
      people.days_2,
      people.days_3,
      users.known_day
    FROM people
    LEFT JOIN (
      SELECT
        id AS who,
        CASE
          WHEN DATEDIFF(
            DAY,
            DATE '2026-02-23',
            CAST(CASE
              WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
              THEN signed_up_at + INTERVAL '1 HOUR'
              ELSE signed_up_at + INTERVAL '2 HOUR'
            END AS DATE)
          ) > 0
          THEN DATEDIFF(
            DAY,
            DATE '2026-02-23',
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
      ON people.entity = users.who
  ) AS people
), scored_2 AS (
  SELECT
    period,
    known_day,
    entity,
    score
  FROM scored
  WHERE
    score > 0
), by_score AS (
  SELECT
    period,
    known_day,
    score,
    COUNT(*) AS users
  FROM scored_2
  GROUP BY
    1,
    2,
    3
), sizes AS (
  SELECT
    period,
    CASE
      WHEN CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(2 AS DECIMAL(38, 9)), 0) >= 1
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(4 AS DECIMAL(38, 9)), 0) >= 2
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(8 AS DECIMAL(38, 9)), 0) >= 4
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(16 AS DECIMAL(38, 9)), 0) >= 8
      THEN 1
      WHEN CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(2 AS DECIMAL(38, 9)), 0) >= 1
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(4 AS DECIMAL(38, 9)), 0) >= 2
      THEN 2
      WHEN CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(2 AS DECIMAL(38, 9)), 0) >= 1
      THEN 3
      ELSE 4
    END AS position,
    SUM(users) AS users
  FROM by_score
  WHERE
    period >= DATE '2026-03-23'
  GROUP BY
    1,
    2
), known_by_day AS (
  SELECT
    CASE
      WHEN DATEDIFF(
        DAY,
        DATE '2026-02-23',
        CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1 HOUR'
          ELSE signed_up_at + INTERVAL '2 HOUR'
        END AS DATE)
      ) > 0
      THEN DATEDIFF(
        DAY,
        DATE '2026-02-23',
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
      DATE '2026-03-16' AS period,
      0 AS since,
      27 AS until
    UNION ALL
    SELECT
      DATE '2026-03-23',
      7,
      34
  ) AS spine
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(CASE WHEN by_score.known_day <= spine.until THEN by_score.users END) AS known_active
  FROM (
    SELECT
      DATE '2026-03-16' AS period,
      0 AS since,
      27 AS until
    UNION ALL
    SELECT
      DATE '2026-03-23',
      7,
      34
  ) AS spine
  JOIN by_score
    ON spine.period = by_score.period
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
      DATE '2026-03-23' AS period
  ) AS spine
  LEFT JOIN known_users
    ON spine.period = known_users.period
  LEFT JOIN known_active
    ON spine.period = known_active.period
), placed AS (
  SELECT
    period,
    entity,
    CASE
      WHEN CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(2 AS DECIMAL(38, 9)), 0) >= 1
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(4 AS DECIMAL(38, 9)), 0) >= 2
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(8 AS DECIMAL(38, 9)), 0) >= 4
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(16 AS DECIMAL(38, 9)), 0) >= 8
      THEN 1
      WHEN CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(2 AS DECIMAL(38, 9)), 0) >= 1
      AND CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(4 AS DECIMAL(38, 9)), 0) >= 2
      THEN 2
      WHEN CAST(score AS DECIMAL(38, 9)) % NULLIF(CAST(2 AS DECIMAL(38, 9)), 0) >= 1
      THEN 3
      ELSE 4
    END AS position
  FROM scored_2
), moved AS (
  SELECT
    period,
    from_position,
    to_position,
    COUNT(*) AS users
  FROM (
    SELECT
      period,
      COALESCE(MAX(from_position), 5) AS from_position,
      COALESCE(MAX(to_position), 5) AS to_position
    FROM (
      SELECT
        spine."following" AS period,
        placed.entity,
        placed.position AS from_position,
        CAST(NULL AS BIGINT) AS to_position
      FROM placed
      JOIN (
        SELECT
          DATE '2026-03-16' AS period,
          DATE '2026-03-23' AS "following"
      ) AS spine
        ON placed.period = spine.period
      UNION ALL
      SELECT
        period,
        entity,
        CAST(NULL AS BIGINT) AS from_position,
        position AS to_position
      FROM placed
      WHERE
        period >= DATE '2026-03-23'
    ) AS found
    GROUP BY
      1,
      entity
  ) AS found
  GROUP BY
    1,
    2,
    3
)
SELECT
  0 AS part,
  period,
  tier,
  position,
  users,
  share,
  CAST(NULL AS VARCHAR) AS "from",
  CAST(NULL AS VARCHAR) AS "to"
FROM (
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
        DATE '2026-03-23' AS period
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
) AS found
UNION ALL
SELECT
  1 AS part,
  period,
  CAST(NULL AS VARCHAR) AS tier,
  CAST(NULL AS BIGINT) AS position,
  users,
  CAST(NULL AS DOUBLE PRECISION) AS share,
  "from",
  "to"
FROM (
  SELECT
    spine.period,
    spine_2."from",
    spine_3."to",
    COALESCE(moved.users, 0) AS users
  FROM (
    SELECT
      DATE '2026-03-23' AS period
  ) AS spine
  CROSS JOIN (
    SELECT
      CAST('power' AS VARCHAR(5)) AS "from",
      1 AS from_position
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
  CROSS JOIN (
    SELECT
      CAST('power' AS VARCHAR(5)) AS "to",
      1 AS to_position
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
  ) AS spine_3
  LEFT JOIN moved
    ON spine.period = moved.period
    AND spine_2.from_position = moved.from_position
    AND spine_3.to_position = moved.to_position
  WHERE
    (
      spine_2.from_position < 5 OR spine_3.to_position < 5
    )
  ORDER BY
    period,
    "from",
    "to"
  LIMIT 10001
) AS found
