/* metrics-api metric=monthly_actives fingerprint=e1bfc98d13ee */
WITH people AS (
  SELECT
    user_id AS entity,
    BITOR_AGG(
      BITSHIFTLEFT(
        1,
        DATEDIFF(
          DAY,
          DATE '2026-02-24',
          CAST(CASE
            WHEN occurred_at < CAST('2026-03-29 01:00:00' AS TIMESTAMPNTZ)
            THEN occurred_at + INTERVAL '1 HOUR'
            ELSE occurred_at + INTERVAL '2 HOUR'
          END AS DATE)
        )
      )
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= CAST('2026-02-23 23:00:00' AS TIMESTAMPNTZ)
    AND occurred_at < CAST('2026-03-29 22:00:00' AS TIMESTAMPNTZ)
    AND occurred_on >= DATE '2026-02-22'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
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
      CAST(period AS DATE) AS period,
      CAST(mask AS BIGINT) AS mask
    FROM (VALUES
      ('2026-03-23', 268435455),
      ('2026-03-24', 536870910),
      ('2026-03-25', 1073741820),
      ('2026-03-26', 2147483640),
      ('2026-03-27', 4294967280),
      ('2026-03-28', 8589934560),
      ('2026-03-29', 17179869120)) AS constants(period, mask)
  ) AS spine
  CROSS JOIN people
  WHERE
    BITAND(people.days, spine.mask) <> 0
  GROUP BY
    1
)
SELECT
  spine.period,
  COALESCE(active.users, 0) AS value
FROM (
  SELECT
    DATEADD(DAY, ROW_NUMBER() OVER (ORDER BY NULL) - 1, DATE '2026-03-23') AS period
  FROM TABLE(GENERATOR(ROWCOUNT => 7))
) AS spine
LEFT JOIN active
  ON spine.period = active.period
ORDER BY
  period
LIMIT 10001
