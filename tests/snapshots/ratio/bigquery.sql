/* metrics-api metric=share_rate fingerprint=e9101869c78e */
WITH people AS (
  SELECT
    DATE(
      CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
        THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
        ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
      END,
      'UTC'
    ) AS period,
    user_id AS entity
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'shared'
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    period,
    COUNTIF(entity <> '') AS videos_shared_users
  FROM people
  GROUP BY
    1
), people_2 AS (
  SELECT
    DATE(
      CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
        THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
        ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
      END,
      'UTC'
    ) AS period,
    user_id AS entity
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS FLOAT64) AND minutes >= 3
      )
      OR event = 'shared'
    )
  GROUP BY
    1,
    2
), counted_2 AS (
  SELECT
    period,
    COUNTIF(entity <> '') AS videos_watched_users
  FROM people_2
  GROUP BY
    1
), inputs AS (
  SELECT
    spine.period,
    COALESCE(counted.videos_shared_users, 0) AS videos_shared_users,
    CAST(NULL AS INT64) AS videos_watched_users
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-23', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
  ) AS spine
  LEFT JOIN counted
    ON spine.period = counted.period
  UNION ALL
  SELECT
    spine.period,
    CAST(NULL AS INT64) AS videos_shared_users,
    COALESCE(counted_2.videos_watched_users, 0) AS videos_watched_users
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-23', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
  ) AS spine
  LEFT JOIN counted_2
    ON spine.period = counted_2.period
), people_overall AS (
  SELECT
    entity
  FROM people
  GROUP BY
    1
), people_overall_2 AS (
  SELECT
    entity
  FROM people_2
  GROUP BY
    1
), inputs_2 AS (
  SELECT
    COUNTIF(entity <> '') AS videos_shared_users,
    CAST(NULL AS INT64) AS videos_watched_users
  FROM people_overall
  UNION ALL
  SELECT
    CAST(NULL AS INT64) AS videos_shared_users,
    COUNTIF(entity <> '') AS videos_watched_users
  FROM people_overall_2
)
SELECT
  0 AS part,
  period,
  value
FROM (
  SELECT
    period,
    CAST(MAX(videos_shared_users) AS FLOAT64) / NULLIF(MAX(videos_watched_users), 0) AS value
  FROM inputs
  GROUP BY
    1
  ORDER BY
    period NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  CAST(MAX(videos_shared_users) AS FLOAT64) / NULLIF(MAX(videos_watched_users), 0) AS value
FROM inputs_2
