/* metrics-api metric=videos_watched fingerprint=23f8b7740970 */
WITH people AS (
  SELECT
    DATE_TRUNC(
      DATE(
        CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
          THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
          ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
        END,
        'UTC'
      ),
      ISOWEEK
    ) AS period,
    user_id AS entity,
    COUNT(*) AS events
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
      )
      OR event = 'shared'
    )
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    period,
    COALESCE(SUM(events), 0) AS value,
    COUNTIF(entity <> '') AS users
  FROM people
  GROUP BY
    1
), people_overall AS (
  SELECT
    entity,
    SUM(events) AS events
  FROM people
  GROUP BY
    1
)
SELECT
  0 AS part,
  period,
  value,
  users
FROM (
  SELECT
    spine.period,
    COALESCE(counted.value, 0) AS value,
    COALESCE(counted.users, 0) AS users
  FROM (
    SELECT
      period
    FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-02', DATE '2026-03-23', INTERVAL 7 DAY)) AS period
  ) AS spine
  LEFT JOIN counted
    ON spine.period = counted.period
  ORDER BY
    period NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS period,
  COALESCE(SUM(events), 0) AS value,
  COUNTIF(entity <> '') AS users
FROM people_overall
