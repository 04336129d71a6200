/* metrics-api metric=after_signup fingerprint=bf3d3ba313fc */
WITH anchors AS (
  SELECT
    user_id AS entity,
    MIN(occurred_at) AS anchor_at
  FROM app_events
  WHERE
    occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
    AND occurred_at < TIMESTAMP '2026-03-29 22:00:00+00'
    AND occurred_on >= DATE '2026-03-21'
    AND occurred_on <= DATE '2026-03-30'
    AND NOT COALESCE(is_internal, FALSE)
    AND event = 'sign_up'
    AND user_id <> ''
  GROUP BY
    1
), around AS (
  SELECT
    app_events.entity,
    app_events.`at`,
    app_events.node,
    app_events.country,
    app_events.is_anchor AND app_events.`at` = anchors.anchor_at AS is_anchor
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS `at`,
      CASE
        WHEN event = 'watched' AND minutes >= 1 AND minutes <= CAST(1.7976931348623157E+308 AS FLOAT64)
        THEN 'watched_video'
        WHEN event = 'shared'
        THEN 'shared_video'
        WHEN event = 'rated'
        THEN 'rated_video'
        ELSE COALESCE(event, '(none)')
      END AS node,
      COALESCE(country, '(none)') AS country,
      event = 'sign_up' AS is_anchor
    FROM app_events
    WHERE
      occurred_at >= TIMESTAMP '2026-03-22 23:00:00+00'
      AND occurred_at < TIMESTAMP '2026-03-30 22:00:00+00'
      AND occurred_on >= DATE '2026-03-21'
      AND occurred_on <= DATE '2026-03-31'
      AND NOT COALESCE(is_internal, FALSE)
      AND user_id <> ''
  ) AS app_events
  JOIN anchors
    ON app_events.entity = anchors.entity
  WHERE
    app_events.`at` >= anchors.anchor_at AND app_events.`at` <= TIMESTAMP_ADD(anchors.anchor_at, INTERVAL 1 DAY)
), in_order AS (
  SELECT
    entity,
    `at`,
    node,
    country,
    is_anchor,
    SUM(CASE WHEN is_anchor THEN 1 ELSE 0 END) OVER (
      PARTITION BY entity
      ORDER BY `at`, node, CASE WHEN is_anchor THEN 0 ELSE 1 END, country
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS anchors_here,
    ROW_NUMBER() OVER (PARTITION BY entity ORDER BY `at`, node, CASE WHEN is_anchor THEN 0 ELSE 1 END, country) AS run,
    LAG(node) OVER (PARTITION BY entity ORDER BY `at`, node, CASE WHEN is_anchor THEN 0 ELSE 1 END, country) AS node_then
  FROM around
), steps_since AS (
  SELECT
    entity,
    run,
    node,
    country,
    `at` AS first_at,
    CASE WHEN is_anchor AND anchors_here = 1 THEN `at` END AS anchor_at
  FROM in_order
  WHERE
    anchors_here >= 1
    AND (
      (
        is_anchor AND anchors_here = 1
      ) OR CASE WHEN node = node_then THEN FALSE ELSE TRUE END
    )
), beside AS (
  SELECT
    anchor_at,
    country,
    LEAD(node) OVER (PARTITION BY entity ORDER BY run) AS after_1,
    LEAD(first_at) OVER (PARTITION BY entity ORDER BY run) AS at_after_1,
    LEAD(node, 2) OVER (PARTITION BY entity ORDER BY run) AS after_2,
    LEAD(first_at, 2) OVER (PARTITION BY entity ORDER BY run) AS at_after_2,
    LEAD(node, 3) OVER (PARTITION BY entity ORDER BY run) AS after_3,
    LEAD(first_at, 3) OVER (PARTITION BY entity ORDER BY run) AS at_after_3
  FROM steps_since
), found_paths AS (
  SELECT
    anchor_at,
    country,
    after_1,
    at_after_1,
    after_2,
    at_after_2,
    after_3,
    at_after_3,
    CASE WHEN after_3 IS NULL AND anchor_at > TIMESTAMP '2026-03-30 12:00:00+00' THEN 1 ELSE 0 END AS pending
  FROM beside
  WHERE
    anchor_at IS NOT NULL
), counted_paths AS (
  SELECT
    country,
    after_1,
    after_2,
    after_3,
    COUNT(*) AS count_of_paths,
    SUM(pending) AS count_of_pending
  FROM found_paths
  GROUP BY
    1,
    2,
    3,
    4
), places_of_paths AS (
  SELECT
    counted_paths.country,
    spine.position,
    CASE
      WHEN spine.position = 1
      THEN 'sign_up'
      WHEN spine.position = 2
      THEN counted_paths.after_1
      ELSE counted_paths.after_2
    END AS `inner`,
    CASE
      WHEN spine.position = 1
      THEN counted_paths.after_1
      WHEN spine.position = 2
      THEN counted_paths.after_2
      ELSE counted_paths.after_3
    END AS `outer`,
    counted_paths.count_of_paths,
    counted_paths.count_of_pending
  FROM counted_paths
  CROSS JOIN UNNEST(ARRAY<STRUCT<position INT64>>[STRUCT(1), STRUCT(2), STRUCT(3)]) AS spine
), steps_taken AS (
  SELECT
    country,
    position,
    `inner`,
    `outer`,
    SUM(count_of_paths) AS count_of_paths,
    SUM(CASE WHEN position > 0 THEN CASE WHEN `outer` IS NULL THEN count_of_pending ELSE 0 END ELSE 0 END) AS count_of_pending
  FROM places_of_paths
  WHERE
    `inner` IS NOT NULL
  GROUP BY
    1,
    2,
    3,
    4
), steps_sized AS (
  SELECT
    country,
    position,
    `inner`,
    `outer`,
    count_of_paths,
    count_of_pending,
    SUM(count_of_paths) OVER (PARTITION BY position, `inner`) AS count_of_inner,
    SUM(count_of_paths) OVER (PARTITION BY position, `outer`) AS count_of_outer
  FROM steps_taken
), steps_placed AS (
  SELECT
    country,
    position,
    `inner`,
    `outer`,
    count_of_paths,
    count_of_pending,
    DENSE_RANK() OVER (
      PARTITION BY position
      ORDER BY CASE WHEN `inner` IS NULL OR `inner` = '(none)' THEN 1 ELSE 0 END, count_of_inner DESC, COALESCE(`inner`, '')
    ) AS inner_place_here,
    DENSE_RANK() OVER (
      PARTITION BY position
      ORDER BY CASE WHEN `outer` IS NULL OR `outer` = '(none)' THEN 1 ELSE 0 END, count_of_outer DESC, COALESCE(`outer`, '')
    ) AS outer_place_here
  FROM steps_sized
), steps AS (
  SELECT
    country,
    position,
    `inner`,
    `outer`,
    count_of_paths,
    count_of_pending,
    CASE
      WHEN `inner` IS NULL
      OR `inner` = '(none)'
      OR inner_place_here <= 8
      OR CASE WHEN position > 0 THEN position - 1 ELSE position + 1 END = 0
      THEN `inner`
      ELSE '(other)'
    END AS told_inner_here,
    CASE WHEN `outer` IS NULL OR `outer` = '(none)' OR outer_place_here <= 8 THEN `outer` ELSE '(other)' END AS told_outer_here
  FROM steps_placed
), counted_steps AS (
  SELECT
    country,
    position,
    told_inner_here AS `inner`,
    told_outer_here AS `outer`,
    SUM(count_of_paths) AS count_of_paths,
    SUM(count_of_pending) AS count_of_pending
  FROM steps
  GROUP BY
    1,
    2,
    3,
    4
), places_of_paths_2 AS (
  SELECT
    found_paths.country,
    spine.position,
    CASE
      WHEN spine.position = 1
      THEN 'sign_up'
      WHEN spine.position = 2
      THEN found_paths.after_1
      ELSE found_paths.after_2
    END AS `inner`,
    CASE
      WHEN spine.position = 1
      THEN found_paths.after_1
      WHEN spine.position = 2
      THEN found_paths.after_2
      ELSE found_paths.after_3
    END AS `outer`,
    CASE
      WHEN spine.position = 1
      THEN TIMESTAMP_DIFF(found_paths.at_after_1, found_paths.anchor_at, MICROSECOND) / 1e6
      WHEN spine.position = 2
      THEN TIMESTAMP_DIFF(found_paths.at_after_2, found_paths.at_after_1, MICROSECOND) / 1e6
      ELSE TIMESTAMP_DIFF(found_paths.at_after_3, found_paths.at_after_2, MICROSECOND) / 1e6
    END AS lasted
  FROM found_paths
  CROSS JOIN UNNEST(ARRAY<STRUCT<position INT64>>[STRUCT(1), STRUCT(2), STRUCT(3)]) AS spine
), names_of_steps AS (
  SELECT
    position AS of_position,
    `inner` AS of_inner,
    `outer` AS of_outer,
    MIN(told_inner_here) AS told_inner_here,
    MIN(told_outer_here) AS told_outer_here
  FROM steps
  GROUP BY
    1,
    2,
    3
), times_of_steps AS (
  SELECT
    country AS country_then,
    position AS position_then,
    told_inner_here AS inner_then,
    told_outer_here AS outer_then,
    MAX(seconds_median) AS seconds_median
  FROM (
    SELECT
      places_of_paths_2.country,
      places_of_paths_2.position,
      names_of_steps.told_inner_here,
      names_of_steps.told_outer_here,
      PERCENTILE_CONT(places_of_paths_2.lasted, 0.5) OVER (
        PARTITION BY places_of_paths_2.country, places_of_paths_2.position, names_of_steps.told_inner_here, names_of_steps.told_outer_here
      ) AS seconds_median
    FROM places_of_paths_2
    JOIN names_of_steps
      ON places_of_paths_2.position = names_of_steps.of_position
      AND places_of_paths_2.`inner` = names_of_steps.of_inner
      AND places_of_paths_2.`outer` = names_of_steps.of_outer
    WHERE
      places_of_paths_2.`inner` IS NOT NULL AND places_of_paths_2.`outer` IS NOT NULL
  ) AS places_of_paths_2
  GROUP BY
    1,
    2,
    3,
    4
), steps_told AS (
  SELECT
    counted_steps.country,
    counted_steps.position,
    counted_steps.`inner`,
    counted_steps.`outer`,
    counted_steps.count_of_paths,
    counted_steps.count_of_pending,
    times_of_steps.country_then,
    times_of_steps.position_then,
    times_of_steps.inner_then,
    times_of_steps.outer_then,
    times_of_steps.seconds_median
  FROM counted_steps
  LEFT JOIN times_of_steps
    ON counted_steps.country = times_of_steps.country_then
    AND counted_steps.position = times_of_steps.position_then
    AND counted_steps.`inner` = times_of_steps.inner_then
    AND counted_steps.`outer` = times_of_steps.outer_then
), steps_told_2 AS (
  SELECT
    country,
    position,
    told_inner_here AS `inner`,
    told_outer_here AS `outer`,
    SUM(count_of_paths) AS count_of_paths,
    SUM(count_of_pending) AS count_of_pending
  FROM steps
  GROUP BY
    1,
    2,
    3,
    4
), nodes AS (
  SELECT
    steps_told_2.country,
    CASE
      WHEN spine.kind = 0
      THEN steps_told_2.position
      ELSE CASE WHEN steps_told_2.position > 0 THEN steps_told_2.position - 1 ELSE steps_told_2.position + 1 END
    END AS position,
    CASE WHEN spine.kind = 0 THEN steps_told_2.`outer` ELSE steps_told_2.`inner` END AS node,
    SUM(CASE WHEN spine.kind = 0 OR steps_told_2.position = 1 THEN steps_told_2.count_of_paths ELSE 0 END) AS count_of_paths,
    SUM(
      CASE
        WHEN steps_told_2.position > 0
        THEN CASE WHEN spine.kind = 0 THEN 0 WHEN steps_told_2.`outer` IS NULL THEN steps_told_2.count_of_paths ELSE 0 END
        ELSE 0
      END
    ) AS ended,
    SUM(
      CASE
        WHEN steps_told_2.position > 0
        THEN 0
        ELSE CASE WHEN spine.kind = 0 THEN 0 WHEN steps_told_2.`outer` IS NULL THEN steps_told_2.count_of_paths ELSE 0 END
      END
    ) AS began,
    SUM(CASE WHEN spine.kind = 0 THEN 0 ELSE steps_told_2.count_of_pending END) AS count_of_pending
  FROM steps_told_2
  CROSS JOIN UNNEST(ARRAY<STRUCT<kind INT64>>[STRUCT(0), STRUCT(1)]) AS spine
  WHERE
    CASE
      WHEN spine.kind = 0
      THEN steps_told_2.`outer` IS NOT NULL
      ELSE steps_told_2.`outer` IS NULL OR steps_told_2.position = 1
    END
  GROUP BY
    1,
    2,
    3
), ranked_paths AS (
  SELECT
    country,
    after_1,
    after_2,
    after_3,
    count_of_paths,
    count_of_pending,
    ROW_NUMBER() OVER (
      PARTITION BY country
      ORDER BY count_of_paths DESC, COALESCE(after_1, ''), COALESCE(after_2, ''), COALESCE(after_3, '')
    ) AS rank,
    SUM(count_of_paths) OVER (PARTITION BY country) AS count_of_all
  FROM counted_paths
)
SELECT
  0 AS part,
  position,
  source,
  target,
  country,
  users,
  total,
  share,
  pending,
  seconds_median,
  CAST(NULL AS STRING) AS node,
  CAST(NULL AS INT64) AS inflow,
  CAST(NULL AS INT64) AS starts,
  CAST(NULL AS INT64) AS outflow,
  CAST(NULL AS INT64) AS exits,
  CAST(NULL AS INT64) AS rank,
  CAST(NULL AS STRING) AS step_after_1,
  CAST(NULL AS STRING) AS step_after_2,
  CAST(NULL AS STRING) AS step_after_3
FROM (
  SELECT
    position,
    CASE WHEN position > 0 THEN `inner` ELSE COALESCE(`outer`, '(start)') END AS source,
    CASE WHEN position > 0 THEN COALESCE(`outer`, '(exit)') ELSE `inner` END AS target,
    country,
    count_of_paths AS users,
    CAST(NULL AS INT64) AS total,
    SAFE_DIVIDE(
      CAST(count_of_paths AS FLOAT64),
      SUM(CASE WHEN position = 1 THEN count_of_paths ELSE 0 END) OVER (PARTITION BY country)
    ) AS share,
    count_of_pending AS pending,
    seconds_median
  FROM steps_told
  ORDER BY
    country NULLS LAST,
    position NULLS LAST,
    source NULLS LAST,
    target NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  1 AS part,
  position,
  CAST(NULL AS STRING) AS source,
  CAST(NULL AS STRING) AS target,
  country,
  users,
  total,
  share,
  pending,
  CAST(NULL AS FLOAT64) AS seconds_median,
  node,
  inflow,
  starts,
  outflow,
  exits,
  CAST(NULL AS INT64) AS rank,
  CAST(NULL AS STRING) AS step_after_1,
  CAST(NULL AS STRING) AS step_after_2,
  CAST(NULL AS STRING) AS step_after_3
FROM (
  SELECT
    position,
    node,
    country,
    count_of_paths AS users,
    CAST(NULL AS INT64) AS total,
    SAFE_DIVIDE(
      CAST(count_of_paths AS FLOAT64),
      SUM(CASE WHEN position = 0 THEN count_of_paths ELSE 0 END) OVER (PARTITION BY country)
    ) AS share,
    CASE WHEN position > 0 THEN count_of_paths - began END AS inflow,
    CASE WHEN position > 0 THEN began END AS starts,
    CASE WHEN position < 3 THEN count_of_paths - ended END AS outflow,
    CASE WHEN position < 3 THEN ended END AS exits,
    count_of_pending AS pending
  FROM nodes
  ORDER BY
    country NULLS LAST,
    position NULLS LAST,
    node NULLS LAST
  LIMIT 10001
) AS found
UNION ALL
SELECT
  2 AS part,
  CAST(NULL AS INT64) AS position,
  CAST(NULL AS STRING) AS source,
  CAST(NULL AS STRING) AS target,
  country,
  users,
  total,
  share,
  pending,
  CAST(NULL AS FLOAT64) AS seconds_median,
  CAST(NULL AS STRING) AS node,
  CAST(NULL AS INT64) AS inflow,
  CAST(NULL AS INT64) AS starts,
  CAST(NULL AS INT64) AS outflow,
  CAST(NULL AS INT64) AS exits,
  rank,
  step_after_1,
  step_after_2,
  step_after_3
FROM (
  SELECT
    rank,
    country,
    count_of_paths AS users,
    CAST(NULL AS INT64) AS total,
    SAFE_DIVIDE(CAST(count_of_paths AS FLOAT64), count_of_all) AS share,
    count_of_pending AS pending,
    after_1 AS step_after_1,
    after_2 AS step_after_2,
    after_3 AS step_after_3
  FROM ranked_paths
  WHERE
    rank <= 50
  ORDER BY
    country NULLS LAST,
    rank NULLS LAST
  LIMIT 500001
) AS found
