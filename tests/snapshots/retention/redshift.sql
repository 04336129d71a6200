/* metrics-api metric=weekly_retention fingerprint=eacc94429817 */
WITH started AS (
  SELECT
    entity,
    started,
    country,
    CAST(FLOOR(CAST(DATEDIFF(DAY, DATE '2026-03-02', CAST(started + INTERVAL '1 HOUR' AS DATE)) AS DOUBLE PRECISION) / 7) AS BIGINT) AS bucket
  FROM (
    SELECT
      entity,
      MIN("at") AS started,
      MAX(country_of_group) AS country
    FROM (
      SELECT
        entity,
        "at",
        FIRST_VALUE(country) OVER (PARTITION BY entity ORDER BY "at" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS country_of_group
      FROM (
        SELECT
          user_id AS entity,
          occurred_at AS "at",
          MIN(COALESCE(country, '(none)')) AS country
        FROM app_events
        WHERE
          occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
          AND occurred_at < TIMESTAMP '2026-03-15 23:00:00'
          AND occurred_on >= DATE '2026-02-28'
          AND occurred_on <= DATE '2026-03-16'
          AND NOT COALESCE(is_internal, FALSE)
          AND event = 'sign_up'
          AND user_id <> ''
        GROUP BY
          1,
          2
      ) AS app_events
    ) AS app_events
    GROUP BY
      1
  ) AS app_events
), segments AS (
  SELECT
    country
  FROM started
  GROUP BY
    1
), sizes AS (
  SELECT
    bucket,
    country,
    COUNT(*) AS size
  FROM started
  GROUP BY
    1,
    2
), people AS (
  SELECT
    app_events.entity,
    started.bucket,
    started.country,
    BIT_OR(CAST(1 AS BIGINT) << CAST(app_events.return_bucket - started.bucket AS INTEGER)) AS days
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS "at",
      CAST(FLOOR(
        CAST(DATEDIFF(
          DAY,
          DATE '2026-03-02',
          CAST(CASE
            WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
            THEN occurred_at + INTERVAL '1 HOUR'
            ELSE occurred_at + INTERVAL '2 HOUR'
          END AS DATE)
        ) AS DOUBLE PRECISION) / 7
      ) AS BIGINT) AS return_bucket
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001'
      AND occurred_on >= DATE '2026-02-28'
      AND occurred_on <= DATE '2026-04-01'
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
  ) AS app_events
  JOIN started
    ON app_events.entity = started.entity
    AND app_events."at" > started.started
    AND app_events.return_bucket <= started.bucket + 12
  GROUP BY
    1,
    2,
    3
), returned_users AS (
  SELECT
    people.bucket,
    people.country,
    spine.period AS period_index,
    COUNT(*) AS users
  FROM (
    SELECT
      0 AS period,
      1 AS mask
    UNION ALL
    SELECT
      1,
      2
    UNION ALL
    SELECT
      2,
      4
    UNION ALL
    SELECT
      3,
      8
    UNION ALL
    SELECT
      4,
      16
    UNION ALL
    SELECT
      5,
      32
    UNION ALL
    SELECT
      6,
      64
    UNION ALL
    SELECT
      7,
      128
    UNION ALL
    SELECT
      8,
      256
    UNION ALL
    SELECT
      9,
      512
    UNION ALL
    SELECT
      10,
      1024
    UNION ALL
    SELECT
      11,
      2048
    UNION ALL
    SELECT
      12,
      4096
  ) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    3,
    1,
    2
), cells AS (
  SELECT
    spine."start",
    spine_2.period_index,
    segments.country,
    COALESCE(sizes.size, 0) AS size,
    COALESCE(returned_users.users, 0) AS users,
    CASE WHEN spine_2.period_index <= spine.last_over THEN 1 ELSE 0 END AS is_over
  FROM (
    SELECT
      DATE '2026-03-02' AS "start",
      0 AS bucket,
      3 AS last_over
    UNION ALL
    SELECT
      DATE '2026-03-09',
      1,
      2
  ) AS spine
  CROSS JOIN (
    SELECT
      0 AS period_index
    UNION ALL
    SELECT
      1
    UNION ALL
    SELECT
      2
    UNION ALL
    SELECT
      3
    UNION ALL
    SELECT
      4
    UNION ALL
    SELECT
      5
    UNION ALL
    SELECT
      6
    UNION ALL
    SELECT
      7
    UNION ALL
    SELECT
      8
    UNION ALL
    SELECT
      9
    UNION ALL
    SELECT
      10
    UNION ALL
    SELECT
      11
    UNION ALL
    SELECT
      12
  ) AS spine_2
  CROSS JOIN segments
  LEFT JOIN sizes
    ON spine.bucket = sizes.bucket AND segments.country = sizes.country
  LEFT JOIN returned_users
    ON spine.bucket = returned_users.bucket
    AND segments.country = returned_users.country
    AND spine_2.period_index = returned_users.period_index
), pooled AS (
  SELECT
    period_index,
    country,
    SUM(CASE WHEN is_over = 1 THEN size END) AS size,
    SUM(CASE WHEN is_over = 1 THEN users END) AS users,
    COUNT(CASE WHEN is_over = 1 THEN 1 END) AS cohorts
  FROM cells
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  "start",
  period_index,
  country,
  size,
  users,
  rate,
  complete,
  value,
  CAST(NULL AS BIGINT) AS cohorts
FROM (
  SELECT
    "start",
    period_index,
    country,
    size,
    CASE WHEN is_over = 1 THEN users END AS users,
    CASE WHEN is_over = 1 THEN CAST(users AS DOUBLE PRECISION) / NULLIF(size, 0) END AS rate,
    is_over = 1 AS complete,
    CASE WHEN is_over = 1 THEN CAST(users AS DOUBLE PRECISION) / NULLIF(size, 0) END AS value
  FROM cells
  ORDER BY
    "start",
    country,
    period_index
  LIMIT 101
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS "start",
  period_index,
  country,
  size,
  users,
  rate,
  CAST(NULL AS BOOLEAN) AS complete,
  value,
  cohorts
FROM (
  SELECT
    period_index,
    country,
    COALESCE(size, 0) AS size,
    users,
    CAST(users AS DOUBLE PRECISION) / NULLIF(size, 0) AS rate,
    cohorts,
    CAST(users AS DOUBLE PRECISION) / NULLIF(size, 0) AS value
  FROM pooled
  ORDER BY
    country,
    period_index
  LIMIT 101
) AS found
