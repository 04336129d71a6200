/* metrics-api metric=growth fingerprint=76ca937a8cf4 */
WITH people AS (
  SELECT
    user_id AS entity,
    COALESCE(country, '(none)') AS country,
    groupBitOr(
      bitShiftLeft(
        toUInt64(1),
        CASE
          WHEN occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
          THEN 5
          WHEN occurred_at >= toDateTime64('2026-03-15 23:00:00', 6, 'UTC')
          THEN 4
          WHEN occurred_at >= toDateTime64('2026-03-08 23:00:00', 6, 'UTC')
          THEN 3
          WHEN occurred_at >= toDateTime64('2026-03-01 23:00:00', 6, 'UTC')
          THEN 2
          WHEN occurred_at >= toDateTime64('2026-02-22 23:00:00', 6, 'UTC')
          THEN 1
          ELSE 0
        END
      )
    ) AS mask
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('1900-01-01 00:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('1899-12-31')
    AND occurred_on <= toDate32('2026-03-30')
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
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
    toInt64(COUNT(*)) AS people
  FROM people
  GROUP BY
    1,
    2
), counted AS (
  SELECT
    spine.place AS place,
    alike.country AS country,
    COALESCE(SUM(alike.people), 0) AS count_of_active,
    COALESCE(SUM(alike.people) FILTER(WHERE NOT (bitAnd(alike.mask, spine.of_earlier) <> 0)), 0) AS count_of_new,
    COALESCE(SUM(alike.people) FILTER(WHERE bitAnd(alike.mask, spine.of_before) <> 0), 0) AS count_of_returning
  FROM VALUES(
    'place Nullable(Int64), own_bit Nullable(Int64), of_before Nullable(Int64), of_earlier Nullable(Int64)',
    (0, 1, 0, 0),
    (1, 2, 1, 1),
    (2, 4, 2, 3),
    (3, 8, 4, 7),
    (4, 16, 8, 15),
    (5, 32, 16, 31)
  ) AS spine
  CROSS JOIN alike
  WHERE
    bitAnd(alike.mask, spine.own_bit) <> 0
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
  count_of_new AS "new",
  count_of_returning AS "returning",
  count_of_active - count_of_new - count_of_returning AS resurrecting,
  active_then - count_of_returning AS dormant,
  sum_of_new - (count_of_active - count_of_new) AS dormant_stock,
  count_of_active AS active,
  CAST(count_of_active - count_of_returning AS Nullable(Float64)) / nullIf(active_then - count_of_returning, 0) AS quick_ratio,
  count_of_active - active_then AS net_change
FROM (
  SELECT
    spine.period AS period,
    spine.place AS place,
    segments.country AS country,
    COALESCE(counted.count_of_active, 0) AS count_of_active,
    COALESCE(counted.count_of_new, 0) AS count_of_new,
    COALESCE(counted.count_of_returning, 0) AS count_of_returning,
    lead(toNullable(COALESCE(counted.count_of_active, 0))) OVER (PARTITION BY segments.country ORDER BY spine.place DESC) AS active_then,
    SUM(COALESCE(counted.count_of_new, 0)) OVER (PARTITION BY segments.country ORDER BY spine.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS sum_of_new
  FROM VALUES(
    'period Nullable(Date32), place Nullable(Int64)',
    ('2026-02-22', 0),
    ('2026-02-23', 1),
    ('2026-03-02', 2),
    ('2026-03-09', 3),
    ('2026-03-16', 4),
    ('2026-03-23', 5)
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.place = counted.place AND segments.country = counted.country
) AS spine
WHERE
  place >= 2
ORDER BY
  1,
  2
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
