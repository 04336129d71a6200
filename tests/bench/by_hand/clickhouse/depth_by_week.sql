-- Weeks are whole in every window: days are added up by week before windows are told apart.
WITH weeks AS (
  SELECT user_id, intDiv(dateDiff('day', toDate('2025-08-11'), toDate(occurred_at, 'Europe/Berlin')), 7) AS w, sum(toDecimal128(ifNull(minutes, 0), 9)) AS amount
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY user_id, w
), known AS (
  SELECT id, greatest(dateDiff('day', toDate('2025-08-11'), toDate(signed_up_at, 'Europe/Berlin')), 0) AS since
  FROM users WHERE signed_up_at < TIMESTAMP '2025-11-30 23:00:00'
), people AS MATERIALIZED (
  SELECT 7 * v + 6 AS t, user_id, toFloat64(sum(amount)) AS score FROM weeks ARRAY JOIN range(greatest(w, 3), least(w + 4, 16)) AS v GROUP BY t, user_id
), thresholds AS (
  SELECT t, quantilesExactInclusive(0.25, 0.5, 0.9)(score) AS q FROM people GROUP BY t
), counted AS MATERIALIZED (
  SELECT t, multiIf(score >= q[3], 1, score >= q[2], 2, score >= q[1], 3, 4) AS position, count() AS n, countIf(id != '' AND since <= t) AS known
  FROM people JOIN thresholds USING (t) LEFT ANY JOIN known ON id = user_id GROUP BY t, position
), stock AS (
  SELECT t, toInt64(sum(n)) AS n FROM (SELECT since, count() AS n FROM known GROUP BY since) ARRAY JOIN range(27, 118, 7) AS t WHERE since <= t GROUP BY t
), sizes AS (
  SELECT t, position, toInt64(n) AS n FROM counted
  UNION ALL SELECT t, 5, any(stock.n) - toInt64(sum(known)) FROM stock LEFT JOIN counted USING (t) GROUP BY t
)
SELECT toDate('2025-08-11') + t - 6 AS period, ['power', 'core', 'casual', 'none', 'inactive'][position] AS tier, toInt64(n) AS users
FROM (SELECT arrayJoin(range(27, 118, 7)) AS t, arrayJoin(range(1, 6)) AS position) AS cells LEFT JOIN sizes USING (t, position)
ORDER BY t, position SETTINGS enable_materialized_cte = 1, join_use_nulls = 0
