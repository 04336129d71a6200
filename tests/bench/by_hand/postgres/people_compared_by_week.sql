WITH people AS (
  SELECT
    CAST(DATE_TRUNC(
      'WEEK',
      CAST(occurred_at + CASE
        WHEN occurred_at < CAST('2025-10-26 01:00:00' AS TIMESTAMP)
        THEN INTERVAL '2 HOUR'
        ELSE INTERVAL '1 HOUR'
      END AS DATE)
    ) AS DATE) AS period,
    user_id,
    COUNT(*) AS n
  FROM app_events
  WHERE
    occurred_at >= CAST('2025-09-07 22:00:00' AS TIMESTAMP)
    AND occurred_at < CAST('2025-11-30 23:00:00' AS TIMESTAMP)
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 3
      ) OR event = 'shared'
    )
  GROUP BY
    1,
    2
), weeks AS (
  SELECT
    period,
    SUM(n) AS value,
    COUNT(*) AS users
  FROM people
  GROUP BY
    1
)
SELECT
  this.period,
  this.value,
  this.users,
  earlier.value AS previous,
  CAST((
    this.value - earlier.value
  ) AS DOUBLE PRECISION) / earlier.value AS change
FROM weeks AS this
LEFT JOIN weeks AS earlier
  ON earlier.period = this.period - 42
WHERE
  this.period >= CAST('2025-10-20' AS DATE)
ORDER BY
  1
