/* metrics-api metric=rhythm fingerprint=6de2dafe9163 */
WITH active_days AS (
  SELECT
    user_id AS entity,
    CAST(CASE
      WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
      THEN occurred_at + INTERVAL '1' HOUR
      ELSE occurred_at + INTERVAL '2' HOUR
    END AS DATE) - DATE '2026-01-01' AS "day"
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2025-12-31 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-30 22:00:00'
    AND occurred_on >= DATE '2025-12-30'
    AND occurred_on <= DATE '2026-03-31'
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
), visits AS (
  SELECT
    entity,
    "day",
    LEAD("day") OVER (PARTITION BY entity ORDER BY "day") AS "following"
  FROM active_days
), rhythms AS (
  SELECT
    entity,
    MIN("day") AS first_day,
    MIN("following") AS second_day,
    QUANTILE_CONT("following" - "day", 0.5) AS median_gap
  FROM visits
  GROUP BY
    1
), first_events AS (
  SELECT
    entity,
    ARG_MIN(country, "at") AS country
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS "at",
      MIN(COALESCE(country, '(none)')) AS country
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2025-12-31 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-30 22:00:00'
      AND occurred_on >= DATE '2025-12-30'
      AND occurred_on <= DATE '2026-03-31'
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
  ) AS app_events
  GROUP BY
    1
), people AS (
  SELECT
    rhythms.entity,
    rhythms.first_day,
    rhythms.median_gap,
    rhythms.first_gap,
    first_events.country
  FROM (
    SELECT
      entity,
      first_day,
      median_gap,
      second_day - first_day AS first_gap
    FROM rhythms
    WHERE
      first_day <= 88 - 29
  ) AS rhythms
  JOIN first_events
    ON rhythms.entity = first_events.entity
), first_returns AS (
  SELECT
    country,
    COALESCE(first_gap, 88 - first_day) AS after,
    COUNT(first_gap) AS returned,
    COUNT(*) FILTER(WHERE first_gap IS NULL) AS censored
  FROM people
  GROUP BY
    1,
    2
)
SELECT
  0 AS part,
  after,
  country,
  at_risk,
  returned,
  censored,
  median_gap
FROM (
  SELECT
    after,
    country,
    at_risk,
    returned,
    censored,
    median_gap
  FROM (
    SELECT
      CAST(NULL AS BIGINT) AS after,
      country,
      CAST(NULL AS BIGINT) AS at_risk,
      CAST(NULL AS BIGINT) AS returned,
      CAST(NULL AS BIGINT) AS censored,
      QUANTILE_CONT(median_gap, 0.5) AS median_gap
    FROM people
    GROUP BY
      2
    UNION ALL
    SELECT
      after,
      country,
      SUM(returned + censored) OVER (PARTITION BY country ORDER BY after DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS at_risk,
      returned,
      censored,
      CAST(NULL AS DOUBLE) AS median_gap
    FROM first_returns
  ) AS found
  ORDER BY
    country,
    after
  LIMIT 500001
) AS found
UNION ALL
SELECT
  1 AS part,
  after,
  country,
  at_risk,
  returned,
  censored,
  CAST(NULL AS DOUBLE) AS median_gap
FROM (
  SELECT
    after,
    country,
    SUM(returned + censored) OVER (PARTITION BY country ORDER BY after DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS at_risk,
    returned,
    censored
  FROM first_returns
  ORDER BY
    country,
    after
  LIMIT 500001
) AS found
