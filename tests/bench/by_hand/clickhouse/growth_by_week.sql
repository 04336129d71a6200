WITH patterns AS (
  SELECT weeks, count() AS n
  FROM (
    SELECT groupBitOr(bitShiftLeft(1::UInt32, if(occurred_at < TIMESTAMP '2025-08-24 22:00:00', 0, intDiv(dateDiff('day', toDate('2025-08-18'), toDate(occurred_at, 'Europe/Berlin')), 7)))) AS weeks
    FROM app_events
    WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared') AND user_id != ''
    GROUP BY user_id
  ) GROUP BY weeks
), told AS (
  SELECT t, n, bitTest(weeks, t) AS here, bitTest(weeks, t - 1) AS before, bitAnd(weeks, bitShiftLeft(1::UInt32, t) - 1) != 0 AS ever
  FROM patterns ARRAY JOIN range(2, 15) AS t
)
SELECT toDate('2025-08-18') + 7 * t AS period,
  toInt64(sumIf(n, here AND NOT ever)) AS fresh, toInt64(sumIf(n, here AND before)) AS back, toInt64(sumIf(n, here AND ever AND NOT before)) AS resurrecting,
  toInt64(sumIf(n, before AND NOT here)) AS dormant, toInt64(sumIf(n, ever AND NOT here)) AS dormant_stock,
  fresh + back + resurrecting AS active, (fresh + resurrecting) / nullIf(dormant, 0) AS quick_ratio, fresh + resurrecting - dormant AS net_change
FROM told GROUP BY t ORDER BY t
