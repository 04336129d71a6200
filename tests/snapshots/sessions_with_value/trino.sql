/* metrics-api metric=fruitful_visits fingerprint=d927564d7cd4 */
WITH slots AS (
  SELECT
    user_id AS entity,
    CAST(FLOOR(CAST(ROUND(TO_UNIXTIME(occurred_at) - TO_UNIXTIME(TIMESTAMP '2026-03-20 23:00:00'), 6) AS DOUBLE) / 1800) AS BIGINT) AS slot,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at,
    COUNT(*) FILTER(
      WHERE (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    ) AS events_contained
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-21 22:30:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:30:00'
    AND occurred_on >= DATE '2026-03-20'
    AND occurred_on <= DATE '2026-03-31'
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
  GROUP BY
    1,
    2
), whole_sessions AS (
  SELECT
    entity,
    first_at,
    COALESCE(LEAD(ended) OVER (PARTITION BY entity ORDER BY first_at), latest) AS last_at,
    COALESCE(LEAD(events_contained_so_far) OVER (PARTITION BY entity ORDER BY first_at), events_contained_in_all) - COALESCE(events_contained_so_far, 0) AS events_contained
  FROM (
    SELECT
      entity,
      first_at,
      LAG(last_at) OVER (PARTITION BY entity ORDER BY first_at) AS ended,
      MAX(last_at) OVER (PARTITION BY entity) AS latest,
      SUM(events_contained) OVER (PARTITION BY entity ORDER BY first_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS events_contained_so_far,
      SUM(events_contained) OVER (PARTITION BY entity) AS events_contained_in_all
    FROM slots
  ) AS slots
  WHERE
    (
      ended IS NULL OR ended + INTERVAL '30' MINUTE < first_at
    )
), long_sessions AS (
  SELECT
    entity,
    first_at AS since,
    last_at AS until
  FROM whole_sessions
  WHERE
    last_at >= first_at + INTERVAL '1' DAY
), sessions AS (
  SELECT
    CAST(CASE
      WHEN first_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN first_at + INTERVAL '1' HOUR
      ELSE first_at + INTERVAL '2' HOUR
    END AS DATE) AS period
  FROM (
    SELECT
      first_at,
      events_contained
    FROM whole_sessions
    WHERE
      NOT (last_at >= first_at + INTERVAL '1' DAY)
    UNION ALL
    SELECT
      MIN(slots.first_at) AS first_at,
      SUM(slots.events_contained) AS events_contained
    FROM slots
    JOIN long_sessions
      ON slots.entity = long_sessions.entity
      AND slots.first_at >= long_sessions.since
      AND slots.first_at <= long_sessions.until
    GROUP BY
      slots.entity,
      long_sessions.since,
      CAST(CASE
        WHEN slots.first_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN slots.first_at + INTERVAL '1' HOUR
        ELSE slots.first_at + INTERVAL '2' HOUR
      END AS DATE)
  ) AS found
  WHERE
    events_contained > 0
    AND first_at >= TIMESTAMP '2026-03-22 23:00:00'
    AND first_at < TIMESTAMP '2026-03-29 22:00:00'
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
FROM UNNEST(SEQUENCE(DATE '2026-03-23', DATE '2026-03-29', INTERVAL '1' DAY)) AS spine(period)
LEFT JOIN counted
  ON spine.period = counted.period
ORDER BY
  period
LIMIT 10001
