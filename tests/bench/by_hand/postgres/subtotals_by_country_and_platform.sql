WITH people AS (
  SELECT
    CAST(DATE_TRUNC(
      'MONTH',
      CAST(occurred_at + CASE
        WHEN occurred_at < CAST('2025-10-26 01:00:00' AS TIMESTAMP)
        THEN INTERVAL '2 HOUR'
        ELSE INTERVAL '1 HOUR'
      END AS DATE)
    ) AS DATE) AS period,
    country,
    platform,
    user_id,
    COUNT(*) AS n
  FROM app_events
  WHERE
    occurred_at >= CAST('2025-08-31 22:00:00' AS TIMESTAMP)
    AND occurred_at < CAST('2025-11-30 23:00:00' AS TIMESTAMP)
    AND NOT COALESCE(is_internal, FALSE)
    AND (
      (
        event = 'watched' AND minutes >= 3
      ) OR event = 'shared'
    )
  GROUP BY
    1,
    2,
    3,
    4
)
SELECT
  period,
  country,
  platform,
  SUM(n) AS total,
  COUNT(*) AS users
FROM people
GROUP BY
  1,
  2,
  3
UNION ALL
SELECT
  period,
  country,
  '(all)',
  SUM(n),
  COUNT(*)
FROM (
  SELECT
    period,
    country,
    user_id,
    SUM(n) AS n
  FROM people
  GROUP BY
    1,
    2,
    3
) AS inner_1
GROUP BY
  1,
  2
UNION ALL
SELECT
  period,
  '(all)',
  '(all)',
  SUM(n),
  COUNT(*)
FROM (
  SELECT
    period,
    user_id,
    SUM(n) AS n
  FROM people
  GROUP BY
    1,
    2
) AS inner_0
GROUP BY
  1
ORDER BY
  1,
  2,
  3
