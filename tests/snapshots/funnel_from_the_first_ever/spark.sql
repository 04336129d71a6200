/* metrics-api metric=first_discovery fingerprint=2ee4e155288e */
WITH entered_searched AS (
  SELECT
    entity,
    MIN(`at`) AS at_1
  FROM (
    SELECT
      user_id AS entity,
      MIN(occurred_at) AS `at`
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '1900-01-01 00:00:00'
      AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
      AND occurred_on >= DATE '1899-12-31'
      AND occurred_on <= DATE '2026-03-30'
      AND NOT COALESCE(is_internal, FALSE)
      AND event = 'searched'
      AND user_id <> ''
    GROUP BY
      1
  ) AS app_events
  WHERE
    `at` >= TIMESTAMP '2026-03-22 23:00:00'
  GROUP BY
    1
), events_2 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_2
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-04-01'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'added_to_list'
), reached_added_to_list AS (
  SELECT
    entered_searched.entity,
    MIN(events_2.at_2) AS at_2
  FROM entered_searched
  JOIN events_2
    ON entered_searched.entity = events_2.entity
    AND events_2.at_2 >= entered_searched.at_1
    AND events_2.at_2 <= entered_searched.at_1 + INTERVAL '14' DAY
    AND events_2.at_2 <= entered_searched.at_1 + INTERVAL '2' DAY
  GROUP BY
    1
), events_3 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_3
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-04-01'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    )
), reached_watched AS (
  SELECT
    entered_searched.entity,
    MIN(events_3.at_3) AS at_3
  FROM entered_searched
  JOIN events_3
    ON entered_searched.entity = events_3.entity
    AND events_3.at_3 >= entered_searched.at_1
    AND events_3.at_3 <= entered_searched.at_1 + INTERVAL '14' DAY
  GROUP BY
    1
), events_out_1 AS (
  SELECT
    user_id AS entity,
    occurred_at AS out_1
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-04-01'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'clicked_profile_picture'
), stopped_1 AS (
  SELECT
    entered_searched.entity,
    MIN(events_out_1.out_1) AS stopped_1_1
  FROM entered_searched
  JOIN events_out_1
    ON entered_searched.entity = events_out_1.entity
    AND events_out_1.out_1 > entered_searched.at_1
    AND events_out_1.out_1 <= entered_searched.at_1 + INTERVAL '14' DAY
  GROUP BY
    1
), stopped AS (
  SELECT
    entered_searched.at_1,
    CASE
      WHEN reached_watched.at_3 IS NULL OR reached_added_to_list.at_2 <= reached_watched.at_3
      THEN reached_added_to_list.at_2
    END AS at_2,
    reached_watched.at_3,
    CASE
      WHEN stopped_1.stopped_1_1 <= entered_searched.at_1 + INTERVAL '14' DAY
      AND (
        reached_watched.at_3 IS NULL OR stopped_1.stopped_1_1 < reached_watched.at_3
      )
      THEN stopped_1.stopped_1_1
    END AS excluded_at
  FROM entered_searched
  LEFT JOIN reached_added_to_list
    ON entered_searched.entity = reached_added_to_list.entity
  LEFT JOIN reached_watched
    ON entered_searched.entity = reached_watched.entity
  LEFT JOIN stopped_1
    ON entered_searched.entity = stopped_1.entity
), clean AS (
  SELECT
    at_1,
    CASE WHEN excluded_at IS NULL OR at_2 <= excluded_at THEN at_2 END AS at_2,
    CASE WHEN excluded_at IS NULL OR at_3 <= excluded_at THEN at_3 END AS at_3,
    excluded_at
  FROM stopped
), attempts AS (
  SELECT
    at_1,
    at_2,
    at_3,
    excluded_at
  FROM clean
), totals AS (
  SELECT
    COUNT(*) AS reached_1,
    COUNT(*) FILTER(WHERE at_1 <= TIMESTAMP '2026-03-17 12:00:00') AS mature_1,
    COUNT(at_2) AS reached_2,
    COUNT(*) FILTER(WHERE at_2 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-17 12:00:00') AS mature_2,
    COUNT(*) FILTER(
      WHERE at_2 IS NULL
      AND (
        excluded_at IS NULL OR at_3 IS NOT NULL
      )
      AND (
        at_1 <= TIMESTAMP '2026-03-17 12:00:00' OR at_1 <= TIMESTAMP '2026-03-29 12:00:00' OR at_3 IS NOT NULL
      )
    ) AS of_dropped_2,
    COUNT(*) FILTER(WHERE at_2 IS NULL AND excluded_at IS NOT NULL AND NOT (at_3 IS NOT NULL)) AS of_excluded_2,
    AVG((UNIX_MICROS(at_2) - UNIX_MICROS(at_1)) / 1e6) AS seconds_from_entry_average_2,
    PERCENTILE((UNIX_MICROS(at_2) - UNIX_MICROS(at_1)) / 1e6, 0.5) AS seconds_from_entry_median_2,
    COUNT(at_3) AS reached_3,
    COUNT(*) FILTER(WHERE at_3 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-17 12:00:00') AS mature_3,
    COUNT(*) FILTER(WHERE at_3 IS NULL AND excluded_at IS NULL AND at_1 <= TIMESTAMP '2026-03-17 12:00:00') AS of_dropped_3,
    COUNT(*) FILTER(WHERE at_3 IS NULL AND excluded_at IS NOT NULL) AS of_excluded_3,
    AVG((UNIX_MICROS(at_3) - UNIX_MICROS(at_1)) / 1e6) AS seconds_from_entry_average_3,
    PERCENTILE((UNIX_MICROS(at_3) - UNIX_MICROS(at_1)) / 1e6, 0.5) AS seconds_from_entry_median_3
  FROM attempts
), attempts_by_period AS (
  SELECT
    CAST(CASE WHEN at_1 < TIMESTAMP '2026-03-29 01:00:00' THEN at_1 + INTERVAL '1' HOUR ELSE at_1 + INTERVAL '2' HOUR END AS DATE) AS period,
    at_1,
    at_3,
    excluded_at
  FROM clean
), by_period AS (
  SELECT
    period,
    COUNT(*) AS entered,
    COUNT(at_3) AS converted,
    COUNT(*) FILTER(WHERE at_3 IS NULL AND excluded_at IS NOT NULL) AS excluded,
    COUNT(*) FILTER(WHERE at_3 IS NULL AND excluded_at IS NULL AND NOT (at_1 <= TIMESTAMP '2026-03-17 12:00:00')) AS pending,
    COUNT(*) FILTER(WHERE at_1 <= TIMESTAMP '2026-03-17 12:00:00') AS mature_entered,
    COUNT(*) FILTER(WHERE at_3 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-17 12:00:00') AS mature_1
  FROM attempts_by_period
  GROUP BY
    1
)
SELECT
  0 AS part,
  step,
  position,
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
  seconds_from_entry_median,
  CAST(NULL AS DATE) AS period
FROM (
  SELECT
    step,
    position,
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
      'searched' AS step,
      1 AS position,
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
      'added_to_list' AS step,
      2 AS position,
      reached_1 AS entered,
      reached_2 AS converted,
      of_dropped_2 AS dropped,
      of_excluded_2 AS excluded,
      reached_1 - reached_2 - of_dropped_2 - of_excluded_2 AS pending,
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
      reached_1 AS entered,
      reached_3 AS converted,
      of_dropped_3 AS dropped,
      of_excluded_3 AS excluded,
      reached_1 - reached_3 - of_dropped_3 - of_excluded_3 AS pending,
      mature_1 AS mature_entered,
      CAST(reached_3 AS DOUBLE) / NULLIF(reached_1, 0) AS rate,
      CAST(reached_3 AS DOUBLE) / NULLIF(reached_1, 0) AS step_rate,
      CAST(mature_3 AS DOUBLE) / NULLIF(mature_1, 0) AS mature_rate,
      seconds_from_entry_average_3 AS seconds_from_entry_average,
      seconds_from_entry_median_3 AS seconds_from_entry_median
    FROM totals
  ) AS found
  ORDER BY
    position NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS STRING) AS step,
  CAST(NULL AS BIGINT) AS position,
  entered,
  converted,
  dropped,
  excluded,
  pending,
  mature_entered,
  rate,
  CAST(NULL AS DOUBLE) AS step_rate,
  mature_rate,
  CAST(NULL AS DOUBLE) AS seconds_from_entry_average,
  CAST(NULL AS DOUBLE) AS seconds_from_entry_median,
  period
FROM (
  SELECT
    spine.period,
    COALESCE(by_period.entered, 0) AS entered,
    COALESCE(by_period.converted, 0) AS converted,
    COALESCE(by_period.entered, 0) - COALESCE(by_period.converted, 0) - COALESCE(by_period.excluded, 0) - COALESCE(by_period.pending, 0) AS dropped,
    COALESCE(by_period.excluded, 0) AS excluded,
    COALESCE(by_period.pending, 0) AS pending,
    COALESCE(by_period.mature_entered, 0) AS mature_entered,
    CAST(COALESCE(by_period.converted, 0) AS DOUBLE) / NULLIF(COALESCE(by_period.entered, 0), 0) AS rate,
    CAST(COALESCE(by_period.mature_1, 0) AS DOUBLE) / NULLIF(COALESCE(by_period.mature_entered, 0), 0) AS mature_rate
  FROM (
    SELECT
      EXPLODE(SEQUENCE(DATE '2026-03-23', DATE '2026-03-29', INTERVAL '1' DAY)) AS period
  ) AS spine
  LEFT JOIN by_period
    ON spine.period = by_period.period
  ORDER BY
    period NULLS LAST
  LIMIT 10001
) AS found
