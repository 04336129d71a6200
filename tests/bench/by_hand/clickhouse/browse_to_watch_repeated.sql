-- A person's steps in order, each a number of its time and step; the latest entry is carried forward through the array.
WITH people AS (
  SELECT arraySort(groupArray(toUnixTimestamp64Micro(occurred_at) * 8 + multiIf(event = 'opened_app', 1, event = 'searched', 2, 3))) AS steps,
    arrayFill(e -> e > 0, arrayMap(s -> if(bitAnd(s, 7) = 1, intDiv(s, 8), 0), steps)) AS opened,
    arrayMap((s, e) -> if(bitAnd(s, 7) = 2 AND e > 0 AND intDiv(s, 8) <= e + 86400000000, e, 0), steps, opened) AS led,
    arrayMap((s, e) -> if(bitAnd(s, 7) = 3 AND e > 0 AND intDiv(s, 8) <= e + 86400000000, e, 0), steps, arrayFill(e -> e > 0, led)) AS done,
    arrayFirstIndex(e -> e > 0, done) AS third, if(third > 0, arrayFirstIndex(e -> e = done[third], led), arrayFirstIndex(e -> e > 0, led)) AS second
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= toDateTime64('$data_through', 6, 'UTC') AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched') OR (event = 'watched' AND minutes >= 10)) AND NOT (event = 'opened_app' AND occurred_at >= TIMESTAMP '2025-11-30 23:00:00')
  GROUP BY user_id
  HAVING countIf(event = 'opened_app') > 0
), totals AS (
  SELECT [count(), countIf(second > 0), countIf(third > 0)] AS all_converted,
    [countIf(mature), countIf(second > 0 AND mature), countIf(third > 0 AND mature)] AS all_mature,
    [NULL, avgIf(t2 - t1, second > 0) / 1e6, avgIf(t3 - t1, third > 0) / 1e6] AS means,
    [NULL, quantileExactInclusiveIf(0.5)(t2 - t1, second > 0) / 1e6, quantileExactInclusiveIf(0.5)(t3 - t1, third > 0) / 1e6] AS medians
  FROM (
    SELECT second, third, if(second > 0, led[second], intDiv(arrayFirst(s -> bitAnd(s, 7) = 1, steps), 8)) AS t1, intDiv(steps[second], 8) AS t2, intDiv(steps[third], 8) AS t3,
      t1 <= toUnixTimestamp64Micro(toDateTime64('$data_through', 6, 'UTC')) - 86400000000 AS mature
    FROM people
  )
)
SELECT toInt64(place) AS position, toInt64(c) AS converted, toInt64(m) AS mature, mean, median
FROM totals
ARRAY JOIN [1, 2, 3] AS place, all_converted AS c, all_mature AS m, means AS mean, medians AS median
ORDER BY position
