-- The entry happens once a person: everything of a person in one row, the steps found in sorted arrays.
WITH people AS (
  SELECT
    minIf(occurred_at, event = 'sign_up') AS t1,
    arraySort(groupArrayIf(occurred_at, event = 'added_to_list')) AS added,
    arraySort(groupArrayIf(occurred_at, ((event = 'watched' AND minutes >= 3) OR event = 'shared'))) AS valued,
    arrayFirstOrNull(t -> t >= t1 AND t <= t1 + INTERVAL 30 DAY, added) AS t2,
    if(t2 IS NULL, NULL, arrayFirstOrNull(t -> t >= t2 AND t <= t1 + INTERVAL 30 DAY, valued)) AS t3
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-09-01 22:00:00' AND occurred_at <= toDateTime64('$data_through', 6, 'UTC') AND NOT COALESCE(is_internal, FALSE)
    AND (event IN ('sign_up', 'added_to_list') OR ((event = 'watched' AND minutes >= 3) OR event = 'shared'))
  GROUP BY user_id
  HAVING countIf(event = 'sign_up' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00') > 0
), totals AS (
  SELECT
    [count(), countIf(t2 IS NOT NULL), countIf(t3 IS NOT NULL)] AS all_converted,
    [countIf(mature), countIf(t2 IS NOT NULL AND mature), countIf(t3 IS NOT NULL AND mature)] AS all_mature,
    [NULL, avg(dateDiff('microsecond', t1, t2)) / 1e6, avg(dateDiff('microsecond', t1, t3)) / 1e6] AS means,
    [NULL, quantileExactInclusive(0.5)(dateDiff('microsecond', t1, t2)) / 1e6, quantileExactInclusive(0.5)(dateDiff('microsecond', t1, t3)) / 1e6] AS medians
  FROM (SELECT t1, t2, t3, t1 <= toDateTime64('$data_through', 6, 'UTC') - INTERVAL 30 DAY AS mature FROM people)
)
SELECT toInt64(place) AS position, toInt64(c) AS converted, toInt64(m) AS mature, mean, median
FROM totals
ARRAY JOIN [1, 2, 3] AS place, all_converted AS c, all_mature AS m, means AS mean, medians AS median
ORDER BY position
