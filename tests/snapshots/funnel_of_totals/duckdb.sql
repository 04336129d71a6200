/* metrics-api metric=visits_that_watch fingerprint=2ef1b4912f74 */
WITH entered AS (
  SELECT
    user_id AS entity,
    COALESCE(country, '(none)') AS by_country_1,
    occurred_at AS at_1
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 23:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'opened_app'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
), events_2 AS (
  SELECT
    user_id AS entity,
    occurred_at AS found_2,
    COALESCE(MIN(country), '(none)') AS by_country_2
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 23:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'watched'
    AND minutes >= 1
    AND minutes <= 1.7976931348623157E+308
  GROUP BY
    1,
    2
), reached_watched AS (
  SELECT
    entered.by_country_1,
    entered.at_1,
    CASE WHEN events_2.found_2 <= entered.at_1 + INTERVAL '1' HOUR THEN events_2.found_2 END AS at_2,
    events_2.by_country_2
  FROM entered
  ASOF LEFT JOIN events_2
    ON entered.entity = events_2.entity AND entered.at_1 <= events_2.found_2
), attempts AS (
  SELECT
    at_1,
    at_2,
    COALESCE(
      CASE
        WHEN by_country_1 <> '(none)'
        THEN by_country_1
        WHEN at_2 IS NOT NULL AND by_country_2 <> '(none)'
        THEN by_country_2
      END,
      '(none)'
    ) AS country
  FROM reached_watched
), totals AS (
  SELECT
    country,
    COUNT(*) AS reached_1,
    COUNT(*) FILTER(WHERE at_1 <= TIMESTAMP '2026-03-31 11:00:00') AS mature_1,
    COUNT(at_2) AS reached_2,
    COUNT(*) FILTER(WHERE at_2 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-31 11:00:00') AS mature_2,
    AVG((EPOCH_US(at_2) - EPOCH_US(at_1)) / 1e6) AS seconds_from_entry_average_2,
    QUANTILE_CONT((EPOCH_US(at_2) - EPOCH_US(at_1)) / 1e6, 0.5) AS seconds_from_entry_median_2
  FROM attempts
  GROUP BY
    1
)
SELECT
  step,
  position,
  country,
  entered,
  converted,
  dropped,
  excluded,
  pending,
  mature_entered,
  rate,
  step_rate,
  mature_rate,
  seconds_from_entry_average,
  seconds_from_entry_median
FROM (
  SELECT
    'opened' AS step,
    1 AS position,
    country,
    reached_1 AS entered,
    reached_1 AS converted,
    0 AS dropped,
    0 AS excluded,
    0 AS pending,
    mature_1 AS mature_entered,
    CAST(reached_1 AS DOUBLE) / NULLIF(reached_1, 0) AS rate,
    CAST(reached_1 AS DOUBLE) / NULLIF(reached_1, 0) AS step_rate,
    CAST(mature_1 AS DOUBLE) / NULLIF(mature_1, 0) AS mature_rate,
    CAST(NULL AS DOUBLE) AS seconds_from_entry_average,
    CAST(NULL AS DOUBLE) AS seconds_from_entry_median
  FROM totals
  UNION ALL
  SELECT
    'watched' AS step,
    2 AS position,
    country,
    reached_1 AS entered,
    reached_2 AS converted,
    mature_1 - mature_2 AS dropped,
    0 AS excluded,
    reached_1 - reached_2 - (mature_1 - mature_2) AS pending,
    mature_1 AS mature_entered,
    CAST(reached_2 AS DOUBLE) / NULLIF(reached_1, 0) AS rate,
    CAST(reached_2 AS DOUBLE) / NULLIF(reached_1, 0) AS step_rate,
    CAST(mature_2 AS DOUBLE) / NULLIF(mature_1, 0) AS mature_rate,
    seconds_from_entry_average_2 AS seconds_from_entry_average,
    seconds_from_entry_median_2 AS seconds_from_entry_median
  FROM totals
) AS found
ORDER BY
  country,
  position
LIMIT 10001
