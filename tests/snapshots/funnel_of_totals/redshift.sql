/* metrics-api metric=visits_that_watch fingerprint=2ef1b4912f74 */
WITH instants AS (
  SELECT
    user_id AS entity,
    occurred_at AS "at",
    COUNT(CASE WHEN event = 'opened_app' AND occurred_at < TIMESTAMP '2026-03-29 22:00:00' THEN 1 END) AS entries,
    MIN(
      CASE
        WHEN event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
        THEN occurred_at
      END
    ) AS own_2,
    COALESCE(
      MIN(
        CASE
          WHEN event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
          THEN country
        END
      ),
      '(none)'
    ) AS by_country_2
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 23:00:00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND (
      (
        event = 'opened_app' AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
      )
      OR (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
      )
    )
  GROUP BY
    1,
    2
), ahead AS (
  SELECT
    entity,
    "at",
    entries,
    by_country_2,
    MIN(own_2) OVER (PARTITION BY entity ORDER BY "at" DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS next_2
  FROM instants
), entered AS (
  SELECT
    entity,
    "at" AS at_1,
    "at" AS spot_1,
    next_2
  FROM ahead
  WHERE
    entries > 0
), reached_watched AS (
  SELECT
    entered.entity,
    entered.at_1,
    entered.spot_1,
    CASE WHEN ahead."at" <= entered.at_1 + INTERVAL '1 HOUR' THEN ahead."at" END AS at_2,
    ahead.by_country_2
  FROM entered
  LEFT JOIN ahead
    ON entered.entity = ahead.entity AND entered.next_2 = ahead."at"
), attempted AS (
  SELECT
    entity,
    at_1,
    spot_1,
    at_2,
    by_country_2
  FROM reached_watched
), attempts AS (
  SELECT
    attempted.at_1,
    attempted.at_2,
    COALESCE(
      CASE
        WHEN app_events.by_country_here <> '(none)'
        THEN app_events.by_country_here
        WHEN attempted.at_2 IS NOT NULL AND attempted.by_country_2 <> '(none)'
        THEN attempted.by_country_2
      END,
      '(none)'
    ) AS country
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS entry,
      COALESCE(country, '(none)') AS by_country_here
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-03-22 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-29 23:00:00'
      AND occurred_on >= DATE '2026-03-21'
      AND occurred_on <= DATE '2026-03-30'
      AND NOT COALESCE(is_internal, FALSE)
      AND user_id <> ''
      AND (
        (
          event = 'opened_app' AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
        )
        OR (
          event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
        )
      )
      AND event = 'opened_app'
      AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
  ) AS app_events
  JOIN attempted
    ON app_events.entity = attempted.entity AND app_events.entry = attempted.spot_1
), totals AS (
  SELECT
    country,
    COUNT(*) AS reached_1,
    COUNT(CASE WHEN at_1 <= TIMESTAMP '2026-03-31 11:00:00' THEN 1 END) AS mature_1,
    COUNT(at_2) AS reached_2,
    COUNT(CASE WHEN at_2 IS NOT NULL AND at_1 <= TIMESTAMP '2026-03-31 11:00:00' THEN 1 END) AS mature_2,
    AVG(CAST(DATEDIFF(MICROSECOND, at_1, at_2) AS DOUBLE PRECISION) / 1000000) AS seconds_from_entry_average_2,
    MAX(seconds_from_entry_median_2) AS seconds_from_entry_median_2
  FROM (
    SELECT
      at_1,
      at_2,
      country,
      PERCENTILE_CONT(0.5) WITHIN GROUP(ORDER BY CAST(DATEDIFF(MICROSECOND, at_1, at_2) AS DOUBLE PRECISION) / 1000000) OVER (PARTITION BY country) AS seconds_from_entry_median_2
    FROM attempts
  ) AS attempts
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
    CAST('opened' AS VARCHAR(6)) AS step,
    1 AS position,
    country,
    reached_1 AS entered,
    reached_1 AS converted,
    0 AS dropped,
    0 AS excluded,
    0 AS pending,
    mature_1 AS mature_entered,
    CAST(reached_1 AS DOUBLE PRECISION) / NULLIF(reached_1, 0) AS rate,
    CAST(reached_1 AS DOUBLE PRECISION) / NULLIF(reached_1, 0) AS step_rate,
    CAST(mature_1 AS DOUBLE PRECISION) / NULLIF(mature_1, 0) AS mature_rate,
    CAST(NULL AS DOUBLE PRECISION) AS seconds_from_entry_average,
    CAST(NULL AS DOUBLE PRECISION) AS seconds_from_entry_median
  FROM totals
  UNION ALL
  SELECT
    CAST('watched' AS VARCHAR(7)) AS step,
    2 AS position,
    country,
    reached_1 AS entered,
    reached_2 AS converted,
    mature_1 - mature_2 AS dropped,
    0 AS excluded,
    reached_1 - reached_2 - (mature_1 - mature_2) AS pending,
    mature_1 AS mature_entered,
    CAST(reached_2 AS DOUBLE PRECISION) / NULLIF(reached_1, 0) AS rate,
    CAST(reached_2 AS DOUBLE PRECISION) / NULLIF(reached_1, 0) AS step_rate,
    CAST(mature_2 AS DOUBLE PRECISION) / NULLIF(mature_1, 0) AS mature_rate,
    seconds_from_entry_average_2 AS seconds_from_entry_average,
    seconds_from_entry_median_2 AS seconds_from_entry_median
  FROM totals
) AS found
ORDER BY
  country,
  position
LIMIT 10001
