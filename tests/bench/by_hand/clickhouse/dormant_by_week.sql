-- Once and long ago: of everybody the first two moments decide.
SELECT toDate('2025-08-09') + t - 6 AS period, toInt64(countIf(first < t - 29 AND second > t)) AS size
FROM (
  SELECT moments[1] AS first, if(length(moments) > 1, moments[2], 1000) AS second
  FROM (
    SELECT groupArraySorted(2)(dateDiff('day', toDate('2025-08-09'), toDate(occurred_at, 'Europe/Berlin'))) AS moments
    FROM app_events
    WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    GROUP BY user_id
  )
) ARRAY JOIN range(29, 114, 7) AS t
GROUP BY t ORDER BY t
