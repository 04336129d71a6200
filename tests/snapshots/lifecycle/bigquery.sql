/* metrics-api metric=growth fingerprint=76ca937a8cf4 */
WITH people AS (
  SELECT
    user_id AS entity,
    COALESCE(country, '(none)') AS country,
    BIT_OR(
      1 << CASE
        WHEN occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
        THEN 5
        WHEN occurred_at >= TIMESTAMP '2026-03-15 23:00:00+00'
        THEN 4
        WHEN occurred_at >= TIMESTAMP '2026-03-08 23:00:00+00'
        THEN 3
        WHEN occurred_at >= TIMESTAMP '2026-03-01 23:00:00+00'
        THEN 2
        WHEN occurred_at >= TIMESTAMP '2026-02-22 23:00:00+00'
        THEN 1
        ELSE 0
      END
    ) AS mask
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '1900-01-01 00:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '1899-12-31'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= CAST('1.7976931348623157E+308' AS FLOAT64) AND minutes >= 3
      )
      OR event = 'shared'
    )
    AND user_id <> ''
  GROUP BY
    1,
    2
), alike AS (
  SELECT
    country,
    mask,
    COUNT(*) AS people
  FROM people
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    spine.place,
    alike.country,
    COALESCE(SUM(alike.people), 0) AS count_of_active,
    COALESCE(SUM(CASE WHEN NOT ((alike.mask & spine.of_earlier) <> 0) THEN alike.people END), 0) AS count_of_new,
    COALESCE(SUM(CASE WHEN (alike.mask & spine.of_before) <> 0 THEN alike.people END), 0) AS count_of_returning
  FROM UNNEST([
    STRUCT(0 AS place, 1 AS own_bit, 0 AS of_before, 0 AS of_earlier),
    STRUCT(1 AS place, 2 AS own_bit, 1 AS of_before, 1 AS of_earlier),
    STRUCT(2 AS place, 4 AS own_bit, 2 AS of_before, 3 AS of_earlier),
    STRUCT(3 AS place, 8 AS own_bit, 4 AS of_before, 7 AS of_earlier),
    STRUCT(4 AS place, 16 AS own_bit, 8 AS of_before, 15 AS of_earlier),
    STRUCT(5 AS place, 32 AS own_bit, 16 AS of_before, 31 AS of_earlier)
  ]) AS spine
  CROSS JOIN alike
  WHERE
    (alike.mask & spine.own_bit) <> 0
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
  period,
  country,
  count_of_new AS `new`,
  count_of_returning AS `returning`,
  count_of_active - count_of_new - count_of_returning AS resurrecting,
  active_then - count_of_returning AS dormant,
  sum_of_new - (count_of_active - count_of_new) AS dormant_stock,
  count_of_active AS active,
  CAST(count_of_active - count_of_returning AS FLOAT64) / NULLIF(active_then - count_of_returning, 0) AS quick_ratio,
  count_of_active - active_then AS net_change
FROM (
  SELECT
    spine.period,
    spine.place,
    segments.country,
    COALESCE(counted.count_of_active, 0) AS count_of_active,
    COALESCE(counted.count_of_new, 0) AS count_of_new,
    COALESCE(counted.count_of_returning, 0) AS count_of_returning,
    LEAD(COALESCE(counted.count_of_active, 0)) OVER (PARTITION BY segments.country ORDER BY spine.place DESC) AS active_then,
    SUM(COALESCE(counted.count_of_new, 0)) OVER (PARTITION BY segments.country ORDER BY spine.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS sum_of_new
  FROM UNNEST([
    STRUCT(DATE '2026-02-22' AS period, 0 AS place),
    STRUCT(DATE '2026-02-23' AS period, 1 AS place),
    STRUCT(DATE '2026-03-02' AS period, 2 AS place),
    STRUCT(DATE '2026-03-09' AS period, 3 AS place),
    STRUCT(DATE '2026-03-16' AS period, 4 AS place),
    STRUCT(DATE '2026-03-23' AS period, 5 AS place)
  ]) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.place = counted.place AND segments.country = counted.country
) AS spine
WHERE
  place >= 2
ORDER BY
  period NULLS LAST,
  country NULLS LAST
LIMIT 10001
