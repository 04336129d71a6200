WITH people AS (
  SELECT user_id, groupBitOr(bitShiftLeft(1::UInt128, dateDiff('day', toDate('2025-08-05'), toDate(occurred_at, 'Europe/Berlin')))) AS days
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-04 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY user_id
), windows AS (SELECT 27 + number AS t, bitShiftLeft(bitShiftLeft(1::UInt128, 28) - 1, number) AS mask, bitShiftLeft(1::UInt128, 27 + number) AS last FROM numbers(91))
SELECT toMonday(toDate('2025-08-05') + t) AS period, avg(short / long) AS value
FROM (
  SELECT t, count() AS long, countIf(bitAnd(days, last) != 0) AS short
  FROM people CROSS JOIN windows WHERE bitAnd(days, mask) != 0
  GROUP BY t
)
GROUP BY period ORDER BY period
