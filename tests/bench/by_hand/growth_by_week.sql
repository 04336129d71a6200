WITH people AS (
  SELECT
    user_id,
    BIT_OR(CASE WHEN occurred_at < TIMESTAMP '2025-08-24 22:00:00' THEN 1::USMALLINT ELSE 1::USMALLINT << ((CAST(occurred_at + CASE WHEN occurred_at < TIMESTAMP '2025-10-26 01:00:00' THEN INTERVAL 2 HOUR ELSE INTERVAL 1 HOUR END AS DATE) - DATE '2025-08-18') // 7)::USMALLINT END) AS weeks
  FROM app_events
  WHERE occurred_at < TIMESTAMP '2025-11-30 23:00:00' AND NOT COALESCE(is_internal, FALSE) AND ((event = 'watched' AND minutes >= 3) OR event = 'shared')
  GROUP BY 1
), patterns AS (SELECT weeks::INT AS weeks, COUNT(*) AS n FROM people WHERE user_id <> '' GROUP BY 1),
told AS (
  SELECT t, n, weeks & (1 << t) <> 0 AS here, weeks & (1 << (t - 1)) <> 0 AS before, weeks & ((1 << t) - 1) <> 0 AS ever
  FROM patterns, RANGE(2, 15) AS r(t)
), counted AS (
  SELECT
    t,
    COALESCE(SUM(n) FILTER (WHERE here AND NOT ever), 0) AS fresh,
    COALESCE(SUM(n) FILTER (WHERE here AND before), 0) AS back,
    COALESCE(SUM(n) FILTER (WHERE here AND ever AND NOT before), 0) AS resurrecting,
    COALESCE(SUM(n) FILTER (WHERE before AND NOT here), 0) AS dormant,
    COALESCE(SUM(n) FILTER (WHERE ever AND NOT here), 0) AS dormant_stock
  FROM told
  GROUP BY 1
)
SELECT
  DATE '2025-08-18' + 7 * t::INT AS period, fresh AS "new", back AS "returning", resurrecting, dormant, dormant_stock, fresh + back + resurrecting AS active,
  (fresh + resurrecting) / NULLIF(dormant, 0) AS quick_ratio, fresh + resurrecting - dormant AS net_change
FROM counted
ORDER BY 1
