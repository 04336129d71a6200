/* metrics-api metric=minutes_watched fingerprint=ba42744af7c6 */
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
    COALESCE(country, '(none)') AS country,
    user_id AS entity,
    COUNT(*) AS events,
    SUM(
      CASE
        WHEN minutes BETWEEN -CAST(1.7976931348623157e308 AS FLOAT64) AND CAST(1.7976931348623157e308 AS FLOAT64)
        THEN minutes
      END
    ) AS sum_of_minutes
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'watched'
    AND minutes >= 1
    AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64)
  GROUP BY
    1,
    2,
    3
), counted AS (
  SELECT
    period,
    country,
    SUM(sum_of_minutes) AS value,
    MAX(per_user_p90) AS per_user_p90
  FROM (
    SELECT
      period,
      country,
      sum_of_minutes,
      PERCENTILE_CONT(CASE WHEN entity <> '' THEN events END, 0.9) OVER (PARTITION BY period, country) AS per_user_p90
    FROM people
  ) AS people
  GROUP BY
    1,
    2
), segments AS (
  SELECT
    country
  FROM counted
  GROUP BY
    1
)
SELECT
  spine.period,
  segments.country,
  counted.value,
  counted.per_user_p90
FROM (
  SELECT
    period
  FROM UNNEST(GENERATE_DATE_ARRAY(DATE '2026-03-23', DATE '2026-03-29', INTERVAL 1 DAY)) AS period
) AS spine
CROSS JOIN segments
LEFT JOIN counted
  ON spine.period = counted.period AND segments.country = counted.country
ORDER BY
  period NULLS LAST,
  country NULLS LAST
LIMIT 10001
