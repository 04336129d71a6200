/* metrics-api metric=minutes_watched fingerprint=ba42744af7c6 */
WITH people AS (
  SELECT
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1 HOUR'
      ELSE occurred_at + INTERVAL '2 HOUR'
    END AS DATE) AS period,
    COALESCE(country, '(none)') COLLATE "C" AS country,
    user_id AS entity,
    COUNT(*) AS events,
    SUM(CASE WHEN minutes BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308 THEN minutes END) AS sum_of_minutes
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'watched'
    AND minutes >= 1
    AND minutes <= 1.7976931348623157E+308
  GROUP BY
    1,
    2,
    3
), counted AS (
  SELECT
    period,
    country,
    SUM(sum_of_minutes) AS value,
    PERCENTILE_CONT(0.9) WITHIN GROUP(ORDER BY events) FILTER(WHERE entity <> '') AS per_user_p90
  FROM people
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
    CAST(GENERATE_SERIES(DATE '2026-03-23', DATE '2026-03-29', INTERVAL '1 DAY') AS DATE) AS period
) AS spine
CROSS JOIN segments
LEFT JOIN counted
  ON spine.period = counted.period AND segments.country = counted.country
ORDER BY
  period,
  country
LIMIT 10001
