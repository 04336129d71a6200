/* metrics-api metric=feature_breadth fingerprint=f3e7f4443927 */
WITH by_day AS (
  SELECT
    user_id AS entity,
    DATEDIFF(
      DAY,
      DATE '2026-02-23',
      CAST(CASE
        WHEN occurred_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS "DAY",
    MAX(
      CASE
        WHEN (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
        THEN 1
        ELSE 0
      END
    ) AS has_0,
    MAX(CASE WHEN event = 'searched' THEN 1 ELSE 0 END) AS has_1,
    MAX(CASE WHEN event = 'added_to_list' THEN 1 ELSE 0 END) AS has_2,
    MAX(CASE WHEN event = 'shared' THEN 1 ELSE 0 END) AS has_3
  FROM app_events
  WHERE
    occurred_at >= CAST('2026-02-22 23:00:00' AS TIMESTAMPNTZ)
    AND occurred_at < CAST('2026-03-29 22:00:00' AS TIMESTAMPNTZ)
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
  GROUP BY
    1,
    2
), scored AS (
  SELECT
    spine.period,
    by_day.entity,
    MAX(by_day.has_0) + MAX(by_day.has_1) * 2 + MAX(by_day.has_2) * 4 + MAX(by_day.has_3) * 8 AS score
  FROM (
    SELECT
      CAST(period AS DATE) AS period,
      CAST(first_day AS BIGINT) AS first_day,
      CAST(last_day AS BIGINT) AS last_day
    FROM (VALUES
      ('2026-03-16', 0, 27),
      ('2026-03-23', 7, 34)) AS constants(period, first_day, last_day)
  ) AS spine
  JOIN by_day
    ON by_day."DAY" >= spine.first_day AND by_day."DAY" <= spine.last_day
  GROUP BY
    1,
    2
), by_score AS (
  SELECT
    period,
    score,
    users
  FROM (
    SELECT
      period,
      score,
      COUNT(*) AS users
    FROM scored
    GROUP BY
      1,
      2
  ) AS scored
  WHERE
    period >= DATE '2026-03-23'
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
  GROUP BY
    1,
    2
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
  FROM scored
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
        spine."FOLLOWING" AS period,
        placed.entity,
        placed.position AS from_position,
        CAST(NULL AS BIGINT) AS to_position
      FROM placed
      JOIN (
        SELECT
          CAST(period AS DATE) AS period,
          CAST("FOLLOWING" AS DATE) AS "FOLLOWING"
        FROM (VALUES
          ('2026-03-16', '2026-03-23')) AS constants(period, "FOLLOWING")
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
  CAST(NULL AS VARCHAR) AS "FROM",
  CAST(NULL AS VARCHAR) AS "TO"
FROM (
  SELECT
    period,
    tier,
    position,
    users,
    CAST(users AS DOUBLE) / NULLIF(people, 0) AS share
  FROM (
    SELECT
      spine.period,
      spine_2.tier,
      spine_2.position,
      COALESCE(sizes.users, 0) AS users,
      SUM(COALESCE(sizes.users, 0)) OVER (PARTITION BY spine.period) AS people
    FROM (
      SELECT
        CAST(period AS DATE) AS period
      FROM (VALUES
        ('2026-03-23')) AS constants(period)
    ) AS spine
    CROSS JOIN (
      SELECT
        CAST(tier AS VARCHAR) AS tier,
        CAST(position AS BIGINT) AS position
      FROM (VALUES
        ('power', 1),
        ('core', 2),
        ('casual', 3),
        ('none', 4)) AS constants(tier, position)
    ) AS spine_2
    LEFT JOIN sizes
      ON spine.period = sizes.period AND spine_2.position = sizes.position
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
  CAST(NULL AS DOUBLE) AS share,
  "FROM",
  "TO"
FROM (
  SELECT
    spine.period,
    spine_2."FROM",
    spine_3."TO",
    COALESCE(moved.users, 0) AS users
  FROM (
    SELECT
      CAST(period AS DATE) AS period
    FROM (VALUES
      ('2026-03-23')) AS constants(period)
  ) AS spine
  CROSS JOIN (
    SELECT
      CAST("FROM" AS VARCHAR) AS "FROM",
      CAST(from_position AS BIGINT) AS from_position
    FROM (VALUES
      ('power', 1),
      ('core', 2),
      ('casual', 3),
      ('none', 4),
      ('inactive', 5)) AS constants("FROM", from_position)
  ) AS spine_2
  CROSS JOIN (
    SELECT
      CAST("TO" AS VARCHAR) AS "TO",
      CAST(to_position AS BIGINT) AS to_position
    FROM (VALUES
      ('power', 1),
      ('core', 2),
      ('casual', 3),
      ('none', 4),
      ('inactive', 5)) AS constants("TO", to_position)
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
    "FROM",
    "TO"
  LIMIT 10001
) AS found
