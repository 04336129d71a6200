/* metrics-api metric=minutes_depth fingerprint=3c66c1201c7b */
WITH scores AS (
  SELECT
    DATE '2026-03-23' AS period,
    users.known_day,
    app_events.score
  FROM (
    SELECT
      user_id AS entity,
      SUM(COALESCE(CASE WHEN minutes BETWEEN -1e20 AND 1e20 THEN CAST(minutes AS DECIMAL(38, 9)) END, 0)) AS score
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-03-01 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-29 22:00:00'
      AND occurred_on >= DATE '2026-02-28'
      AND occurred_on <= DATE '2026-03-30'
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
      )
      AND user_id <> ''
    GROUP BY
      1
  ) AS app_events
  LEFT JOIN (
    SELECT
      id AS who,
      CASE
        WHEN CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1' HOUR
          ELSE signed_up_at + INTERVAL '2' HOUR
        END AS DATE) - DATE '2026-03-02' > 0
        THEN CAST(CASE
          WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
          THEN signed_up_at + INTERVAL '1' HOUR
          ELSE signed_up_at + INTERVAL '2' HOUR
        END AS DATE) - DATE '2026-03-02'
        ELSE 0
      END AS known_day
    FROM users
    WHERE
      id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00'
  ) AS users
    ON app_events.entity = users.who
), by_score AS (
  SELECT
    period,
    known_day,
    score,
    COUNT(*) AS users
  FROM scores
  GROUP BY
    1,
    2,
    3
), ranked AS (
  SELECT
    period,
    score,
    SUM(users) OVER (PARTITION BY period ORDER BY score ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS through,
    SUM(users) OVER (PARTITION BY period) AS people
  FROM by_score
), neighbours AS (
  SELECT
    period,
    MAX(people) AS people,
    MIN(score) FILTER(WHERE through * 100 > (people - 1) * 90) AS low_1,
    MIN(score) FILTER(WHERE (through - 1) * 100 > (people - 1) * 90) AS high_1,
    MIN(score) FILTER(WHERE through * 100 > (people - 1) * 50) AS low_2,
    MIN(score) FILTER(WHERE (through - 1) * 100 > (people - 1) * 50) AS high_2,
    MIN(score) FILTER(WHERE through * 100 > (people - 1) * 25) AS low_3,
    MIN(score) FILTER(WHERE (through - 1) * 100 > (people - 1) * 25) AS high_3
  FROM ranked
  GROUP BY
    1
), thresholds AS (
  SELECT
    period,
    people,
    low_1 + CAST((COALESCE(high_1, low_1) - low_1) * (((people - 1) * 90) % NULLIF(100, 0)) AS DOUBLE) / NULLIF(100, 0) AS threshold_1,
    low_2 + CAST((COALESCE(high_2, low_2) - low_2) * (((people - 1) * 50) % NULLIF(100, 0)) AS DOUBLE) / NULLIF(100, 0) AS threshold_2,
    low_3 + CAST((COALESCE(high_3, low_3) - low_3) * (((people - 1) * 25) % NULLIF(100, 0)) AS DOUBLE) / NULLIF(100, 0) AS threshold_3
  FROM neighbours
), sizes AS (
  SELECT
    by_score.period,
    CASE
      WHEN by_score.score >= thresholds.threshold_1
      THEN 1
      WHEN by_score.score >= thresholds.threshold_2
      THEN 2
      WHEN by_score.score >= thresholds.threshold_3
      THEN 3
      ELSE 4
    END AS position,
    SUM(by_score.users) AS users
  FROM by_score
  LEFT JOIN thresholds
    ON by_score.period = thresholds.period
  GROUP BY
    1,
    2
), known_by_day AS (
  SELECT
    CASE
      WHEN CAST(CASE
        WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN signed_up_at + INTERVAL '1' HOUR
        ELSE signed_up_at + INTERVAL '2' HOUR
      END AS DATE) - DATE '2026-03-02' > 0
      THEN CAST(CASE
        WHEN signed_up_at < TIMESTAMP '2026-03-29 01:00:00'
        THEN signed_up_at + INTERVAL '1' HOUR
        ELSE signed_up_at + INTERVAL '2' HOUR
      END AS DATE) - DATE '2026-03-02'
      ELSE 0
    END AS known_day,
    COUNT(*) AS known_users
  FROM users
  WHERE
    id <> '' AND signed_up_at < TIMESTAMP '2026-03-29 22:00:00'
  GROUP BY
    1
), known_users AS (
  SELECT
    spine.period,
    SUM(known_by_day.known_users) AS known_users
  FROM (VALUES
    (DATE '2026-03-23', 0, 27)) AS spine(period, since, until)
  JOIN known_by_day
    ON known_by_day.known_day <= spine.until
  GROUP BY
    1
), known_active AS (
  SELECT
    spine.period,
    SUM(by_score.users) FILTER(WHERE by_score.known_day <= spine.until) AS known_active
  FROM (VALUES
    (DATE '2026-03-23', 0, 27)) AS spine(period, since, until)
  JOIN by_score
    ON spine.period = by_score.period
  GROUP BY
    1
), every_size AS (
  SELECT
    period,
    position,
    users
  FROM sizes
  UNION ALL
  SELECT
    spine.period,
    5 AS position,
    COALESCE(known_users.known_users, 0) - COALESCE(known_active.known_active, 0) AS users
  FROM (VALUES
    (DATE '2026-03-23')) AS spine(period)
  LEFT JOIN known_users
    ON spine.period = known_users.period
  LEFT JOIN known_active
    ON spine.period = known_active.period
)
SELECT
  0 AS part,
  period,
  tier,
  position,
  users,
  share,
  CAST(NULL AS DOUBLE) AS at_least,
  CAST(NULL AS BOOLEAN) AS degenerate
FROM (
  SELECT
    period,
    tier,
    position,
    users,
    CASE WHEN position <= 4 THEN CAST(users AS DOUBLE) / NULLIF(people, 0) END AS share
  FROM (
    SELECT
      spine.period,
      spine_2.tier,
      spine_2.position,
      COALESCE(every_size.users, 0) AS users,
      SUM(CASE WHEN spine_2.position <= 4 THEN COALESCE(every_size.users, 0) END) OVER (PARTITION BY spine.period) AS people
    FROM (VALUES
      (DATE '2026-03-23')) AS spine(period)
    CROSS JOIN (VALUES
      ('power', 1),
      ('core', 2),
      ('casual', 3),
      ('none', 4),
      ('inactive', 5)) AS spine_2(tier, position)
    LEFT JOIN every_size
      ON spine.period = every_size.period AND spine_2.position = every_size.position
  ) AS spine
  ORDER BY
    period,
    position
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  period,
  tier,
  position,
  CAST(NULL AS BIGINT) AS users,
  CAST(NULL AS DOUBLE) AS share,
  at_least,
  degenerate
FROM (
  SELECT
    spine.period,
    spine_2.tier,
    spine_2.position,
    CASE spine_2.position
      WHEN 1
      THEN thresholds.threshold_1
      WHEN 2
      THEN thresholds.threshold_2
      WHEN 3
      THEN thresholds.threshold_3
    END AS at_least,
    CASE spine_2.position
      WHEN 1
      THEN COALESCE(COALESCE(thresholds.people, 0) < 3 OR thresholds.threshold_1 = thresholds.threshold_2, FALSE)
      WHEN 2
      THEN COALESCE(
        COALESCE(thresholds.people, 0) < 3
        OR thresholds.threshold_2 = thresholds.threshold_1
        OR thresholds.threshold_2 = thresholds.threshold_3,
        FALSE
      )
      WHEN 3
      THEN COALESCE(COALESCE(thresholds.people, 0) < 3 OR thresholds.threshold_3 = thresholds.threshold_2, FALSE)
    END AS degenerate
  FROM (VALUES
    (DATE '2026-03-23')) AS spine(period)
  CROSS JOIN (VALUES
    ('power', 1),
    ('core', 2),
    ('casual', 3)) AS spine_2(tier, position)
  LEFT JOIN thresholds
    ON spine.period = thresholds.period
  ORDER BY
    period,
    position
  LIMIT 10001
) AS found
