/* metrics-api metric=browse_to_watch fingerprint=f61379365fd3 */
WITH entered_opened AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_1,
    COALESCE(MIN(country), '(none)') AS by_country
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'opened_app'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
  GROUP BY
    1,
    2
), best_1 AS (
  SELECT
    entity,
    MIN(at_1) AS at_1,
    ARG_MIN(by_country, at_1) AS by_country
  FROM entered_opened
  GROUP BY
    1
), events_2 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_2,
    COALESCE(MIN(country), '(none)') AS by_country_here
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'searched'
  GROUP BY
    1,
    2
), reached_searched AS (
  SELECT
    events_2.entity,
    entered_opened.at_1,
    MIN(events_2.at_2) AS at_2,
    ARG_MIN(
      CASE WHEN entered_opened.by_country <> '(none)' THEN entered_opened.by_country ELSE events_2.by_country_here END,
      events_2.at_2
    ) AS by_country
  FROM events_2
  ASOF JOIN entered_opened
    ON events_2.entity = entered_opened.entity AND events_2.at_2 >= entered_opened.at_1
  WHERE
    events_2.at_2 <= entered_opened.at_1 + INTERVAL '1' DAY
  GROUP BY
    1,
    2
), best_2 AS (
  SELECT
    entity,
    MIN(at_1) AS at_1_via_2,
    MIN(at_2) AS at_2_via_2,
    ARG_MIN(by_country, at_1) AS by_country_via_2
  FROM reached_searched
  GROUP BY
    1
), events_3 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_3,
    COALESCE(MIN(country), '(none)') AS by_country_here
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'watched'
    AND minutes >= 1
    AND minutes <= 1.7976931348623157E+308
    AND minutes >= 10
  GROUP BY
    1,
    2
), reached_watched AS (
  SELECT
    events_3.entity,
    reached_searched.at_1,
    reached_searched.at_2,
    MIN(events_3.at_3) AS at_3,
    ARG_MIN(
      CASE
        WHEN reached_searched.by_country <> '(none)'
        THEN reached_searched.by_country
        ELSE events_3.by_country_here
      END,
      events_3.at_3
    ) AS by_country
  FROM events_3
  ASOF JOIN reached_searched
    ON events_3.entity = reached_searched.entity AND events_3.at_3 >= reached_searched.at_2
  WHERE
    events_3.at_3 <= reached_searched.at_1 + INTERVAL '1' DAY
  GROUP BY
    1,
    2,
    3
), best_3 AS (
  SELECT
    entity,
    MIN(at_1) AS at_1_via_3,
    MIN(at_2) AS at_2_via_3,
    MIN(at_3) AS at_3_via_3,
    ARG_MIN(by_country, at_1) AS by_country_via_3
  FROM reached_watched
  GROUP BY
    1
), attempts AS (
  SELECT
    COALESCE(best_3.at_1_via_3, best_2.at_1_via_2, best_1.at_1) AS at_1,
    COALESCE(best_3.at_2_via_3, best_2.at_2_via_2) AS at_2,
    best_3.at_3_via_3 AS at_3,
    COALESCE(best_3.by_country_via_3, best_2.by_country_via_2, best_1.by_country) AS country
  FROM best_1
  LEFT JOIN best_2
    ON best_1.entity = best_2.entity
  LEFT JOIN best_3
    ON best_1.entity = best_3.entity
), totals AS (
  SELECT
    country,
    COUNT(*) AS reached_1,
    COUNT(*) FILTER(WHERE at_1 <= TIMESTAMP '2026-03-30 12:00:00') AS mature_1,
    COUNT(at_2) AS reached_2,
    COUNT(*) FILTER(WHERE at_2 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-30 12:00:00') AS mature_2,
    AVG((EPOCH_US(at_2) - EPOCH_US(at_1)) / 1e6) AS seconds_from_entry_average_2,
    QUANTILE_CONT((EPOCH_US(at_2) - EPOCH_US(at_1)) / 1e6, 0.5) AS seconds_from_entry_median_2,
    COUNT(at_3) AS reached_3,
    COUNT(*) FILTER(WHERE at_3 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-30 12:00:00') AS mature_3,
    AVG((EPOCH_US(at_3) - EPOCH_US(at_1)) / 1e6) AS seconds_from_entry_average_3,
    QUANTILE_CONT((EPOCH_US(at_3) - EPOCH_US(at_1)) / 1e6, 0.5) AS seconds_from_entry_median_3
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
    'searched' AS step,
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
  UNION ALL
  SELECT
    'watched' AS step,
    3 AS position,
    country,
    reached_2 AS entered,
    reached_3 AS converted,
    mature_2 - mature_3 AS dropped,
    0 AS excluded,
    reached_2 - reached_3 - (mature_2 - mature_3) AS pending,
    mature_2 AS mature_entered,
    CAST(reached_3 AS DOUBLE) / NULLIF(reached_1, 0) AS rate,
    CAST(reached_3 AS DOUBLE) / NULLIF(reached_2, 0) AS step_rate,
    CAST(mature_3 AS DOUBLE) / NULLIF(mature_1, 0) AS mature_rate,
    seconds_from_entry_average_3 AS seconds_from_entry_average,
    seconds_from_entry_median_3 AS seconds_from_entry_median
  FROM totals
) AS found
ORDER BY
  country,
  position
LIMIT 10001
