/* metrics-api metric=minutes_watched fingerprint=ba42744af7c6 */
WITH people AS (
  SELECT
    toDate32(
      CASE
        WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
        THEN occurred_at + INTERVAL '1' HOUR
        ELSE occurred_at + INTERVAL '2' HOUR
      END,
      'UTC'
    ) AS period,
    COALESCE(country, '(none)') AS country,
    user_id AS entity,
    toInt64(COUNT(*)) AS events,
    SUM(CASE WHEN minutes BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308 THEN minutes END) AS sum_of_minutes
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-03-30')
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
    quantileExactInclusive(0.9)(events) FILTER(WHERE entity <> '') AS per_user_p90
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
  spine.period AS period,
  segments.country AS country,
  counted.value AS value,
  counted.per_user_p90 AS per_user_p90
FROM (
  SELECT
    addDays(toDate32('2026-03-23'), number) AS period
  FROM numbers(7)
) AS spine
CROSS JOIN segments
LEFT JOIN counted
  ON spine.period = counted.period AND segments.country = counted.country
ORDER BY
  1,
  2
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
