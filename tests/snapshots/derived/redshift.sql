/* metrics-api metric=minutes_per_weekly_active fingerprint=a22a79d5972c */
WITH counted AS (
  SELECT
    CAST(DATE_TRUNC(
      'week',
      CAST(CASE
        WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN occurred_at + INTERVAL '1 HOUR'
        ELSE occurred_at + INTERVAL '2 HOUR'
      END AS DATE)
    ) AS DATE) AS period,
    COALESCE(country, '(none)') AS country,
    SUM(
      CASE
        WHEN minutes BETWEEN -CAST('1.7976931348623157e308' AS DOUBLE PRECISION) AND CAST('1.7976931348623157e308' AS DOUBLE PRECISION)
        THEN minutes
      END
    ) AS minutes_watched
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'watched'
    AND minutes >= 1
    AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
  GROUP BY
    1,
    2
), segments AS (
  SELECT
    country
  FROM counted
  GROUP BY
    1
), people AS (
  SELECT
    user_id AS entity,
    COALESCE(country, '(none)') AS country,
    BIT_OR(
      CAST(1 AS BIGINT) << CAST(DATEDIFF(
        DAY,
        DATE '2026-03-02',
        CAST(CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN occurred_at + INTERVAL '1 HOUR'
          ELSE occurred_at + INTERVAL '2 HOUR'
        END AS DATE)
      ) AS INTEGER)
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-28'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched'
        AND minutes >= 1
        AND minutes <= CAST('1.7976931348623157E+308' AS DOUBLE PRECISION)
        AND minutes >= 3
      )
      OR event = 'shared'
    )
    AND user_id <> ''
  GROUP BY
    1,
    2
), active AS (
  SELECT
    spine.period,
    people.country,
    COUNT(*) AS users
  FROM (
    SELECT
      DATE '2026-03-02' AS period,
      127 AS mask
    UNION ALL
    SELECT
      DATE '2026-03-09',
      16256
    UNION ALL
    SELECT
      DATE '2026-03-16',
      2080768
    UNION ALL
    SELECT
      DATE '2026-03-23',
      266338304
  ) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1,
    2
), segments_2 AS (
  SELECT
    country
  FROM active
  GROUP BY
    1
), inputs AS (
  SELECT
    spine.period,
    segments.country,
    counted.minutes_watched,
    CAST(NULL AS BIGINT) AS weekly_actives
  FROM (
    SELECT
      DATE '2026-03-02' AS period
    UNION ALL
    SELECT
      DATE '2026-03-09'
    UNION ALL
    SELECT
      DATE '2026-03-16'
    UNION ALL
    SELECT
      DATE '2026-03-23'
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.period = counted.period AND segments.country = counted.country
  UNION ALL
  SELECT
    spine.period,
    segments_2.country,
    CAST(NULL AS DOUBLE PRECISION) AS minutes_watched,
    COALESCE(active.users, 0) AS weekly_actives
  FROM (
    SELECT
      DATE '2026-03-02' AS period
    UNION ALL
    SELECT
      DATE '2026-03-09'
    UNION ALL
    SELECT
      DATE '2026-03-16'
    UNION ALL
    SELECT
      DATE '2026-03-23'
  ) AS spine
  CROSS JOIN segments_2
  LEFT JOIN active
    ON spine.period = active.period AND segments_2.country = active.country
)
SELECT
  period,
  country,
  CAST(MAX(minutes_watched) AS DOUBLE PRECISION) / NULLIF(COALESCE(MAX(weekly_actives), 0), 0) AS value
FROM inputs
GROUP BY
  1,
  2
ORDER BY
  period,
  country
LIMIT 10001
