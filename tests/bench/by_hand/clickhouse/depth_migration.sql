-- Both windows in one pass.
WITH people AS MATERIALIZED (
  SELECT toFloat64(sumIf(amount, at < TIMESTAMP '2025-11-29 23:00:00')) AS here, countIf(at < TIMESTAMP '2025-11-29 23:00:00') > 0 AS is_here,
    toFloat64(sumIf(amount, at >= TIMESTAMP '2025-11-02 23:00:00')) AS there, countIf(at >= TIMESTAMP '2025-11-02 23:00:00') > 0 AS is_there
  FROM (
    SELECT user_id, occurred_at AS at, toDecimal128(ifNull(minutes, 0), 9) AS amount
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-11-01 23:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  ) GROUP BY user_id
), (SELECT (quantilesExactInclusiveIf(0.25, 0.5, 0.9)(here, is_here), quantilesExactInclusiveIf(0.25, 0.5, 0.9)(there, is_there)) FROM people) AS q,
moved AS (
  SELECT multiIf(NOT is_here, 5, here >= q.1[3], 1, here >= q.1[2], 2, here >= q.1[1], 3, 4) AS a,
    multiIf(NOT is_there, 5, there >= q.2[3], 1, there >= q.2[2], 2, there >= q.2[1], 3, 4) AS b, count() AS n
  FROM people GROUP BY a, b
)
SELECT toDate('2025-11-30') AS period, ['power', 'core', 'casual', 'none', 'inactive'][a] AS `from`, ['power', 'core', 'casual', 'none', 'inactive'][b] AS `to`, toInt64(n) AS users
FROM (SELECT 1 + intDiv(number, 5) AS a, 1 + number % 5 AS b FROM numbers(25)) AS cells LEFT JOIN moved USING (a, b)
WHERE a < 5 OR b < 5
ORDER BY `from`, `to` SETTINGS enable_materialized_cte = 1, join_use_nulls = 0
