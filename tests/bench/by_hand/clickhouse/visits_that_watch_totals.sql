-- Every visit looks forward to the next video; no attempt is chosen.
WITH visits AS (
  SELECT intDiv(step, 8) AS t1, to_video <= t1 + 3600000000 AS is_done, to_video - t1 AS took, t1 <= toUnixTimestamp64Micro(toDateTime64('$data_through', 6, 'UTC')) - 3600000000 AS mature
  FROM (
    SELECT arraySort(groupArray(toUnixTimestamp64Micro(occurred_at) * 8 + if(event = 'opened_app', 1, 2))) AS steps,
      arrayReverseFill(t -> t > 0, arrayPushBack(arrayMap(s -> if(bitAnd(s, 7) = 2, intDiv(s, 8), 0), steps), 1152921504606846976)) AS videos
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= toDateTime64('$data_through', 6, 'UTC') AND NOT COALESCE(is_internal, FALSE) AND (event = 'opened_app' OR (event = 'watched' AND minutes >= 1)) AND user_id != ''
    GROUP BY user_id
  )
  ARRAY JOIN steps AS step, arrayPopBack(videos) AS to_video
  WHERE bitAnd(step, 7) = 1 AND step < toUnixTimestamp64Micro(toDateTime64('2025-11-30 23:00:00', 6, 'UTC')) * 8
), totals AS (
  SELECT [count(), countIf(is_done)] AS all_converted, [countIf(mature), countIf(is_done AND mature)] AS all_mature,
    [NULL, avgIf(took, is_done) / 1e6] AS means, [NULL, quantileExactInclusiveIf(0.5)(took, is_done) / 1e6] AS medians
  FROM visits
)
SELECT toInt64(place) AS position, toInt64(c) AS converted, toInt64(m) AS mature, mean, median
FROM totals
ARRAY JOIN [1, 2] AS place, all_converted AS c, all_mature AS m, means AS mean, medians AS median
ORDER BY position
