-- Each person's moments are one sorted array, split where a pause is too long; one that lasts a day, at its midnights.
WITH days AS (
  SELECT user_id, toDate(toDateTime64(v[1] / 1e6, 6, 'UTC'), 'Europe/Berlin') AS period, v[1] AS first_at, v[-1] - v[1] AS lasted
  FROM (
    SELECT user_id,
      arrayJoin(arrayReduce('groupArrayArray', arrayMap(
        one -> if(one[-1] - one[1] < 86400000000, [one],
          arraySplit((t, d) -> d != 0, one, arrayDifference(arrayMap(t -> toInt32(toDate(toDateTime64(t / 1e6, 6, 'UTC'), 'Europe/Berlin')), one)))),
        arraySplit((t, d) -> d > 1800000000, moments, arrayDifference(moments))))) AS v
    FROM (
      SELECT user_id, arraySort(groupArray(toUnixTimestamp64Micro(occurred_at))) AS moments
      FROM app_events
      WHERE occurred_at >= TIMESTAMP '2025-08-31 21:30:00' AND occurred_at < TIMESTAMP '2025-12-01 23:30:00' AND NOT COALESCE(is_internal, FALSE) AND user_id != ''
      GROUP BY user_id
    )
  )
)
SELECT period, count() AS visits, uniqExact(user_id) AS users, quantileExactInclusive(0.5)(lasted) / 6e7 AS median
FROM days
WHERE period BETWEEN toDate('2025-09-02') AND toDate('2025-11-30')
GROUP BY period ORDER BY period
