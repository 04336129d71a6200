/* metrics-api metric=visits fingerprint=fc976f05f56c */
WITH slots AS (
  SELECT
    user_id AS entity,
    CAST(FLOOR(CAST(TIMESTAMP_DIFF(occurred_at, TIMESTAMP '2026-03-20 23:00:00+00', MICROSECOND) / 1e6 AS FLOAT64) / 1800) AS INT64) AS slot,
    COALESCE(platform, '(none)') AS platform,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at,
    COUNT(*) AS events
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-21 22:30:00+00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:30:00+00'
    AND occurred_on >= DATE '2026-03-20'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
  GROUP BY
    1,
    2,
    3
), stretches AS (
  SELECT
    entity,
    first_at,
    last_at,
    events,
    platform,
    at_platform,
    COALESCE(
      SUM(CASE WHEN TIMESTAMP_ADD(until, INTERVAL 30 MINUTE) < `following` THEN 1 ELSE 0 END) OVER (PARTITION BY entity ORDER BY first_at, platform ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      0
    ) AS `session`
  FROM (
    SELECT
      entity,
      first_at,
      last_at,
      events,
      platform,
      ROW_NUMBER() OVER (PARTITION BY entity ORDER BY first_at, platform) AS at_platform,
      MAX(last_at) OVER (PARTITION BY entity ORDER BY first_at, platform ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS until,
      LEAD(first_at) OVER (PARTITION BY entity ORDER BY first_at, platform) AS `following`
    FROM slots
  ) AS slots
), whole_sessions AS (
  SELECT
    entity,
    `session`,
    MIN(first_at) AS first_at,
    MAX(last_at) AS last_at,
    SUM(events) AS events,
    COALESCE(
      ANY_VALUE(
        CASE WHEN platform <> '(none)' THEN platform END HAVING MIN CASE WHEN platform <> '(none)' THEN at_platform END
      ),
      '(none)'
    ) AS platform
  FROM stretches
  GROUP BY
    1,
    2
), long_sessions AS (
  SELECT
    entity,
    `session`
  FROM whole_sessions
  WHERE
    last_at >= TIMESTAMP_ADD(first_at, INTERVAL 1 DAY)
), sessions AS (
  SELECT
    DATE(
      CASE
        WHEN first_at < TIMESTAMP '2026-03-29 01:00:00+00'
        THEN TIMESTAMP_ADD(first_at, INTERVAL 1 HOUR)
        ELSE TIMESTAMP_ADD(first_at, INTERVAL 2 HOUR)
      END,
      'UTC'
    ) AS period,
    platform,
    entity,
    events,
    TIMESTAMP_DIFF(last_at, first_at, MICROSECOND) / 1e6 AS lasted
  FROM (
    SELECT
      entity,
      first_at,
      last_at,
      events,
      platform
    FROM whole_sessions
    WHERE
      NOT (last_at >= TIMESTAMP_ADD(first_at, INTERVAL 1 DAY))
    UNION ALL
    SELECT
      stretches.entity,
      MIN(stretches.first_at) AS first_at,
      MAX(stretches.last_at) AS last_at,
      SUM(stretches.events) AS events,
      COALESCE(
        ANY_VALUE(
          CASE WHEN stretches.platform <> '(none)' THEN stretches.platform END HAVING MIN CASE WHEN stretches.platform <> '(none)' THEN stretches.at_platform END
        ),
        '(none)'
      ) AS platform
    FROM stretches
    JOIN long_sessions
      ON stretches.entity = long_sessions.entity AND stretches.`session` = long_sessions.`session`
    GROUP BY
      1,
      stretches.`session`,
      DATE(
        CASE
          WHEN stretches.first_at < TIMESTAMP '2026-03-29 01:00:00+00'
          THEN TIMESTAMP_ADD(stretches.first_at, INTERVAL 1 HOUR)
          ELSE TIMESTAMP_ADD(stretches.first_at, INTERVAL 2 HOUR)
        END,
        'UTC'
      )
  ) AS found
  WHERE
    first_at >= TIMESTAMP '2026-03-22 23:00:00+00' AND first_at < TIMESTAMP '2026-03-29 22:00:00+00'
), people AS (
  SELECT
    period,
    platform,
    entity,
    COUNT(*) AS count_of_sessions,
    COUNTIF(events = 1) AS count_of_bounces
  FROM sessions
  GROUP BY
    1,
    2,
    3
), added_up AS (
  SELECT
    period,
    platform,
    COUNT(*) AS count_of_users,
    SUM(count_of_sessions) AS count_of_sessions,
    SUM(count_of_bounces) AS count_of_bounces
  FROM people
  GROUP BY
    1,
    2
), spread AS (
  SELECT
    period,
    platform,
    MAX(of_minutes_per_session_median) AS of_minutes_per_session_median
  FROM (
    SELECT
      period,
      platform,
      PERCENTILE_CONT(lasted, 0.5) OVER (PARTITION BY period, platform) AS of_minutes_per_session_median
    FROM sessions
  ) AS sessions
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    added_up.period,
    added_up.platform,
    added_up.count_of_users,
    added_up.count_of_sessions,
    added_up.count_of_bounces,
    spread.of_minutes_per_session_median
  FROM added_up
  JOIN spread
    ON added_up.period = spread.period AND added_up.platform = spread.platform
), segments AS (
  SELECT
    platform
  FROM counted
  GROUP BY
    1
), people_2 AS (
  SELECT
    platform,
    entity,
    COUNT(*) AS count_of_sessions,
    COUNTIF(events = 1) AS count_of_bounces
  FROM sessions
  GROUP BY
    1,
    2
), added_up_2 AS (
  SELECT
    platform,
    COUNT(*) AS count_of_users,
    SUM(count_of_sessions) AS count_of_sessions,
    SUM(count_of_bounces) AS count_of_bounces
  FROM people_2
  GROUP BY
    1
), spread_2 AS (
  SELECT
    platform,
    MAX(of_minutes_per_session_median) AS of_minutes_per_session_median
  FROM (
    SELECT
      platform,
      PERCENTILE_CONT(lasted, 0.5) OVER (PARTITION BY platform) AS of_minutes_per_session_median
    FROM sessions
  ) AS sessions
  GROUP BY
    1
)
SELECT
  0 AS part,
  period,
  platform,
  value,
  users,
  minutes_per_session_median,
  bounce_rate
FROM (
  SELECT
    spine.period,
    segments.platform,
    COALESCE(counted.count_of_sessions, 0) AS value,
    COALESCE(counted.count_of_users, 0) AS users,
    CAST(counted.of_minutes_per_session_median AS FLOAT64) / 60 AS minutes_per_session_median,
    SAFE_DIVIDE(CAST(counted.count_of_bounces AS FLOAT64), counted.count_of_sessions) AS bounce_rate
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-23', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.period = counted.period AND segments.platform = counted.platform
  ORDER BY
    period NULLS LAST,
    platform NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  platform,
  value,
  users,
  minutes_per_session_median,
  bounce_rate
FROM (
  SELECT
    added_up_2.platform,
    COALESCE(added_up_2.count_of_sessions, 0) AS value,
    COALESCE(added_up_2.count_of_users, 0) AS users,
    CAST(spread_2.of_minutes_per_session_median AS FLOAT64) / 60 AS minutes_per_session_median,
    SAFE_DIVIDE(CAST(added_up_2.count_of_bounces AS FLOAT64), added_up_2.count_of_sessions) AS bounce_rate
  FROM added_up_2
  JOIN spread_2
    ON added_up_2.platform = spread_2.platform
  ORDER BY
    platform NULLS LAST
  LIMIT 10001
) AS found
