WITH people AS (
  SELECT user_id, groupBitOr(bitShiftLeft(1::UInt64, dateDiff('day', toDate('2025-10-26'), toDate(occurred_at, 'Europe/Berlin')))) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-10-25 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY user_id
), known AS (
  SELECT id, greatest(dateDiff('day', toDate('2025-10-26'), toDate(signed_up_at, 'Europe/Berlin')), 0) AS since
  FROM users WHERE signed_up_at < TIMESTAMP '2025-11-30 23:00:00'
), counted AS MATERIALIZED (
  SELECT t, multiIf(k >= 6, 1, k >= 3, 2, 3) AS position, count() AS n, countIf(since <= t) AS known
  FROM (
    SELECT t, since, bitCount(bitAnd(days, bitShiftLeft(127::UInt64, t - 6))) AS k
    FROM (SELECT days, if(id = '', 1000, since) AS since FROM people LEFT ANY JOIN known ON id = user_id) ARRAY JOIN range(6, 36) AS t
  ) WHERE k > 0
  GROUP BY t, position
), stock AS (
  SELECT t, toInt64(sum(n)) AS n FROM (SELECT since, count() AS n FROM known GROUP BY since) ARRAY JOIN range(6, 36) AS t WHERE since <= t GROUP BY t
), sizes AS (
  SELECT t, position, toInt64(n) AS n FROM counted
  UNION ALL SELECT t, 5, any(stock.n) - toInt64(sum(known)) FROM stock LEFT JOIN counted USING (t) GROUP BY t
)
SELECT toDate('2025-10-26') + t AS period, ['power', 'core', 'casual', 'none', 'inactive'][position] AS tier, toInt64(n) AS users
FROM (SELECT arrayJoin(range(6, 36)) AS t, arrayJoin(range(1, 6)) AS position) AS cells LEFT JOIN sizes USING (t, position)
ORDER BY t, position SETTINGS enable_materialized_cte = 1, join_use_nulls = 0
