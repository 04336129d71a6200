-- Everything of a person in one row: the first search ever, and in sorted arrays what comes after it.
WITH people AS (
  SELECT minIf(at, event = 'searched' AND at < TIMESTAMP '2025-11-30 23:00:00') AS t1,
    arrayFirstOrNull(t -> true, arraySort(arrayFilter(t -> t >= t1 AND t <= t1 + INTERVAL 48 HOUR, groupArrayIf(at, event = 'added_to_list')))) AS list,
    arrayFirstOrNull(t -> true, arraySort(arrayFilter(t -> t >= t1 AND t <= t1 + INTERVAL 336 HOUR, groupArrayIf(at, event IN ('watched', 'shared'))))) AS video,
    arrayFirstOrNull(t -> true, arraySort(arrayFilter(t -> t > t1 AND t <= t1 + INTERVAL 336 HOUR, groupArrayIf(at, event = 'clicked_profile_picture')))) AS click
  FROM (
    SELECT user_id, event, occurred_at AS at FROM app_events
    WHERE occurred_at <= toDateTime64('$data_through', 6, 'UTC') AND NOT COALESCE(is_internal, FALSE) AND (event IN ('searched', 'added_to_list', 'clicked_profile_picture') OR ((event = 'watched' AND minutes >= 3) OR event = 'shared')) AND (event = 'searched' OR occurred_at >= TIMESTAMP '2025-09-01 22:00:00') AND user_id != ''
  )
  GROUP BY user_id
  HAVING countIf(event = 'searched' AND at < TIMESTAMP '2025-11-30 23:00:00') > 0 AND t1 >= TIMESTAMP '2025-09-01 22:00:00'
), attempts AS (
  SELECT t1, if(click < video, NULL, video) AS t3, if((t3 IS NULL OR list <= t3) AND (click IS NULL OR click >= t3 OR list <= click), list, NULL) AS t2
  FROM people
), totals AS (
  SELECT [count(), countIf(t2 IS NOT NULL), countIf(t3 IS NOT NULL)] AS all_converted, countIf(t1 <= toDateTime64('$data_through', 6, 'UTC') - INTERVAL 336 HOUR) AS mature,
    [NULL, avg(dateDiff('microsecond', t1, t2)) / 1e6, avg(dateDiff('microsecond', t1, t3)) / 1e6] AS means,
    [NULL, quantileExactInclusive(0.5)(dateDiff('microsecond', t1, t2)) / 1e6, quantileExactInclusive(0.5)(dateDiff('microsecond', t1, t3)) / 1e6] AS medians
  FROM attempts
)
SELECT toInt64(place) AS position, toInt64(c) AS converted, toInt64(mature) AS mature_entered, mean, median
FROM totals
ARRAY JOIN [1, 2, 3] AS place, all_converted AS c, means AS mean, medians AS median
ORDER BY position
