/* metrics-api metric=weekly_retention fingerprint=eacc94429817 */
WITH started AS (
  SELECT
    entity,
    started,
    country,
    CAST(FLOOR(DATE_DIFF(DATE(TIMESTAMP_ADD(started, INTERVAL 1 HOUR), 'UTC'), DATE '2026-03-02', DAY) / 7) AS INT64) AS bucket
  FROM (
    SELECT
      entity,
      MIN(`at`) AS started,
      ANY_VALUE(country HAVING MIN `at`) AS country
    FROM (
      SELECT
        user_id AS entity,
        occurred_at AS `at`,
        MIN(COALESCE(country, '(none)')) AS country
      FROM app_events
      WHERE
        occurred_at >= TIMESTAMP '2026-03-01 23:00:00+00'
        AND occurred_at < TIMESTAMP '2026-03-15 23:00:00+00'
        AND occurred_on >= DATE '2026-02-28'
        AND occurred_on <= DATE '2026-03-16'
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
    BIT_OR(1 << (app_events.return_bucket - started.bucket)) AS days
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS `at`,
      CAST(FLOOR(
        DATE_DIFF(
          DATE(
            CASE
              WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00+00'
              THEN TIMESTAMP_ADD(occurred_at, INTERVAL 1 HOUR)
              ELSE TIMESTAMP_ADD(occurred_at, INTERVAL 2 HOUR)
            END,
            'UTC'
          ),
          DATE '2026-03-02',
          DAY
        ) / 7
      ) AS INT64) AS return_bucket
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-03-01 23:00:00+00'
      AND occurred_at < TIMESTAMP '2026-03-31 12:00:00.000001+00'
      AND occurred_on >= DATE '2026-02-28'
      AND occurred_on <= DATE '2026-04-01'
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64) AND minutes >= 3
        )
        OR event = 'shared'
      )
  ) AS app_events
  JOIN started
    ON app_events.entity = started.entity
    AND app_events.`at` > started.started
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
  FROM UNNEST(
    ARRAY<STRUCT<period INT64, mask INT64>>[
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
    ]
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
    spine.`start`,
    spine_2.period_index,
    segments.country,
    COALESCE(sizes.size, 0) AS size,
    COALESCE(returned_users.users, 0) AS users,
    CASE WHEN spine_2.period_index <= spine.last_over THEN 1 ELSE 0 END AS is_over
  FROM UNNEST(
    ARRAY<STRUCT<`start` DATE, bucket INT64, last_over INT64>>[(DATE '2026-03-02', 0, 3), (DATE '2026-03-09', 1, 2)]
  ) AS spine
  CROSS JOIN UNNEST(
    ARRAY<STRUCT<period_index INT64>>[
      STRUCT(0),
      STRUCT(1),
      STRUCT(2),
      STRUCT(3),
      STRUCT(4),
      STRUCT(5),
      STRUCT(6),
      STRUCT(7),
      STRUCT(8),
      STRUCT(9),
      STRUCT(10),
      STRUCT(11),
      STRUCT(12)
    ]
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
    COUNTIF(is_over = 1) AS cohorts
  FROM cells
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  `start`,
  period_index,
  country,
  size,
  users,
  rate,
  complete,
  value,
  CAST(NULL AS INT64) AS cohorts
FROM (
  SELECT
    `start`,
    period_index,
    country,
    size,
    CASE WHEN is_over = 1 THEN users END AS users,
    CASE WHEN is_over = 1 THEN SAFE_DIVIDE(CAST(users AS FLOAT64), size) END AS rate,
    is_over = 1 AS complete,
    CASE WHEN is_over = 1 THEN SAFE_DIVIDE(CAST(users AS FLOAT64), size) END AS value
  FROM cells
  ORDER BY
    `start` NULLS LAST,
    country NULLS LAST,
    period_index NULLS LAST
  LIMIT 101
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS `start`,
  period_index,
  country,
  size,
  users,
  rate,
  CAST(NULL AS BOOL) AS complete,
  value,
  cohorts
FROM (
  SELECT
    period_index,
    country,
    COALESCE(size, 0) AS size,
    users,
    SAFE_DIVIDE(CAST(users AS FLOAT64), size) AS rate,
    cohorts,
    SAFE_DIVIDE(CAST(users AS FLOAT64), size) AS value
  FROM pooled
  ORDER BY
    country NULLS LAST,
    period_index NULLS LAST
  LIMIT 101
) AS found
