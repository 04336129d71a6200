/* metrics-api metric=visits fingerprint=fc976f05f56c */
WITH slots AS (
  SELECT
    user_id AS entity,
    CAST(FLOOR(
      CAST(dateDiff('microsecond', toDateTime64('2026-03-20 23:00:00', 6, 'UTC'), occurred_at) / 1e6 AS Nullable(Float64)) / 1800
    ) AS Nullable(Int64)) AS slot,
    COALESCE(platform, '(none)') AS platform,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at,
    toInt64(COUNT(*)) AS events
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-21 22:30:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-30 22:30:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-20')
    AND occurred_on <= toDate32('2026-03-31')
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
      toInt64(
        SUM(CASE WHEN until + INTERVAL '30' MINUTE < "following" THEN 1 ELSE 0 END) OVER (PARTITION BY entity ORDER BY first_at, platform ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
      ),
      0
    ) AS "session"
  FROM (
    SELECT
      entity,
      first_at,
      last_at,
      events,
      platform,
      toInt64(ROW_NUMBER() OVER (PARTITION BY entity ORDER BY first_at, platform)) AS at_platform,
      MAX(last_at) OVER (PARTITION BY entity ORDER BY first_at, platform ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS until,
      lead(toNullable(first_at)) OVER (PARTITION BY entity ORDER BY first_at, platform) AS "following"
    FROM slots
  ) AS slots
), whole_sessions AS (
  SELECT
    entity,
    "session",
    MIN(first_at) AS first_at,
    MAX(last_at) AS last_at,
    SUM(events) AS events,
    COALESCE(argMin(platform, at_platform) FILTER(WHERE platform <> '(none)'), '(none)') AS platform
  FROM stretches
  GROUP BY
    1,
    2
), long_sessions AS (
  SELECT
    entity,
    "session"
  FROM whole_sessions
  WHERE
    last_at >= first_at + INTERVAL '24' HOUR
), sessions AS (
  SELECT
    toDate32(
      CASE
        WHEN first_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
        THEN first_at + INTERVAL '1' HOUR
        ELSE first_at + INTERVAL '2' HOUR
      END,
      'UTC'
    ) AS period,
    platform,
    entity,
    events,
    dateDiff('microsecond', first_at, last_at) / 1e6 AS lasted
  FROM (
    SELECT
      entity,
      first_at,
      last_at,
      events,
      platform
    FROM whole_sessions
    WHERE
      NOT (last_at >= first_at + INTERVAL '24' HOUR)
    UNION ALL
    SELECT
      stretches.entity AS entity,
      MIN(stretches.first_at) AS first_at,
      MAX(stretches.last_at) AS last_at,
      SUM(stretches.events) AS events,
      COALESCE(argMin(stretches.platform, stretches.at_platform) FILTER(WHERE stretches.platform <> '(none)'), '(none)') AS platform
    FROM stretches
    JOIN long_sessions
      ON stretches.entity = long_sessions.entity AND stretches."session" = long_sessions."session"
    GROUP BY
      1,
      stretches."session",
      toDate32(
        CASE
          WHEN stretches.first_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
          THEN stretches.first_at + INTERVAL '1' HOUR
          ELSE stretches.first_at + INTERVAL '2' HOUR
        END,
        'UTC'
      )
  ) AS found
  WHERE
    first_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND first_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
), people AS (
  SELECT
    period,
    platform,
    entity,
    toInt64(COUNT(*)) AS count_of_sessions,
    toInt64(COUNT(*) FILTER(WHERE events = 1)) AS count_of_bounces
  FROM sessions
  GROUP BY
    1,
    2,
    3
), added_up AS (
  SELECT
    period,
    platform,
    toInt64(COUNT(*)) AS count_of_users,
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
    quantileExactInclusive(0.5)(lasted) AS of_minutes_per_session_median
  FROM sessions
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    added_up.period AS period,
    added_up.platform AS platform,
    added_up.count_of_users AS count_of_users,
    added_up.count_of_sessions AS count_of_sessions,
    added_up.count_of_bounces AS count_of_bounces,
    spread.of_minutes_per_session_median AS of_minutes_per_session_median
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
    toInt64(COUNT(*)) AS count_of_sessions,
    toInt64(COUNT(*) FILTER(WHERE events = 1)) AS count_of_bounces
  FROM sessions
  GROUP BY
    1,
    2
), added_up_2 AS (
  SELECT
    platform,
    toInt64(COUNT(*)) AS count_of_users,
    SUM(count_of_sessions) AS count_of_sessions,
    SUM(count_of_bounces) AS count_of_bounces
  FROM people_2
  GROUP BY
    1
), spread_2 AS (
  SELECT
    platform,
    quantileExactInclusive(0.5)(lasted) AS of_minutes_per_session_median
  FROM sessions
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
    spine.period AS period,
    segments.platform AS platform,
    COALESCE(counted.count_of_sessions, 0) AS value,
    COALESCE(counted.count_of_users, 0) AS users,
    CAST(counted.of_minutes_per_session_median AS Nullable(Float64)) / nullIf(60, 0) AS minutes_per_session_median,
    CAST(counted.count_of_bounces AS Nullable(Float64)) / nullIf(counted.count_of_sessions, 0) AS bounce_rate
  FROM (
    SELECT
      addDays(toDate32('2026-03-23'), number) AS period
    FROM numbers(7)
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.period = counted.period AND segments.platform = counted.platform
  ORDER BY
    1,
    2
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS Nullable(Date32)) AS period,
  platform,
  value,
  users,
  minutes_per_session_median,
  bounce_rate
FROM (
  SELECT
    added_up_2.platform AS platform,
    COALESCE(added_up_2.count_of_sessions, 0) AS value,
    COALESCE(added_up_2.count_of_users, 0) AS users,
    CAST(spread_2.of_minutes_per_session_median AS Nullable(Float64)) / nullIf(60, 0) AS minutes_per_session_median,
    CAST(added_up_2.count_of_bounces AS Nullable(Float64)) / nullIf(added_up_2.count_of_sessions, 0) AS bounce_rate
  FROM added_up_2
  JOIN spread_2
    ON added_up_2.platform = spread_2.platform
  ORDER BY
    1
  LIMIT 10001
) AS found
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
