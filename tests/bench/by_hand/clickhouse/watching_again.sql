-- Recurring and on or after: weeks of people are bits, and so are those with more than one instant; people with equal bits
-- together. Returns count until the data ends, starts to the end of the range.
WITH patterns AS (
  SELECT weeks, again, latest, count() AS n
  FROM (
    SELECT groupBitOr(bitShiftLeft(1::UInt32, w)) AS weeks, groupBitOr(if(first < last, bitShiftLeft(1::UInt32, w), 0)) AS again, max(w) AS latest
    FROM (
      SELECT user_id, intDiv(dateDiff('day', toDate('2025-09-01'), toDate(occurred_at, 'Europe/Berlin')), 7) AS w, min(occurred_at) AS first, max(occurred_at) AS last
      FROM app_events
      WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= toDateTime64('$data_through', 6, 'UTC') AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared') AND user_id != ''
      GROUP BY user_id, w
    ) GROUP BY user_id
  ) GROUP BY weeks, again, latest
), reached AS (
  SELECT c, multiIf(latest > c, least(latest - c, 8), bitTest(again, c), 0, -1) AS k, sum(n) AS n
  FROM patterns ARRAY JOIN range(13) AS c WHERE bitTest(weeks, c) GROUP BY c, k
)
SELECT toDate('2025-09-01') + 7 * c AS start, toInt64(j) AS period_index, toInt64(sum(n)) AS size,
  if(dateDiff('day', toDate('2025-09-01'), toDate(toDateTime64('$data_through', 6, 'UTC'), 'Europe/Berlin')) >= 7 * (c + j + 1), toInt64(sumIf(n, k >= j)), NULL) AS users
FROM reached ARRAY JOIN range(9) AS j
GROUP BY c, j ORDER BY start, period_index
