/* metrics-api metric=monthly_actives fingerprint=e1bfc98d13ee */
WITH people AS (
  SELECT
    user_id AS entity,
    BIT_OR(
      CAST(1 AS BIGINT) << CAST(DATEDIFF(
        DAY,
        DATE '2026-02-24',
        CAST(CASE
          WHEN occurred_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN occurred_at + INTERVAL '1 HOUR'
          ELSE occurred_at + INTERVAL '2 HOUR'
        END AS DATE)
      ) AS INTEGER)
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-02-23 23:00:00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
    AND occurred_on >= DATE '2026-02-22'
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
    AND user_id <> ''
  GROUP BY
    1
), active AS (
  SELECT
    spine.period,
    COUNT(*) AS users
  FROM (
    SELECT
      DATE '2026-03-23' AS period,
      268435455 AS mask
    UNION ALL
    SELECT
      DATE '2026-03-24',
      536870910
    UNION ALL
    SELECT
      DATE '2026-03-25',
      1073741820
    UNION ALL
    SELECT
      DATE '2026-03-26',
      2147483640
    UNION ALL
    SELECT
      DATE '2026-03-27',
      4294967280
    UNION ALL
    SELECT
      DATE '2026-03-28',
      8589934560
    UNION ALL
    SELECT
      DATE '2026-03-29',
      17179869120
  ) AS spine
  CROSS JOIN people
  WHERE
    (people.days & spine.mask) <> 0
  GROUP BY
    1
)
SELECT
  spine.period,
  COALESCE(active.users, 0) AS value
FROM (
  SELECT
    DATE '2026-03-23' AS period
  UNION ALL
  SELECT
    DATE '2026-03-24'
  UNION ALL
  SELECT
    DATE '2026-03-25'
  UNION ALL
  SELECT
    DATE '2026-03-26'
  UNION ALL
  SELECT
    DATE '2026-03-27'
  UNION ALL
  SELECT
    DATE '2026-03-28'
  UNION ALL
  SELECT
    DATE '2026-03-29'
) AS spine
LEFT JOIN active
  ON spine.period = active.period
ORDER BY
  period
LIMIT 10001
