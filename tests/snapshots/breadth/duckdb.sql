/* metrics-api metric=feature_breadth fingerprint=cf697e31980b */
WITH numbered AS (
  SELECT
    user_id AS entity,
    CASE
      WHEN (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
      THEN 1
      ELSE 0
    END AS has_0,
    CASE WHEN event = 'searched' THEN 1 ELSE 0 END AS has_1,
    CASE WHEN event = 'added_to_list' THEN 1 ELSE 0 END AS has_2,
    CASE WHEN event = 'shared' THEN 1 ELSE 0 END AS has_3,
    CAST(FLOOR(
      CAST(CAST(CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN occurred_at + INTERVAL '1' HOUR
        ELSE occurred_at + INTERVAL '2' HOUR
      END AS DATE) - DATE '2026-02-23' AS DOUBLE) / 7
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
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
      OR event = 'searched'
      OR event = 'added_to_list'
    )
    AND user_id <> ''
), people AS (
  SELECT
    entity,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS BIGINT)) FILTER(WHERE has_0 = 1) AS days_0,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS BIGINT)) FILTER(WHERE has_1 = 1) AS days_1,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS BIGINT)) FILTER(WHERE has_2 = 1) AS days_2,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS BIGINT)) FILTER(WHERE has_3 = 1) AS days_3
  FROM numbered
  GROUP BY
    1
), scored AS (
  SELECT
    spine.period,
    people.known_day,
    people.entity,
    CASE WHEN (people.days_0 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people.days_1 & spine.mask) <> 0 THEN 2 ELSE 0 END + CASE WHEN (people.days_2 & spine.mask) <> 0 THEN 4 ELSE 0 END + CASE WHEN (people.days_3 & spine.mask) <> 0 THEN 8 ELSE 0 END AS score
  FROM (VALUES
    (DATE '2026-03-16', 15),
    (DATE '2026-03-23', 30)) AS spine(period, mask)
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
          WHEN CAST(CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN signed_up_at + INTERVAL '1' HOUR
            ELSE signed_up_at + INTERVAL '2' HOUR
          END AS DATE) - DATE '2026-02-23' > 0
          THEN CAST(CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN signed_up_at + INTERVAL '1' HOUR
            ELSE signed_up_at + INTERVAL '2' HOUR
          END AS DATE) - DATE '2026-02-23'
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
      WHEN score % NULLIF(2, 0) >= 1
      AND score % NULLIF(4, 0) >= 2
      AND score % NULLIF(8, 0) >= 4
      AND score % NULLIF(16, 0) >= 8
      THEN 1
      WHEN score % NULLIF(2, 0) >= 1 AND score % NULLIF(4, 0) >= 2
      THEN 2
      WHEN score % NULLIF(2, 0) >= 1
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
      WHEN CAST(CASE
        WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN signed_up_at + INTERVAL '1' HOUR
        ELSE signed_up_at + INTERVAL '2' HOUR
      END AS DATE) - DATE '2026-02-23' > 0
      THEN CAST(CASE
        WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN signed_up_at + INTERVAL '1' HOUR
        ELSE signed_up_at + INTERVAL '2' HOUR
      END AS DATE) - DATE '2026-02-23'
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
    (DATE '2026-03-16', 0, 27),
    (DATE '2026-03-23', 7, 34)) AS spine(period, since, until)
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(by_score.users) FILTER(WHERE by_score.known_day <= spine.until) AS known_active
  FROM (VALUES
    (DATE '2026-03-16', 0, 27),
    (DATE '2026-03-23', 7, 34)) AS spine(period, since, until)
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
  FROM (VALUES
    (DATE '2026-03-23')) AS spine(period)
  LEFT JOIN known_users
    ON spine.period = known_users.period
  LEFT JOIN known_active
    ON spine.period = known_active.period
), placed AS (
  SELECT
    period,
    entity,
    CASE
      WHEN score % NULLIF(2, 0) >= 1
      AND score % NULLIF(4, 0) >= 2
      AND score % NULLIF(8, 0) >= 4
      AND score % NULLIF(16, 0) >= 8
      THEN 1
      WHEN score % NULLIF(2, 0) >= 1 AND score % NULLIF(4, 0) >= 2
      THEN 2
      WHEN score % NULLIF(2, 0) >= 1
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
      JOIN (VALUES
        (DATE '2026-03-16', DATE '2026-03-23')) AS spine(period, "following")
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
  CAST(NULL AS TEXT) AS "from",
  CAST(NULL AS TEXT) AS "to"
FROM (
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
    FROM (VALUES
      (DATE '2026-03-23')) AS spine(period)
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
) AS found
UNION ALL
SELECT
  1 AS part,
  period,
  CAST(NULL AS TEXT) AS tier,
  CAST(NULL AS BIGINT) AS position,
  users,
  CAST(NULL AS DOUBLE) AS share,
  "from",
  "to"
FROM (
  SELECT
    spine.period,
    spine_2."from",
    spine_3."to",
    COALESCE(moved.users, 0) AS users
  FROM (VALUES
    (DATE '2026-03-23')) AS spine(period)
  CROSS JOIN (VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4),
    ('inactive', 5)) AS spine_2("from", from_position)
  CROSS JOIN (VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3),
    ('none', 4),
    ('inactive', 5)) AS spine_3("to", to_position)
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
