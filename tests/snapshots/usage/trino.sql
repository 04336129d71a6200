/* metrics-api metric=minutes_watched fingerprint=ba42744af7c6 */
WITH people AS (
  SELECT
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1' HOUR
      ELSE occurred_at + INTERVAL '2' HOUR
    END AS DATE) AS period,
    COALESCE(country, '(none)') AS country,
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
    ELEMENT_AT(
      TRANSFORM(
        ARRAY[ARRAY_SORT(ARRAY_AGG(events) FILTER(WHERE events IS NOT NULL AND entity <> ''))],
        v -> ELEMENT_AT(v, CAST(FLOOR(DOUBLE '0.9' * (CARDINALITY(v) - 1)) AS BIGINT) + 1) + (
          ELEMENT_AT(v, CAST(CEIL(DOUBLE '0.9' * (CARDINALITY(v) - 1)) AS BIGINT) + 1) - ELEMENT_AT(v, CAST(FLOOR(DOUBLE '0.9' * (CARDINALITY(v) - 1)) AS BIGINT) + 1)
        ) * (DOUBLE '0.9' * (CARDINALITY(v) - 1) % 1)
      ),
      1
    ) AS per_user_p90
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
FROM UNNEST(SEQUENCE(DATE '2026-03-23', DATE '2026-03-29', INTERVAL '1' DAY)) AS spine(period)
CROSS JOIN segments
LEFT JOIN counted
  ON spine.period = counted.period AND segments.country = counted.country
ORDER BY
  period,
  country
LIMIT 10001
