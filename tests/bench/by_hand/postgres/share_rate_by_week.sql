/* Two levels in one pass: each week's people with whether they shared; everybody who shared had a value moment. */
SELECT
  period,
  COUNT(*) FILTER(WHERE
    shared) / CAST(NULLIF(COUNT(*), 0) AS DOUBLE PRECISION) AS value,
  CAST(COUNT(*) FILTER(WHERE
    shared) AS DOUBLE PRECISION) AS numerator,
  CAST(COUNT(*) AS DOUBLE PRECISION) AS denominator
FROM (
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
    BOOL_OR(event = 'shared') AS shared
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
    2
) AS inner_0
GROUP BY
  1
ORDER BY
  1
