/* metrics-api metric=feature_breadth fingerprint=cf697e31980b */
WITH numbered AS (
  SELECT
    user_id AS entity,
    CASE
      WHEN (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
      )
      OR event = 'shared'
      THEN 1
      ELSE 0
    END AS has_0,
    CASE WHEN event = 'searched' THEN 1 ELSE 0 END AS has_1,
    CASE WHEN event = 'added_to_list' THEN 1 ELSE 0 END AS has_2,
    CASE WHEN event = 'shared' THEN 1 ELSE 0 END AS has_3,
    CAST(FLOOR(
      DATE_DIFF(
        DATE(
          CASE
            WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
            THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
            ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
          END,
          'UTC'
        ),
        DATE '2026-02-23',
        DAY
      ) / 7
    ) AS INT64) AS `day`
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-22 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-02-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
      )
      OR event = 'shared'
      OR event = 'searched'
      OR event = 'added_to_list'
    )
    AND user_id <> ''
), people AS (
  SELECT
    entity,
    BIT_OR(CASE WHEN has_0 = 1 THEN 1 << `day` END) AS days_0,
    BIT_OR(CASE WHEN has_1 = 1 THEN 1 << `day` END) AS days_1,
    BIT_OR(CASE WHEN has_2 = 1 THEN 1 << `day` END) AS days_2,
    BIT_OR(CASE WHEN has_3 = 1 THEN 1 << `day` END) AS days_3
  FROM numbered
  GROUP BY
    1
), scored AS (
  SELECT
    spine.period,
    people.known_day,
    people.entity,
    CASE WHEN (people.days_0 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people.days_1 & spine.mask) <> 0 THEN 2 ELSE 0 END + CASE WHEN (people.days_2 & spine.mask) <> 0 THEN 4 ELSE 0 END + CASE WHEN (people.days_3 & spine.mask) <> 0 THEN 8 ELSE 0 END AS score
  FROM UNNEST(ARRAY<STRUCT<period DATE, mask INT64>>[(DATE '2026-03-16', 15), (DATE '2026-03-23', 30)]) AS spine
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
          WHEN DATE_DIFF(
            DATE(
              CASE
                WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00+00'
                THEN TIMESTAMP_ADD(signed_up_at, INTERVAL 1 HOUR)
                ELSE TIMESTAMP_ADD(signed_up_at, INTERVAL 2 HOUR)
              END,
              'UTC'
            ),
            DATE '2026-02-23',
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
            DATE '2026-02-23',
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
      WHEN MOD(CAST(score AS BIGNUMERIC), 2) >= 1
      AND MOD(CAST(score AS BIGNUMERIC), 4) >= 2
      AND MOD(CAST(score AS BIGNUMERIC), 8) >= 4
      AND MOD(CAST(score AS BIGNUMERIC), 16) >= 8
      THEN 1
      WHEN MOD(CAST(score AS BIGNUMERIC), 2) >= 1 AND MOD(CAST(score AS BIGNUMERIC), 4) >= 2
      THEN 2
      WHEN MOD(CAST(score AS BIGNUMERIC), 2) >= 1
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
      WHEN DATE_DIFF(
        DATE(
          CASE
            WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00+00'
            THEN TIMESTAMP_ADD(signed_up_at, INTERVAL 1 HOUR)
            ELSE TIMESTAMP_ADD(signed_up_at, INTERVAL 2 HOUR)
          END,
          'UTC'
        ),
        DATE '2026-02-23',
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
        DATE '2026-02-23',
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
  FROM UNNEST(ARRAY<STRUCT<period DATE, since INT64, until INT64>>[(DATE '2026-03-16', 0, 27), (DATE '2026-03-23', 7, 34)]) AS spine
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(CASE WHEN by_score.known_day <= spine.until THEN by_score.users END) AS known_active
  FROM UNNEST(ARRAY<STRUCT<period DATE, since INT64, until INT64>>[(DATE '2026-03-16', 0, 27), (DATE '2026-03-23', 7, 34)]) AS spine
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
  FROM UNNEST(ARRAY<STRUCT<period DATE>>[STRUCT(DATE '2026-03-23')]) AS spine
  LEFT JOIN known_users
    ON spine.period = known_users.period
  LEFT JOIN known_active
    ON spine.period = known_active.period
), placed AS (
  SELECT
    period,
    entity,
    CASE
      WHEN MOD(CAST(score AS BIGNUMERIC), 2) >= 1
      AND MOD(CAST(score AS BIGNUMERIC), 4) >= 2
      AND MOD(CAST(score AS BIGNUMERIC), 8) >= 4
      AND MOD(CAST(score AS BIGNUMERIC), 16) >= 8
      THEN 1
      WHEN MOD(CAST(score AS BIGNUMERIC), 2) >= 1 AND MOD(CAST(score AS BIGNUMERIC), 4) >= 2
      THEN 2
      WHEN MOD(CAST(score AS BIGNUMERIC), 2) >= 1
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
        spine.`following` AS period,
        placed.entity,
        placed.position AS from_position,
        CAST(NULL AS INT64) AS to_position
      FROM placed
      JOIN UNNEST(ARRAY<STRUCT<period DATE, `following` DATE>>[(DATE '2026-03-16', DATE '2026-03-23')]) AS spine
        ON placed.period = spine.period
      UNION ALL
      SELECT
        period,
        entity,
        CAST(NULL AS INT64) AS from_position,
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
  CAST(NULL AS STRING) AS `from`,
  CAST(NULL AS STRING) AS `to`
FROM (
  SELECT
    period,
    tier,
    position,
    users,
    CASE WHEN position <= 4 THEN SAFE_DIVIDE(CAST(users AS FLOAT64), people) END AS share
  FROM (
    SELECT
      spine.period,
      spine_2.tier,
      spine_2.position,
      COALESCE(every_size.users, 0) AS users,
      SUM(CASE WHEN spine_2.position <= 4 THEN COALESCE(every_size.users, 0) END) OVER (PARTITION BY spine.period) AS people
    FROM UNNEST(ARRAY<STRUCT<period DATE>>[STRUCT(DATE '2026-03-23')]) AS spine
    CROSS JOIN UNNEST(
      ARRAY<STRUCT<tier STRING, position INT64>>[('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)]
    ) AS spine_2
    LEFT JOIN every_size
      ON spine.period = every_size.period AND spine_2.position = every_size.position
  ) AS spine
  ORDER BY
    period NULLS LAST,
    position NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  period,
  CAST(NULL AS STRING) AS tier,
  CAST(NULL AS INT64) AS position,
  users,
  CAST(NULL AS FLOAT64) AS share,
  `from`,
  `to`
FROM (
  SELECT
    spine.period,
    spine_2.`from`,
    spine_3.`to`,
    COALESCE(moved.users, 0) AS users
  FROM UNNEST(ARRAY<STRUCT<period DATE>>[STRUCT(DATE '2026-03-23')]) AS spine
  CROSS JOIN UNNEST(
    ARRAY<STRUCT<`from` STRING, from_position INT64>>[('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)]
  ) AS spine_2
  CROSS JOIN UNNEST(
    ARRAY<STRUCT<`to` STRING, to_position INT64>>[('power', 1), ('core', 2), ('casual', 3), ('none', 4), ('inactive', 5)]
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
    period NULLS LAST,
    `from` NULLS LAST,
    `to` NULLS LAST
  LIMIT 10001
) AS found
