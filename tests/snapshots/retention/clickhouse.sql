/* metrics-api metric=weekly_retention fingerprint=eacc94429817 */
WITH started AS (
  SELECT
    entity,
    started,
    country,
    CAST(FLOOR(
      CAST(dateDiff('day', toDate32('2026-03-02'), toDate32(started + INTERVAL '1' HOUR, 'UTC')) AS Nullable(Float64)) / 7
    ) AS Nullable(Int64)) AS bucket
  FROM (
    SELECT
      entity,
      MIN("at") AS started,
      argMin(country, "at") AS country
    FROM (
      SELECT
        user_id AS entity,
        occurred_at AS "at",
        MIN(COALESCE(country, '(none)')) AS country
      FROM app_events
      WHERE
        occurred_at >= toDateTime64('2026-03-01 23:00:00', 6, 'UTC')
        AND occurred_at < toDateTime64('2026-03-15 23:00:00', 6, 'UTC')
        AND occurred_on >= toDate32('2026-02-28')
        AND occurred_on <= toDate32('2026-03-16')
        AND NOT COALESCE(is_internal, FALSE)
        AND event = 'sign_up'
        AND user_id <> ''
      GROUP BY
        1,
        2
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
    toInt64(COUNT(*)) AS size
  FROM started
  GROUP BY
    1,
    2
), people AS (
  SELECT
    app_events.entity AS entity,
    started.bucket AS bucket,
    started.country AS country,
    groupBitOr(bitShiftLeft(toUInt64(1), app_events.return_bucket - started.bucket)) AS days
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS "at",
      CAST(FLOOR(
        CAST(dateDiff(
          'day',
          toDate32('2026-03-02'),
          toDate32(
            CASE
              WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
              THEN occurred_at + INTERVAL '1' HOUR
              ELSE occurred_at + INTERVAL '2' HOUR
            END,
            'UTC'
          )
        ) AS Nullable(Float64)) / 7
      ) AS Nullable(Int64)) AS return_bucket
    FROM app_events
    WHERE
      occurred_at >= toDateTime64('2026-03-01 23:00:00', 6, 'UTC')
      AND occurred_at < toDateTime64('2026-03-31 12:00:00.000001', 6, 'UTC')
      AND occurred_on >= toDate32('2026-02-28')
      AND occurred_on <= toDate32('2026-04-01')
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
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
    people.bucket AS bucket,
    people.country AS country,
    spine.period AS period_index,
    toInt64(COUNT(*)) AS users
  FROM VALUES(
    'period Nullable(Int64), mask Nullable(Int64)',
    (0, 1),
    (1, 2),
    (2, 4),
    (3, 8),
    (4, 16),
    (5, 32),
    (6, 64),
    (7, 128),
    (8, 256),
    (9, 512),
    (10, 1024),
    (11, 2048),
    (12, 4096)
  ) AS spine
  CROSS JOIN people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
  GROUP BY
    3,
    1,
    2
), cells AS (
  SELECT
    spine."start" AS "start",
    spine_2.period_index AS period_index,
    segments.country AS country,
    COALESCE(sizes.size, 0) AS size,
    COALESCE(returned_users.users, 0) AS users,
    CASE WHEN spine_2.period_index <= spine.last_over THEN 1 ELSE 0 END AS is_over
  FROM VALUES(
    '"start" Nullable(Date32), bucket Nullable(Int64), last_over Nullable(Int64)',
    ('2026-03-02', 0, 3),
    ('2026-03-09', 1, 2)
  ) AS spine
  CROSS JOIN VALUES('period_index Nullable(Int64)', (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12)) AS spine_2
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
    SUM(size) FILTER(WHERE is_over = 1) AS size,
    SUM(users) FILTER(WHERE is_over = 1) AS users,
    toInt64(COUNT(*) FILTER(WHERE is_over = 1)) AS cohorts
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
  CAST(NULL AS Nullable(Int64)) AS cohorts
FROM (
  SELECT
    "start",
    period_index,
    country,
    size,
    CASE WHEN is_over = 1 THEN users END AS users,
    CASE WHEN is_over = 1 THEN CAST(users AS Nullable(Float64)) / nullIf(size, 0) END AS rate,
    is_over = 1 AS complete,
    CASE WHEN is_over = 1 THEN CAST(users AS Nullable(Float64)) / nullIf(size, 0) END AS value
  FROM cells
  ORDER BY
    1,
    3,
    2
  LIMIT 101
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS Nullable(Date32)) AS "start",
  period_index,
  country,
  size,
  users,
  rate,
  CAST(NULL AS Nullable(Bool)) AS complete,
  value,
  cohorts
FROM (
  SELECT
    period_index,
    country,
    COALESCE(size, 0) AS size,
    users,
    CAST(users AS Nullable(Float64)) / nullIf(size, 0) AS rate,
    cohorts,
    CAST(users AS Nullable(Float64)) / nullIf(size, 0) AS value
  FROM pooled
  ORDER BY
    2,
    1
  LIMIT 101
) AS found
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
