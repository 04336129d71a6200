/* metrics-api metric=growth fingerprint=6b78a999b3de */
WITH people AS (
  SELECT
    CASE
      WHEN occurred_at < TIMESTAMP '2026-02-22 23:00:00'
      THEN DATE '2026-02-22'
      ELSE CAST(DATE_TRUNC(
        'week',
        CAST(CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN occurred_at + INTERVAL '1 HOUR'
          ELSE occurred_at + INTERVAL '2 HOUR'
        END AS DATE)
      ) AS DATE)
    END AS bucket,
    COALESCE(country, '(none)') AS country,
    user_id AS entity
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '1900-01-01 00:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '1899-12-31'
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
  GROUP BY
    1,
    2,
    3
), counted AS (
  SELECT
    place,
    country,
    COUNT(*) AS count_of_active,
    COUNT(CASE WHEN earlier IS NULL THEN 1 END) AS count_of_new,
    COUNT(CASE WHEN earlier = place - 1 THEN 1 END) AS count_of_returning
  FROM (
    SELECT
      spine.number AS place,
      people.country,
      LEAD(spine.number) OVER (PARTITION BY people.country, people.entity ORDER BY spine.number DESC) AS earlier
    FROM people
    JOIN (
      SELECT
        DATE '2026-02-22' AS period,
        -1 AS number
      UNION ALL
      SELECT
        DATE '2026-02-23',
        0
      UNION ALL
      SELECT
        DATE '2026-03-02',
        1
      UNION ALL
      SELECT
        DATE '2026-03-09',
        2
      UNION ALL
      SELECT
        DATE '2026-03-16',
        3
      UNION ALL
      SELECT
        DATE '2026-03-23',
        4
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
  CAST(count_of_active - count_of_returning AS DOUBLE PRECISION) / NULLIF(active_then - count_of_returning, 0) AS quick_ratio,
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
  FROM (
    SELECT
      DATE '2026-02-22' AS period,
      -1 AS place
    UNION ALL
    SELECT
      DATE '2026-02-23',
      0
    UNION ALL
    SELECT
      DATE '2026-03-02',
      1
    UNION ALL
    SELECT
      DATE '2026-03-09',
      2
    UNION ALL
    SELECT
      DATE '2026-03-16',
      3
    UNION ALL
    SELECT
      DATE '2026-03-23',
      4
  ) AS spine
  CROSS JOIN segments
  LEFT JOIN counted
    ON spine.place = counted.place AND segments.country = counted.country
) AS spine
WHERE
  place >= 1
ORDER BY
  period,
  country
LIMIT 10001
