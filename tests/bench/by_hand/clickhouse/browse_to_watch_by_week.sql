-- By week of entry: looking from the end, each step knows the next search and the video after that.
WITH tried AS (
  SELECT user_id, intDiv(step, 8) AS t1, if(to_search <= t1 + 86400000000, to_search, 1152921504606846976) AS t2, if(to_video <= t1 + 86400000000, to_video, 1152921504606846976) AS t3
  FROM (
    SELECT user_id, arraySort(groupArray(toUnixTimestamp64Micro(occurred_at) * 8 + multiIf(event = 'opened_app', 1, event = 'searched', 2, 3))) AS steps,
      arrayReverseFill(t -> t > 0, arrayPushBack(arrayMap(s -> if(bitAnd(s, 7) = 3, intDiv(s, 8), 0), steps), 1152921504606846976)) AS videos,
      arrayReverseFill(t -> t > 0, arrayPushBack(arrayMap(s -> if(bitAnd(s, 7) = 2, intDiv(s, 8), 0), steps), 1152921504606846976)) AS searches,
      arrayReverseFill(t -> t > 0, arrayPushBack(arrayMap((s, v) -> if(bitAnd(s, 7) = 2, v, 0), steps, arrayPopBack(videos)), 1152921504606846976)) AS videos_after
    FROM app_events
    WHERE occurred_at >= TIMESTAMP '2025-08-31 22:00:00' AND occurred_at <= toDateTime64('$data_through', 6, 'UTC') AND NOT COALESCE(is_internal, FALSE) AND (event IN ('opened_app', 'searched') OR (event = 'watched' AND minutes >= 10)) AND user_id != ''
    GROUP BY user_id
  )
  ARRAY JOIN steps AS step, arrayPopBack(searches) AS to_search, arrayPopBack(videos_after) AS to_video
  WHERE bitAnd(step, 7) = 1 AND step < toUnixTimestamp64Micro(toDateTime64('2025-11-30 23:00:00', 6, 'UTC')) * 8
), best AS (
  SELECT toMonday(fromUnixTimestamp64Micro(t1, 'Europe/Berlin')) AS period, min(t3) < 1152921504606846976 AS is_done, argMin(t1, (t3, if(t3 < 1152921504606846976, 0, t2), if(t2 < 1152921504606846976, -t1, t1))) AS entry
  FROM tried GROUP BY user_id, period
)
SELECT period, toInt64(count()) AS entered, toInt64(countIf(is_done)) AS converted,
  toInt64(countIf(NOT is_done AND entry > toUnixTimestamp64Micro(toDateTime64('$data_through', 6, 'UTC')) - 86400000000)) AS pending,
  toInt64(countIf(entry <= toUnixTimestamp64Micro(toDateTime64('$data_through', 6, 'UTC')) - 86400000000)) AS mature_entered
FROM best GROUP BY period ORDER BY period
