-- Days first, visits from one step as in visits_by_day; all components of a person side by side, weighed once.
WITH slots AS (
  SELECT user_id, EPOCH_US(occurred_at) // 1800000000 AS slot, MIN(occurred_at) AS first_at, MAX(occurred_at) AS last_at
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-09 21:30:00' AND occurred_at < TIMESTAMP '2025-12-01 23:30:00' AND NOT COALESCE(is_internal, FALSE) AND user_id <> ''
  GROUP BY 1, 2
), told AS (
  SELECT *, LAG(last_at) OVER person AS before, MAX(last_at) OVER (PARTITION BY user_id) AS latest
  FROM slots WINDOW person AS (PARTITION BY user_id ORDER BY slot)
), whole AS (
  SELECT user_id, first_at, COALESCE(LEAD(before) OVER (PARTITION BY user_id ORDER BY slot), latest) AS last_at
  FROM told WHERE before IS NULL OR before + INTERVAL 30 MINUTE < first_at
), long AS (SELECT * FROM whole WHERE last_at >= first_at + INTERVAL 1 DAY
), visits AS (
  SELECT * FROM whole WHERE last_at < first_at + INTERVAL 1 DAY
  UNION ALL
  SELECT slots.user_id, MIN(slots.first_at), MAX(slots.last_at)
  FROM slots JOIN long ON slots.user_id = long.user_id AND slots.first_at BETWEEN long.first_at AND long.last_at
  GROUP BY slots.user_id, long.first_at, CAST(slots.first_at + CASE WHEN slots.first_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE)
), windows AS (SELECT t FROM RANGE(27, 118, 7) AS r(t)
), stays AS (
  SELECT CAST(first_at + CASE WHEN first_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-11' AS d, user_id, SUM(EPOCH_US(last_at) - EPOCH_US(first_at)) AS lasted
  FROM visits WHERE first_at >= TIMESTAMP '2025-08-10 22:00:00' AND first_at < TIMESTAMP '2025-11-30 23:00:00' GROUP BY 1, 2
), stayed AS (SELECT t, user_id, SUM(lasted) / 6e7 AS minutes FROM stays JOIN windows ON d BETWEEN t - 27 AND t GROUP BY 1, 2
), longest AS (SELECT t, QUANTILE_CONT(minutes, 0.95) AS q FROM stayed GROUP BY 1
), days AS (
  SELECT user_id, CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-11' AS d,
    BIT_OR(CASE event WHEN 'watched' THEN 1 WHEN 'searched' THEN 2 WHEN 'added_to_list' THEN 4 ELSE 9 END) AS mask
  FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND user_id <> ''
    AND (((event = 'watched' AND minutes >= 3) OR event = 'shared') OR event IN ('searched', 'added_to_list'))
  GROUP BY 1, 2
), done AS (
  SELECT t, user_id, BIT_COUNT(BIT_OR(mask)) AS features, COUNT(*) FILTER (mask & 1 = 1) AS active
  FROM days JOIN windows ON d BETWEEN t - 27 AND t GROUP BY 1, 2
), s1 AS (
  SELECT user_id, MIN(occurred_at) AS t1 FROM app_events
  WHERE occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND event = 'sign_up' AND user_id <> '' GROUP BY 1
), s2 AS MATERIALIZED (
  SELECT s1.user_id, ANY_VALUE(t1) AS t1, MIN(e.occurred_at) AS t2
  FROM s1 JOIN app_events AS e ON e.user_id = s1.user_id
    AND occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND e.event = 'added_to_list'
    AND e.occurred_at >= t1 AND e.occurred_at <= t1 + INTERVAL 30 DAY
  GROUP BY 1
), s3 AS MATERIALIZED (
  SELECT DISTINCT s2.user_id
  FROM s2 JOIN app_events AS e ON e.user_id = s2.user_id
    AND occurred_at >= TIMESTAMP '2025-08-10 22:00:00' AND occurred_at <= TIMESTAMP '$data_through' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
    AND e.occurred_at >= t2 AND e.occurred_at <= t1 + INTERVAL 30 DAY
), signed AS (
  SELECT user_id, CAST(t1 + CASE WHEN t1 < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-11' AS d, user_id IN (SELECT user_id FROM s3) AS converted
  FROM s1
), every AS (
  SELECT t, user_id, minutes, NULL AS features, NULL AS active, NULL AS converted FROM stayed
  UNION ALL SELECT t, user_id, NULL, features, active, NULL FROM done
  UNION ALL SELECT t, user_id, NULL, NULL, NULL, converted::INT FROM signed JOIN windows ON d BETWEEN t - 27 AND t
), people AS (
  SELECT t, user_id, MAX(minutes) AS minutes, MAX(features) AS features, MAX(active) AS active, MAX(converted) AS converted FROM every GROUP BY 1, 2
)
SELECT DATE '2025-08-11' + t::INT - 6 AS period, AVG(FLOOR(250000 * COALESCE(CASE WHEN minutes >= q AND minutes > 0 THEN 1 ELSE minutes / q END, 0)
  + 250000 * COALESCE(features, 0) / 4 + 300000 * LEAST(COALESCE(active, 0), 20) / 20 + 200000 * COALESCE(converted, 0) + 0.500001)) / 10000 AS value, COUNT(*) AS users
FROM people JOIN longest USING (t) GROUP BY 1 ORDER BY 1
