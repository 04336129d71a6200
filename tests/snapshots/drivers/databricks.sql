/* metrics-api metric=what_makes_power_users fingerprint=2f983a26202e */
WITH started AS (
  SELECT
    entity,
    started,
    platform,
    CAST(FLOOR(CAST(DATEDIFF(CAST(started + INTERVAL '1' HOUR AS DATE), DATE '2026-01-05') AS DOUBLE) / 7) AS BIGINT) AS bucket
  FROM (
    SELECT
      entity,
      MIN(`at`) AS started,
      MIN_BY(platform, `at`) AS platform
    FROM (
      SELECT
        user_id AS entity,
        occurred_at AS `at`,
        MIN(COALESCE(platform, '(none)')) AS platform
      FROM app_events
      WHERE
        occurred_at >= TIMESTAMP '2026-01-04 23:00:00'
        AND occurred_at < TIMESTAMP '2026-02-22 23:00:00'
        AND occurred_on >= DATE '2026-01-03'
        AND occurred_on <= DATE '2026-02-23'
        AND NOT COALESCE(is_internal, FALSE)
        AND event = 'sign_up'
        AND user_id <> ''
      GROUP BY
        1,
        2
    ) AS app_events
    GROUP BY
      1
  ) AS app_events
), returned_people AS (
  SELECT
    app_events.entity AS who
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS `at`,
      CAST(FLOOR(CAST(DATEDIFF(CAST(occurred_at + INTERVAL '1' HOUR AS DATE), DATE '2026-01-05') AS DOUBLE) / 7) AS BIGINT) AS return_bucket
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-01-04 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-22 23:00:00'
      AND occurred_on >= DATE '2026-01-03'
      AND occurred_on <= DATE '2026-03-23'
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
      )
  ) AS app_events
  JOIN started
    ON app_events.entity = started.entity
    AND app_events.`at` > started.started
    AND app_events.return_bucket <= started.bucket + 4
  WHERE
    app_events.return_bucket - started.bucket >= 4 AND app_events.return_bucket - started.bucket <= 4
  GROUP BY
    1
), people AS (
  SELECT
    started.entity,
    started.platform,
    DATEDIFF(CAST(started.started + INTERVAL '1' HOUR AS DATE), DATE '2026-01-05') AS start_day,
    CASE WHEN started.bucket <= 6 THEN 1 ELSE 0 END AS is_observed,
    CASE WHEN started.bucket >= 5 THEN 1 ELSE 0 END AS is_held,
    CASE WHEN returned_people.who IS NOT NULL THEN 1 ELSE 0 END AS is_returned
  FROM started
  LEFT JOIN returned_people
    ON started.entity = returned_people.who
), known_people AS (
  SELECT
    entity,
    platform,
    start_day,
    is_held,
    is_returned
  FROM people
  WHERE
    is_observed = 1
), people_2 AS (
  SELECT
    app_events.entity,
    BIT_OR(SHIFTLEFT(CAST(1 AS BIGINT), CAST(app_events.`day` - known_people.start_day AS INT))) AS days
  FROM (
    SELECT
      DATEDIFF(CAST(occurred_at + INTERVAL '1' HOUR AS DATE), DATE '2026-01-05') AS `day`,
      user_id AS entity
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-01-04 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-07 23:00:00'
      AND occurred_on >= DATE '2026-01-03'
      AND occurred_on <= DATE '2026-03-08'
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
      )
      AND user_id <> ''
  ) AS app_events
  JOIN known_people
    ON app_events.entity = known_people.entity
    AND app_events.`day` >= known_people.start_day
    AND app_events.`day` < known_people.start_day + 14
  GROUP BY
    1
), scores_0 AS (
  SELECT
    people_2.entity,
    BIT_COUNT(people_2.days & spine.mask) AS score
  FROM VALUES
    (0, 16383) AS spine(period, mask)
  CROSS JOIN people_2
  WHERE
    (people_2.days & spine.mask) <> 0
), people_by_score_0 AS (
  SELECT
    known_people.platform,
    CAST(COALESCE(scores_0.score, 0) AS DOUBLE) / NULLIF(1, 0) AS score,
    COUNT(*) FILTER(WHERE known_people.is_held = 0 AND known_people.is_returned = 1) AS returned,
    COUNT(*) FILTER(WHERE known_people.is_held = 0 AND known_people.is_returned = 0) AS lost,
    COUNT(*) FILTER(WHERE known_people.is_held = 1 AND known_people.is_returned = 1) AS later_returned,
    COUNT(*) FILTER(WHERE known_people.is_held = 1 AND known_people.is_returned = 0) AS later_lost
  FROM known_people
  LEFT JOIN scores_0
    ON known_people.entity = scores_0.entity
  GROUP BY
    1,
    2
), numbered AS (
  SELECT
    app_events.`day` - known_people.start_day AS `day`,
    app_events.entity,
    app_events.has_0,
    app_events.has_1,
    app_events.has_2,
    app_events.has_3
  FROM (
    SELECT
      DATEDIFF(CAST(occurred_at + INTERVAL '1' HOUR AS DATE), DATE '2026-01-05') AS `day`,
      user_id AS entity,
      CASE
        WHEN (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
        THEN 1
        ELSE 0
      END AS has_0,
      CASE WHEN event = 'searched' THEN 1 ELSE 0 END AS has_1,
      CASE WHEN event = 'added_to_list' THEN 1 ELSE 0 END AS has_2,
      CASE WHEN event = 'shared' THEN 1 ELSE 0 END AS has_3
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-01-04 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-07 23:00:00'
      AND occurred_on >= DATE '2026-01-03'
      AND occurred_on <= DATE '2026-03-08'
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
        OR event = 'searched'
        OR event = 'added_to_list'
      )
      AND user_id <> ''
  ) AS app_events
  JOIN known_people
    ON app_events.entity = known_people.entity
    AND app_events.`day` >= known_people.start_day
    AND app_events.`day` < known_people.start_day + 14
), people_3 AS (
  SELECT
    entity,
    BIT_OR(SHIFTLEFT(CAST(1 AS BIGINT), CAST(`day` AS INT))) FILTER(WHERE has_0 = 1) AS days_0,
    BIT_OR(SHIFTLEFT(CAST(1 AS BIGINT), CAST(`day` AS INT))) FILTER(WHERE has_1 = 1) AS days_1,
    BIT_OR(SHIFTLEFT(CAST(1 AS BIGINT), CAST(`day` AS INT))) FILTER(WHERE has_2 = 1) AS days_2,
    BIT_OR(SHIFTLEFT(CAST(1 AS BIGINT), CAST(`day` AS INT))) FILTER(WHERE has_3 = 1) AS days_3
  FROM numbered
  GROUP BY
    1
), scored AS (
  SELECT
    people_3.entity,
    CASE WHEN (people_3.days_0 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people_3.days_1 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people_3.days_2 & spine.mask) <> 0 THEN 1 ELSE 0 END + CASE WHEN (people_3.days_3 & spine.mask) <> 0 THEN 1 ELSE 0 END AS score
  FROM VALUES
    (0, 16383) AS spine(period, mask)
  CROSS JOIN people_3
), scores_1 AS (
  SELECT
    entity,
    score
  FROM scored
  WHERE
    score > 0
), people_by_score_1 AS (
  SELECT
    known_people.platform,
    CAST(COALESCE(scores_1.score, 0) AS DOUBLE) / NULLIF(1, 0) AS score,
    COUNT(*) FILTER(WHERE known_people.is_held = 0 AND known_people.is_returned = 1) AS returned,
    COUNT(*) FILTER(WHERE known_people.is_held = 0 AND known_people.is_returned = 0) AS lost,
    COUNT(*) FILTER(WHERE known_people.is_held = 1 AND known_people.is_returned = 1) AS later_returned,
    COUNT(*) FILTER(WHERE known_people.is_held = 1 AND known_people.is_returned = 0) AS later_lost
  FROM known_people
  LEFT JOIN scores_1
    ON known_people.entity = scores_1.entity
  GROUP BY
    1,
    2
), scores_2 AS (
  SELECT
    app_events.entity,
    SUM(app_events.amount) AS score
  FROM (
    SELECT
      DATEDIFF(CAST(occurred_at + INTERVAL '1' HOUR AS DATE), DATE '2026-01-05') AS `day`,
      user_id AS entity,
      COALESCE(CASE WHEN minutes BETWEEN -1e20 AND 1e20 THEN CAST(minutes AS DECIMAL(38, 9)) END, 0) AS amount
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-01-04 23:00:00'
      AND occurred_at < TIMESTAMP '2026-03-07 23:00:00'
      AND occurred_on >= DATE '2026-01-03'
      AND occurred_on <= DATE '2026-03-08'
      AND NOT COALESCE(is_internal, FALSE)
      AND (
        (
          event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
        )
        OR event = 'shared'
      )
      AND user_id <> ''
  ) AS app_events
  JOIN known_people
    ON app_events.entity = known_people.entity
    AND app_events.`day` >= known_people.start_day
    AND app_events.`day` < known_people.start_day + 14
  GROUP BY
    1
), people_by_score_2 AS (
  SELECT
    known_people.platform,
    CAST(COALESCE(scores_2.score, 0) AS DOUBLE) / NULLIF(1, 0) AS score,
    COUNT(*) FILTER(WHERE known_people.is_held = 0 AND known_people.is_returned = 1) AS returned,
    COUNT(*) FILTER(WHERE known_people.is_held = 0 AND known_people.is_returned = 0) AS lost,
    COUNT(*) FILTER(WHERE known_people.is_held = 1 AND known_people.is_returned = 1) AS later_returned,
    COUNT(*) FILTER(WHERE known_people.is_held = 1 AND known_people.is_returned = 0) AS later_lost
  FROM known_people
  LEFT JOIN scores_2
    ON known_people.entity = scores_2.entity
  GROUP BY
    1,
    2
), histogram AS (
  SELECT
    0 AS candidate,
    platform,
    score,
    returned,
    lost,
    later_returned,
    later_lost
  FROM people_by_score_0
  UNION ALL
  SELECT
    1 AS candidate,
    platform,
    score,
    returned,
    lost,
    later_returned,
    later_lost
  FROM people_by_score_1
  UNION ALL
  SELECT
    2 AS candidate,
    platform,
    score,
    returned,
    lost,
    later_returned,
    later_lost
  FROM people_by_score_2
), in_order AS (
  SELECT
    candidate,
    platform,
    score,
    returned,
    lost,
    later_returned,
    later_lost,
    ROW_NUMBER() OVER (PARTITION BY candidate, platform ORDER BY score) AS place,
    COALESCE(
      SUM(returned + lost + later_returned + later_lost) OVER (PARTITION BY candidate, platform ORDER BY score ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      0
    ) AS before,
    SUM(returned + lost + later_returned + later_lost) OVER (PARTITION BY candidate, platform) AS people,
    SUM(1) OVER (PARTITION BY candidate, platform) AS scores
  FROM histogram
), bins AS (
  SELECT
    candidate,
    platform,
    score,
    returned,
    lost,
    later_returned,
    later_lost,
    CASE WHEN scores <= 200 THEN place ELSE CAST(FLOOR(CAST(before * 200 AS DOUBLE) / people) AS BIGINT) END AS bin,
    CASE
      WHEN candidate = 0
      THEN CASE WHEN score < 1.0 THEN 0 WHEN score < 3.0 THEN 1 WHEN score < 6.0 THEN 2 ELSE 3 END
      ELSE 0
    END AS segment
  FROM in_order
), binned AS (
  SELECT
    candidate,
    platform,
    bin,
    segment,
    MIN(score) AS score,
    SUM(returned) AS returned,
    SUM(lost) AS lost,
    SUM(later_returned) AS later_returned,
    SUM(later_lost) AS later_lost
  FROM bins
  GROUP BY
    1,
    2,
    3,
    4
), counted AS (
  SELECT
    platform,
    COUNT(*) AS people,
    COUNT(*) FILTER(WHERE is_observed = 1) AS observed,
    COUNT(*) FILTER(WHERE is_observed = 0) AS unobserved,
    COUNT(*) FILTER(WHERE is_observed = 1 AND is_held = 1) AS held_out,
    COUNT(*) FILTER(WHERE is_observed = 1 AND is_returned = 1) AS returned
  FROM people
  GROUP BY
    1
)
SELECT
  0 AS part,
  candidate,
  platform,
  score,
  returned,
  lost,
  later_returned,
  later_lost,
  CAST(NULL AS BIGINT) AS people,
  CAST(NULL AS BIGINT) AS observed,
  CAST(NULL AS BIGINT) AS unobserved,
  CAST(NULL AS BIGINT) AS held_out,
  CAST(NULL AS DOUBLE) AS base_rate,
  CAST(NULL AS BIGINT) AS horizon
FROM (
  SELECT
    candidate,
    platform,
    score,
    returned,
    lost,
    later_returned,
    later_lost
  FROM binned
  ORDER BY
    platform NULLS LAST,
    score NULLS LAST
  LIMIT 500001
) AS found
UNION ALL
SELECT
  1 AS part,
  CAST(NULL AS BIGINT) AS candidate,
  platform,
  CAST(NULL AS DOUBLE) AS score,
  returned,
  CAST(NULL AS BIGINT) AS lost,
  CAST(NULL AS BIGINT) AS later_returned,
  CAST(NULL AS BIGINT) AS later_lost,
  people,
  observed,
  unobserved,
  held_out,
  base_rate,
  horizon
FROM (
  SELECT
    platform,
    people,
    observed,
    unobserved,
    held_out,
    returned,
    CAST(returned AS DOUBLE) / NULLIF(observed, 0) AS base_rate,
    35 AS horizon
  FROM counted
  ORDER BY
    platform NULLS LAST
  LIMIT 10001
) AS found
