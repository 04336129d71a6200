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
    country,
    user_id,
    COUNT(*) AS n
  FROM app_events
  WHERE
    occurred_at >= CAST('2025-09-01 22:00:00' AS TIMESTAMP)
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
    3
), top AS (
  SELECT
    country
  FROM people
  GROUP BY
    1
  ORDER BY
    SUM(n) DESC NULLS LAST,
    country
  LIMIT 3
), labelled AS (
  SELECT
    period,
    CASE WHEN top.country IS NULL THEN '(other)' ELSE top.country END AS country,
    user_id,
    SUM(n) AS n
  FROM people
  LEFT JOIN top
    ON top.country = people.country
  GROUP BY
    1,
    2,
    3
)
SELECT
  period,
  country,
  SUM(n) AS total,
  COUNT(*) AS users
FROM labelled
GROUP BY
  1,
  2
ORDER BY
  1,
  2
