/* metrics-api metric=browse_to_watch fingerprint=f61379365fd3 */
WITH steps AS (
  SELECT
    user_id AS entity,
    occurred_at AS "at",
    CASE
      WHEN event = 'opened_app' AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
      THEN 1
      WHEN event = 'searched'
      THEN 2
      WHEN event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 10
      THEN 3
    END AS step,
    COALESCE(MIN(country), '(none)') AS by_country
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND (
      (
        event = 'opened_app' AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
      )
      OR event = 'searched'
      OR (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 10
      )
    )
  GROUP BY
    1,
    2,
    3
), carried_2 AS (
  SELECT
    entity,
    "at",
    step,
    by_country,
    CASE WHEN step = 1 THEN "at" END AS entry_1,
    CASE
      WHEN step = 2
      THEN MAX(CASE WHEN step = 1 THEN "at" END) OVER (PARTITION BY entity ORDER BY "at", step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    END AS entry_2
  FROM steps
), carried_3 AS (
  SELECT
    entity,
    "at",
    step,
    by_country,
    entry_1,
    entry_2,
    CASE
      WHEN step = 3
      THEN MAX(entry_2) OVER (PARTITION BY entity ORDER BY "at", step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    END AS entry_3
  FROM carried_2
), placed AS (
  SELECT
    entity,
    "at",
    step,
    by_country,
    CASE step WHEN 1 THEN entry_1 WHEN 2 THEN entry_2 WHEN 3 THEN entry_3 END AS entry
  FROM carried_3
), led AS (
  SELECT
    entity,
    entry,
    MIN("at") FILTER(WHERE step = 1) AS at_1,
    MIN("at") FILTER(WHERE step = 2) AS at_2,
    MIN("at") FILTER(WHERE step = 3) AS at_3,
    MIN_BY(by_country, "at") FILTER(WHERE step = 1) AS by_country_1,
    MIN_BY(by_country, "at") FILTER(WHERE step = 2) AS by_country_2,
    MIN_BY(by_country, "at") FILTER(WHERE step = 3) AS by_country_3
  FROM placed
  WHERE
    entry IS NOT NULL
  GROUP BY
    1,
    2
), tried AS (
  SELECT
    entity,
    entry,
    at_1,
    CASE WHEN at_2 <= at_1 + INTERVAL '1' DAY THEN at_2 END AS at_2,
    CASE WHEN at_3 <= at_1 + INTERVAL '1' DAY THEN at_3 END AS at_3,
    by_country_1,
    by_country_2,
    by_country_3
  FROM led
), best_1 AS (
  SELECT
    entity,
    MIN(at_1) AS at_1,
    MIN_BY(CASE WHEN by_country_1 <> '(none)' THEN by_country_1 ELSE '(none)' END, entry) AS by_country
  FROM tried
  GROUP BY
    1
), best_2 AS (
  SELECT
    entity,
    MIN(at_1) AS at_1_via_2,
    MIN(at_2) AS at_2_via_2,
    MIN_BY(
      CASE
        WHEN by_country_1 <> '(none)'
        THEN by_country_1
        WHEN by_country_2 <> '(none)'
        THEN by_country_2
        ELSE '(none)'
      END,
      entry
    ) AS by_country_via_2
  FROM tried
  WHERE
    at_2 IS NOT NULL
  GROUP BY
    1
), best_3 AS (
  SELECT
    entity,
    MIN(at_1) AS at_1_via_3,
    MIN(at_2) AS at_2_via_3,
    MIN(at_3) AS at_3_via_3,
    MIN_BY(
      CASE
        WHEN by_country_1 <> '(none)'
        THEN by_country_1
        WHEN by_country_2 <> '(none)'
        THEN by_country_2
        WHEN by_country_3 <> '(none)'
        THEN by_country_3
        ELSE '(none)'
      END,
      entry
    ) AS by_country_via_3
  FROM tried
  WHERE
    at_3 IS NOT NULL
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
    AVG(CAST(ROUND(TO_UNIXTIME(at_2) - TO_UNIXTIME(at_1), 6) AS DOUBLE)) AS seconds_from_entry_average_2,
    ELEMENT_AT(
      TRANSFORM(
        ARRAY[ARRAY_SORT(
          ARRAY_AGG(ROUND(TO_UNIXTIME(at_2) - TO_UNIXTIME(at_1), 6)) FILTER(WHERE ROUND(TO_UNIXTIME(at_2) - TO_UNIXTIME(at_1), 6) IS NOT NULL)
        )],
        v -> ELEMENT_AT(v, CAST(FLOOR(DOUBLE '0.5' * (CARDINALITY(v) - 1)) AS BIGINT) + 1) + (
          ELEMENT_AT(v, CAST(CEIL(DOUBLE '0.5' * (CARDINALITY(v) - 1)) AS BIGINT) + 1) - ELEMENT_AT(v, CAST(FLOOR(DOUBLE '0.5' * (CARDINALITY(v) - 1)) AS BIGINT) + 1)
        ) * (DOUBLE '0.5' * (CARDINALITY(v) - 1) % 1)
      ),
      1
    ) AS seconds_from_entry_median_2,
    COUNT(at_3) AS reached_3,
    COUNT(*) FILTER(WHERE at_3 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-30 12:00:00') AS mature_3,
    AVG(CAST(ROUND(TO_UNIXTIME(at_3) - TO_UNIXTIME(at_1), 6) AS DOUBLE)) AS seconds_from_entry_average_3,
    ELEMENT_AT(
      TRANSFORM(
        ARRAY[ARRAY_SORT(
          ARRAY_AGG(ROUND(TO_UNIXTIME(at_3) - TO_UNIXTIME(at_1), 6)) FILTER(WHERE ROUND(TO_UNIXTIME(at_3) - TO_UNIXTIME(at_1), 6) IS NOT NULL)
        )],
        v -> ELEMENT_AT(v, CAST(FLOOR(DOUBLE '0.5' * (CARDINALITY(v) - 1)) AS BIGINT) + 1) + (
          ELEMENT_AT(v, CAST(CEIL(DOUBLE '0.5' * (CARDINALITY(v) - 1)) AS BIGINT) + 1) - ELEMENT_AT(v, CAST(FLOOR(DOUBLE '0.5' * (CARDINALITY(v) - 1)) AS BIGINT) + 1)
        ) * (DOUBLE '0.5' * (CARDINALITY(v) - 1) % 1)
      ),
      1
    ) AS seconds_from_entry_median_3
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
