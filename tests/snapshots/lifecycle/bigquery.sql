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
        event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
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
  FROM UNNEST(
    ARRAY<STRUCT<place INT64, own_bit INT64, of_before INT64, of_earlier INT64>>[(0, 1, 0, 0), (1, 2, 1, 1), (2, 4, 2, 3), (3, 8, 4, 7), (4, 16, 8, 15), (5, 32, 16, 31)]
  ) AS spine
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
  SAFE_DIVIDE(CAST(count_of_active - count_of_returning AS FLOAT64), active_then - count_of_returning) AS quick_ratio,
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
  FROM UNNEST(
    ARRAY<STRUCT<period DATE, place INT64>>[
      (DATE '2026-02-22', 0),
      (DATE '2026-02-23', 1),
      (DATE '2026-03-02', 2),
      (DATE '2026-03-09', 3),
      (DATE '2026-03-16', 4),
      (DATE '2026-03-23', 5)
    ]
  ) AS spine
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
