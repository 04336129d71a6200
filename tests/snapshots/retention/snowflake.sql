/* metrics-api metric=weekly_retention fingerprint=eacc94429817 */
WITH started AS (
  SELECT
    entity,
    started,
    country,
    CAST(FLOOR(CAST(DATEDIFF(DAY, DATE '2026-03-02', CAST(started + INTERVAL '1 HOUR' AS DATE)) AS DOUBLE) / 7) AS BIGINT) AS bucket
  FROM (
    SELECT
      entity,
      MIN("AT") AS started,
      MIN_BY(country, "AT") AS country
    FROM (
      SELECT
        user_id AS entity,
        occurred_at AS "AT",
        MIN(COALESCE(country, '(none)')) AS country
      FROM app_events
      WHERE
        occurred_at >= CAST('2026-03-01 23:00:00' AS TIMESTAMPNTZ)
        AND occurred_at < CAST('2026-03-15 23:00:00' AS TIMESTAMPNTZ)
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
    BITOR_AGG(BITSHIFTLEFT(1, app_events.return_bucket - started.bucket)) AS days
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS "AT",
      CAST(FLOOR(
        CAST(DATEDIFF(
          DAY,
          DATE '2026-03-02',
          CAST(CASE
            WHEN occurred_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
            THEN occurred_at + INTERVAL '1 HOUR'
            ELSE occurred_at + INTERVAL '2 HOUR'
          END AS DATE)
        ) AS DOUBLE) / 7
      ) AS BIGINT) AS return_bucket
    FROM app_events
    WHERE
      occurred_at >= CAST('2026-03-01 23:00:00' AS TIMESTAMPNTZ)
      AND occurred_at < CAST('2026-03-31 12:00:00.000001' AS TIMESTAMPNTZ)
      AND occurred_on >= DATE '2026-02-28'
      AND occurred_on <= DATE '2026-04-01'
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
    AND app_events."AT" > started.started
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
      CAST(period AS BIGINT) AS period,
      CAST(mask AS BIGINT) AS mask
    FROM (VALUES
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
      (12, 4096)) AS constants(period, mask)
  ) AS spine
  CROSS JOIN people
  WHERE
    BITAND(people.days, spine.mask) <> 0
  GROUP BY
    3,
    1,
    2
), cells AS (
  SELECT
    spine."START",
    spine_2.period_index,
    segments.country,
    COALESCE(sizes.size, 0) AS size,
    COALESCE(returned_users.users, 0) AS users,
    CASE WHEN spine_2.period_index <= spine.last_over THEN 1 ELSE 0 END AS is_over
  FROM (
    SELECT
      CAST("START" AS DATE) AS "START",
      CAST(bucket AS BIGINT) AS bucket,
      CAST(last_over AS BIGINT) AS last_over
    FROM (VALUES
      ('2026-03-02', 0, 3),
      ('2026-03-09', 1, 2)) AS constants("START", bucket, last_over)
  ) AS spine
  CROSS JOIN (
    SELECT
      CAST(period_index AS BIGINT) AS period_index
    FROM (VALUES
      (0),
      (1),
      (2),
      (3),
      (4),
      (5),
      (6),
      (7),
      (8),
      (9),
      (10),
      (11),
      (12)) AS constants(period_index)
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
  "START",
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
    "START",
    period_index,
    country,
    size,
    CASE WHEN is_over = 1 THEN users END AS users,
    CASE WHEN is_over = 1 THEN CAST(users AS DOUBLE) / NULLIF(size, 0) END AS rate,
    is_over = 1 AS complete,
    CASE WHEN is_over = 1 THEN CAST(users AS DOUBLE) / NULLIF(size, 0) END AS value
  FROM cells
  ORDER BY
    "START",
    country,
    period_index
  LIMIT 101
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS DATE) AS "START",
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
    CAST(users AS DOUBLE) / NULLIF(size, 0) AS rate,
    cohorts,
    CAST(users AS DOUBLE) / NULLIF(size, 0) AS value
  FROM pooled
  ORDER BY
    country,
    period_index
  LIMIT 101
) AS found
