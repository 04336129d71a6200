/* metrics-api metric=fruitful_visits fingerprint=ef383f2699d8 */
WITH slots AS (
  SELECT
    user_id AS entity,
    CAST(FLOOR(
      CAST(CAST(DATEDIFF(MICROSECOND, CAST('2026-03-20 23:00:00' AS TIMESTAMPNTZ), occurred_at) AS DOUBLE) / 1000000 AS DOUBLE) / 1800
    ) AS BIGINT) AS slot,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at,
    COUNT(
      CASE
        WHEN (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
        THEN 1
      END
    ) AS events_contained
  FROM app_events
  WHERE
    occurred_at >= CAST('2026-03-21 22:30:00' AS TIMESTAMPNTZ)
    AND occurred_at < CAST('2026-03-30 22:30:00' AS TIMESTAMPNTZ)
    AND occurred_on >= DATE '2026-03-20'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
  GROUP BY
    1,
    2
), stretches AS (
  SELECT
    entity,
    first_at,
    last_at,
    events_contained,
    COALESCE(
      SUM(CASE WHEN until + INTERVAL '30 MINUTE' < "FOLLOWING" THEN 1 ELSE 0 END) OVER (PARTITION BY entity ORDER BY first_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      0
    ) AS "SESSION"
  FROM (
    SELECT
      entity,
      first_at,
      last_at,
      events_contained,
      last_at AS until,
      LEAD(first_at) OVER (PARTITION BY entity ORDER BY first_at) AS "FOLLOWING"
    FROM slots
  ) AS slots
), whole_sessions AS (
  SELECT
    entity,
    "SESSION",
    MIN(first_at) AS first_at,
    MAX(last_at) AS last_at,
    SUM(events_contained) AS events_contained
  FROM stretches
  GROUP BY
    1,
    2
), long_sessions AS (
  SELECT
    entity,
    "SESSION"
  FROM whole_sessions
  WHERE
    last_at >= first_at + INTERVAL '1 DAY'
), sessions AS (
  SELECT
    CAST(CASE
      WHEN first_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
      THEN first_at + INTERVAL '1 HOUR'
      ELSE first_at + INTERVAL '2 HOUR'
    END AS DATE) AS period
  FROM (
    SELECT
      first_at,
      events_contained
    FROM whole_sessions
    WHERE
      NOT (last_at >= first_at + INTERVAL '1 DAY')
    UNION ALL
    SELECT
      MIN(stretches.first_at) AS first_at,
      SUM(stretches.events_contained) AS events_contained
    FROM stretches
    JOIN long_sessions
      ON stretches.entity = long_sessions.entity AND stretches."SESSION" = long_sessions."SESSION"
    GROUP BY
      stretches.entity,
      stretches."SESSION",
      CAST(CASE
        WHEN stretches.first_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
        THEN stretches.first_at + INTERVAL '1 HOUR'
        ELSE stretches.first_at + INTERVAL '2 HOUR'
      END AS DATE)
  ) AS found
  WHERE
    events_contained > 0
    AND first_at >= CAST('2026-03-22 23:00:00' AS TIMESTAMPNTZ)
    AND first_at < CAST('2026-03-29 22:00:00' AS TIMESTAMPNTZ)
), counted AS (
  SELECT
    period,
    COUNT(*) AS count_of_sessions
  FROM sessions
  GROUP BY
    1
)
SELECT
  spine.period,
  COALESCE(counted.count_of_sessions, 0) AS value
FROM (
  SELECT
    DATEADD(DAY, ROW_NUMBER() OVER (ORDER BY NULL) - 1, DATE '2026-03-23') AS period
  FROM TABLE(GENERATOR(ROWCOUNT => 7))
) AS spine
LEFT JOIN counted
  ON spine.period = counted.period
ORDER BY
  period
LIMIT 10001
