/* metrics-api metric=engagement_score fingerprint=18a7585cb261 */
WITH slots AS (
  SELECT
    user_id AS entity,
    CAST(FLOOR(CAST(EXTRACT(EPOCH FROM (occurred_at - TIMESTAMP '2026-02-27 23:00:00')) AS DOUBLE PRECISION) / 1800) AS BIGINT) AS slot,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-28 22:30:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:30:00'
    AND occurred_on >= DATE '2026-02-27'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
  GROUP BY
    1,
    2
), whole_sessions AS (
  SELECT
    entity,
    first_at,
    COALESCE(LEAD(ended) OVER (PARTITION BY entity ORDER BY first_at), latest) AS last_at
  FROM (
    SELECT
      entity,
      first_at,
      LAG(last_at) OVER (PARTITION BY entity ORDER BY first_at) AS ended,
      MAX(last_at) OVER (PARTITION BY entity) AS latest
    FROM slots
  ) AS slots
  WHERE
    (
      ended IS NULL OR ended + INTERVAL '30 MINUTE' < first_at
    )
), long_sessions AS (
  SELECT
    entity,
    first_at AS since,
    last_at AS until
  FROM whole_sessions
  WHERE
    last_at >= first_at + INTERVAL '1 DAY'
), of_time_spent AS (
  SELECT
    DATE '2026-03-23' AS period,
    entity,
    SUM(
      CASE
        WHEN EXTRACT(EPOCH FROM (last_at - first_at)) BETWEEN -1e20 AND 1e20
        THEN CAST(EXTRACT(EPOCH FROM (last_at - first_at)) AS DECIMAL)
      END
    ) AS score
  FROM (
    SELECT
      entity,
      first_at,
      last_at
    FROM whole_sessions
    WHERE
      NOT (last_at >= first_at + INTERVAL '1 DAY')
    UNION ALL
    SELECT
      slots.entity,
      MIN(slots.first_at) AS first_at,
      MAX(slots.last_at) AS last_at
    FROM slots
    JOIN long_sessions
      ON slots.entity = long_sessions.entity
      AND slots.first_at >= long_sessions.since
      AND slots.first_at <= long_sessions.until
    GROUP BY
      1,
      long_sessions.since,
      CAST(CASE
        WHEN slots.first_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN slots.first_at + INTERVAL '1 HOUR'
        ELSE slots.first_at + INTERVAL '2 HOUR'
      END AS DATE)
  ) AS found
  WHERE
    first_at >= TIMESTAMP '2026-03-01 23:00:00' AND first_at < TIMESTAMP '2026-03-29 22:00:00'
  GROUP BY
    2
), ranked AS (
  SELECT
    period,
    score,
    SUM(users) OVER (PARTITION BY period ORDER BY score ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS through,
    SUM(users) OVER (PARTITION BY period) AS people
  FROM (
    SELECT
      period,
      score,
      COUNT(*) AS users
    FROM of_time_spent
    GROUP BY
      1,
      2
  ) AS of_time_spent
), neighbours AS (
  SELECT
    period,
    MAX(people) AS people,
    MIN(score) FILTER(WHERE through * 100 > (people - 1) * 95) AS low_1,
    MIN(score) FILTER(WHERE (through - 1) * 100 > (people - 1) * 95) AS high_1
  FROM ranked
  GROUP BY
    1
), full_time_spent AS (
  SELECT
    period,
    low_1 + CAST((COALESCE(high_1, low_1) - low_1) * (CAST((people - 1) * 95 AS DECIMAL) % NULLIF(CAST(100 AS DECIMAL), 0)) AS DOUBLE PRECISION) / NULLIF(100, 0) AS threshold_1
  FROM neighbours
), numbered AS (
  SELECT
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1 HOUR'
      ELSE occurred_at + INTERVAL '2 HOUR'
    END AS DATE) - DATE '2026-03-02' AS "day",
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
    CASE WHEN event = 'shared' THEN 1 ELSE 0 END AS has_3
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-28'
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
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) FILTER(WHERE has_0 = 1) AS days_0,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) FILTER(WHERE has_1 = 1) AS days_1,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) FILTER(WHERE has_2 = 1) AS days_2,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) FILTER(WHERE has_3 = 1) AS days_3
  FROM numbered
  GROUP BY
    1
), scored AS (
  SELECT
    spine.period,
    people.entity,
    CASE WHEN (people.days_0 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people.days_1 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people.days_2 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people.days_3 & spine.mask) <> 0 THEN 1 ELSE 0 END AS score
  FROM (VALUES
    (DATE '2026-03-23', 268435455)) AS spine(period, mask)
  CROSS JOIN people
), of_features AS (
  SELECT
    period,
    entity,
    score
  FROM scored
  WHERE
    score > 0
), people_2 AS (
  SELECT
    user_id AS entity,
    BIT_OR(
      CAST(1 AS BIGINT) << CAST(CAST(CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE) - DATE '2026-03-02' AS INT)
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    )
    AND user_id <> ''
  GROUP BY
    1
), of_returns AS (
  SELECT
    spine.period,
    people_2.entity,
    BIT_COUNT(CAST((people_2.days & spine.mask) AS BIT(64))) AS score
  FROM (VALUES
    (DATE '2026-03-23', 268435455)) AS spine(period, mask)
  CROSS JOIN people_2
  WHERE
    (people_2.days & spine.mask) <> 0
), entered_signed_up AS (
  SELECT
    user_id AS entity,
    MIN(occurred_at) AS at_1
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-04-01'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'sign_up'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
  GROUP BY
    1
), events_2 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_2
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-04-01'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'added_to_list'
), reached_added_to_list AS (
  SELECT
    entered_signed_up.entity,
    MIN(entered_signed_up.at_1) AS at_1,
    MIN(events_2.at_2) AS at_2
  FROM entered_signed_up
  JOIN events_2
    ON entered_signed_up.entity = events_2.entity
    AND events_2.at_2 >= entered_signed_up.at_1
    AND events_2.at_2 <= entered_signed_up.at_1 + INTERVAL '30 DAY'
  GROUP BY
    1
), events_3 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_3
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-04-01'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    )
), reached_watched AS (
  SELECT
    reached_added_to_list.entity,
    MIN(events_3.at_3) AS at_3
  FROM reached_added_to_list
  JOIN events_3
    ON reached_added_to_list.entity = events_3.entity
    AND events_3.at_3 >= reached_added_to_list.at_2
    AND events_3.at_3 <= reached_added_to_list.at_1 + INTERVAL '30 DAY'
  GROUP BY
    1
), numbered_2 AS (
  SELECT
    CAST(CASE
      WHEN entered_signed_up.at_1 < TIMESTAMP '2026-03-29 01:00:00'
      THEN entered_signed_up.at_1 + INTERVAL '1 HOUR'
      ELSE entered_signed_up.at_1 + INTERVAL '2 HOUR'
    END AS DATE) - DATE '2026-03-02' AS "day",
    entered_signed_up.entity,
    1 AS has_0,
    CASE WHEN reached_watched.at_3 IS NOT NULL THEN 1 ELSE 0 END AS has_1
  FROM entered_signed_up
  LEFT JOIN reached_added_to_list
    ON entered_signed_up.entity = reached_added_to_list.entity
  LEFT JOIN reached_watched
    ON entered_signed_up.entity = reached_watched.entity
), people_3 AS (
  SELECT
    entity,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) FILTER(WHERE has_0 = 1) AS days_0,
    BIT_OR(CAST(1 AS BIGINT) << CAST("day" AS INT)) FILTER(WHERE has_1 = 1) AS days_1
  FROM numbered_2
  GROUP BY
    1
), scored_2 AS (
  SELECT
    spine.period,
    people_3.entity,
    CASE WHEN (people_3.days_0 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people_3.days_1 & spine.mask) <> 0 THEN 1 ELSE 0 END AS score
  FROM (VALUES
    (DATE '2026-03-23', 268435455)) AS spine(period, mask)
  CROSS JOIN people_3
), of_conversion AS (
  SELECT
    period,
    entity,
    score - 1 AS score
  FROM scored_2
  WHERE
    score > 0
), shares AS (
  SELECT
    of_time_spent.period,
    of_time_spent.entity,
    0 AS component,
    COALESCE(
      CASE
        WHEN of_time_spent.score >= full_time_spent.threshold_1 AND of_time_spent.score > 0
        THEN 1
        WHEN of_time_spent.score > 0
        THEN CAST(of_time_spent.score AS DOUBLE PRECISION) / NULLIF(full_time_spent.threshold_1, 0)
        ELSE 0
      END,
      0
    ) AS share
  FROM of_time_spent
  LEFT JOIN full_time_spent
    ON of_time_spent.period = full_time_spent.period
  UNION ALL
  SELECT
    period,
    entity,
    1 AS component,
    COALESCE(
      CASE
        WHEN score >= 4 AND score > 0
        THEN 1
        WHEN score > 0
        THEN CAST(score AS DOUBLE PRECISION) / NULLIF(4, 0)
        ELSE 0
      END,
      0
    ) AS share
  FROM of_features
  UNION ALL
  SELECT
    period,
    entity,
    2 AS component,
    COALESCE(
      CASE
        WHEN score >= 20 AND score > 0
        THEN 1
        WHEN score > 0
        THEN CAST(score AS DOUBLE PRECISION) / NULLIF(20, 0)
        ELSE 0
      END,
      0
    ) AS share
  FROM of_returns
  UNION ALL
  SELECT
    period,
    entity,
    3 AS component,
    COALESCE(
      CASE
        WHEN score >= 1 AND score > 0
        THEN 1
        WHEN score > 0
        THEN CAST(score AS DOUBLE PRECISION) / NULLIF(1, 0)
        ELSE 0
      END,
      0
    ) AS share
  FROM of_conversion
), scored_3 AS (
  SELECT
    period,
    CAST(FLOOR(
      CAST(0.500001 + 250000 * COALESCE(MAX(share) FILTER(WHERE component = 0), 0) + 250000 * COALESCE(MAX(share) FILTER(WHERE component = 1), 0) + 300000 * COALESCE(MAX(share) FILTER(WHERE component = 2), 0) + 200000 * COALESCE(MAX(share) FILTER(WHERE component = 3), 0) AS DOUBLE PRECISION) / 1
    ) AS BIGINT) AS score
  FROM shares
  GROUP BY
    1,
    entity
), averaged AS (
  SELECT
    period,
    COUNT(*) AS count_of_users,
    SUM(score) AS sum_of_score
  FROM scored_3
  GROUP BY
    1
), by_score AS (
  SELECT
    period,
    score,
    COUNT(*) AS users
  FROM scored_3
  GROUP BY
    1,
    2
), sizes AS (
  SELECT
    period,
    CASE WHEN score >= 750000 THEN 1 WHEN score >= 400000 THEN 2 WHEN score >= 0 THEN 3 ELSE 4 END AS position,
    SUM(users) AS users
  FROM by_score
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  period,
  value,
  users,
  CAST(NULL AS TEXT) AS tier,
  CAST(NULL AS BIGINT) AS position,
  CAST(NULL AS DOUBLE PRECISION) AS share
FROM (
  SELECT
    spine.period,
    CAST(averaged.sum_of_score AS DOUBLE PRECISION) / NULLIF(averaged.count_of_users * 10000, 0) AS value,
    COALESCE(averaged.count_of_users, 0) AS users
  FROM (VALUES
    (DATE '2026-03-23')) AS spine(period)
  LEFT JOIN averaged
    ON spine.period = averaged.period
  ORDER BY
    period
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  period,
  CAST(NULL AS DOUBLE PRECISION) AS value,
  users,
  tier,
  position,
  share
FROM (
  SELECT
    period,
    tier,
    position,
    users,
    CAST(users AS DOUBLE PRECISION) / NULLIF(people, 0) AS share
  FROM (
    SELECT
      spine.period,
      spine_2.tier,
      spine_2.position,
      COALESCE(sizes.users, 0) AS users,
      SUM(COALESCE(sizes.users, 0)) OVER (PARTITION BY spine.period) AS people
    FROM (VALUES
      (DATE '2026-03-23')) AS spine(period)
    CROSS JOIN (VALUES
      ('champion', 1),
      ('healthy', 2),
      ('at_risk', 3),
      ('none', 4)) AS spine_2(tier, position)
    LEFT JOIN sizes
      ON spine.period = sizes.period AND spine_2.position = sizes.position
  ) AS spine
  ORDER BY
    period,
    position
  LIMIT 10001
) AS found
