/* metrics-api metric=growth fingerprint=6b78a999b3de */
WITH people AS (
  SELECT
    CASE
      WHEN occurred_at < toDateTime64('2026-02-22 23:00:00', 6, 'UTC')
      THEN toDate32('2026-02-22')
      ELSE dateTrunc(
        'week',
        toDate32(
          CASE
            WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
            THEN occurred_at + INTERVAL '1' HOUR
            ELSE occurred_at + INTERVAL '2' HOUR
          END,
          'UTC'
        )
      )
    END AS bucket,
    COALESCE(country, '(none)') AS country,
    user_id AS entity
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
  GROUP BY
    1,
    2,
    3
), counted AS (
  SELECT
    place,
    country,
    toInt64(COUNT(*)) AS count_of_active,
    toInt64(COUNT(*) FILTER(WHERE earlier IS NULL)) AS count_of_new,
    toInt64(COUNT(*) FILTER(WHERE earlier = place - 1)) AS count_of_returning
  FROM (
    SELECT
      spine.number AS place,
      people.country AS country,
      lead(toNullable(spine.number)) OVER (PARTITION BY people.country, people.entity ORDER BY spine.number DESC) AS earlier
    FROM people
    JOIN VALUES(
      'period Nullable(Date32), number Nullable(Int64)',
      ('2026-02-22', -1),
      ('2026-02-23', 0),
      ('2026-03-02', 1),
      ('2026-03-09', 2),
      ('2026-03-16', 3),
      ('2026-03-23', 4)
    ) AS spine
      ON people.bucket = spine.period
    WHERE
      people.entity <> ''
  ) AS people
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
    ('2026-02-22', -1),
    ('2026-02-23', 0),
    ('2026-03-02', 1),
    ('2026-03-09', 2),
    ('2026-03-16', 3),
    ('2026-03-23', 4)
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.place = counted.place AND segments.country = counted.country
) AS spine
WHERE
  place >= 1
ORDER BY
  1,
  2
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
