-- Four features of sixteen weeks are the bits of one number.
WITH people AS (
  SELECT user_id, groupBitOr(bitShiftLeft(multiIf(event = 'watched', 1, event = 'searched', 2, event = 'added_to_list', 4, 9)::UInt64, 4 * intDiv(dateDiff('day', toDate('2025-08-11'), toDate(occurred_at, 'Europe/Berlin')), 7))) AS weeks
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND (((event = 'watched' AND minutes >= 3) OR event = 'shared') OR event IN ('searched', 'added_to_list'))
  GROUP BY user_id
), known AS (
  SELECT id, greatest(dateDiff('day', toDate('2025-08-11'), toDate(signed_up_at, 'Europe/Berlin')), 0) AS since
  FROM users WHERE signed_up_at < TIMESTAMP '2025-11-30 23:00:00'
), counted AS MATERIALIZED (
  SELECT t, multiIf(bitAnd(mask, 15) = 15, 1, bitAnd(mask, 3) = 3, 2, bitAnd(mask, 1) = 1, 3, 4) AS position, count() AS n, countIf(since <= t) AS known
  FROM (
    SELECT t, since, bitShiftRight(weeks, 4 * intDiv(t - 27, 7)) AS w, bitAnd(bitOr(bitOr(w, bitShiftRight(w, 4)), bitOr(bitShiftRight(w, 8), bitShiftRight(w, 12))), 15) AS mask
    FROM (SELECT weeks, if(id = '', 1000, since) AS since FROM people LEFT ANY JOIN known ON id = user_id) ARRAY JOIN range(27, 118, 7) AS t
  ) WHERE mask != 0
  GROUP BY t, position
), stock AS (
  SELECT t, toInt64(sum(n)) AS n FROM (SELECT since, count() AS n FROM known GROUP BY since) ARRAY JOIN range(27, 118, 7) AS t WHERE since <= t GROUP BY t
), sizes AS (
  SELECT t, position, toInt64(n) AS n FROM counted
  UNION ALL SELECT t, 5, any(stock.n) - toInt64(sum(known)) FROM stock LEFT JOIN counted USING (t) GROUP BY t
)
SELECT toDate('2025-08-11') + t - 6 AS period, ['power', 'core', 'casual', 'none', 'inactive'][position] AS tier, toInt64(n) AS users
FROM (SELECT arrayJoin(range(27, 118, 7)) AS t, arrayJoin(range(1, 6)) AS position) AS cells LEFT JOIN sizes USING (t, position)
ORDER BY t, position SETTINGS enable_materialized_cte = 1, join_use_nulls = 0
