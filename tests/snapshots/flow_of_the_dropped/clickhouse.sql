/* metrics-api metric=instead_of_watching fingerprint=943c85a44faa */
WITH entered_signed_up AS (
  SELECT
    user_id AS entity,
    MIN(occurred_at) AS at_1
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-31 12:00:00.000001', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-04-01')
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'sign_up'
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
  GROUP BY
    1
), events_2 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_2
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-31 12:00:00.000001', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-04-01')
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND event = 'added_to_list'
), reached_added_to_list AS (
  SELECT
    entered_signed_up.entity AS entity,
    MIN(entered_signed_up.at_1) AS at_1,
    MIN(events_2.at_2) AS at_2
  FROM entered_signed_up
  JOIN events_2
    ON entered_signed_up.entity = events_2.entity
    AND events_2.at_2 >= entered_signed_up.at_1
    AND events_2.at_2 <= entered_signed_up.at_1 + INTERVAL '720' HOUR
  GROUP BY
    1
), events_3 AS (
  SELECT
    user_id AS entity,
    occurred_at AS at_3
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-31 12:00:00.000001', 6, 'UTC')
    AND occurred_on >= toDate32('2026-03-21')
    AND occurred_on <= toDate32('2026-04-01')
    AND NOT COALESCE(is_internal, FALSE)
    AND user_id <> ''
    AND (
      (
        event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308 AND minutes >= 3
      )
      OR event = 'shared'
    )
), reached_watched AS (
  SELECT
    reached_added_to_list.entity AS entity,
    MIN(events_3.at_3) AS at_3
  FROM reached_added_to_list
  JOIN events_3
    ON reached_added_to_list.entity = events_3.entity
    AND events_3.at_3 >= reached_added_to_list.at_2
    AND events_3.at_3 <= reached_added_to_list.at_1 + INTERVAL '720' HOUR
  GROUP BY
    1
), attempts AS (
  SELECT
    entered_signed_up.entity AS entity,
    entered_signed_up.at_1 AS at_1,
    reached_added_to_list.at_2 AS at_2,
    reached_watched.at_3 AS at_3
  FROM entered_signed_up
  LEFT JOIN reached_added_to_list
    ON entered_signed_up.entity = reached_added_to_list.entity
  LEFT JOIN reached_watched
    ON entered_signed_up.entity = reached_watched.entity
), anchors AS (
  SELECT
    entity,
    MIN(at_2) AS anchor_at
  FROM attempts
  WHERE
    at_2 IS NOT NULL AND at_3 IS NULL AND at_1 <= toDateTime64('2026-03-01 12:00:00', 6, 'UTC')
  GROUP BY
    1
), around AS (
  SELECT
    app_events.entity AS entity,
    app_events."at" AS "at",
    app_events.node AS node,
    app_events.is_anchor AND app_events."at" = anchors.anchor_at AS is_anchor
  FROM (
    SELECT
      user_id AS entity,
      occurred_at AS "at",
      CASE
        WHEN event = 'watched' AND minutes >= 1 AND minutes <= 1.7976931348623157E+308
        THEN 'watched_video'
        WHEN event = 'shared'
        THEN 'shared_video'
        WHEN event = 'rated'
        THEN 'rated_video'
        ELSE COALESCE(event, '(none)')
      END AS node,
      event = 'added_to_list' AS is_anchor
    FROM app_events
    WHERE
      occurred_at >= toDateTime64('2026-03-22 23:00:00', 6, 'UTC')
      AND occurred_at < toDateTime64('2026-03-31 12:00:00.000001', 6, 'UTC')
      AND occurred_on >= toDate32('2026-03-21')
      AND occurred_on <= toDate32('2026-04-01')
      AND NOT COALESCE(is_internal, FALSE)
      AND user_id <> ''
  ) AS app_events
  JOIN anchors
    ON app_events.entity = anchors.entity
  WHERE
    app_events."at" >= anchors.anchor_at AND app_events."at" <= anchors.anchor_at + INTERVAL '720' HOUR
), in_order AS (
  SELECT
    entity,
    "at",
    node,
    is_anchor AND anchors_here = 1 AS is_anchor,
    toInt64(
      ROW_NUMBER() OVER (PARTITION BY entity ORDER BY "at", node, CASE WHEN is_anchor AND anchors_here = 1 THEN 0 ELSE 1 END)
    ) AS run,
    lag(toNullable(node)) OVER (PARTITION BY entity ORDER BY "at", node, CASE WHEN is_anchor AND anchors_here = 1 THEN 0 ELSE 1 END) AS node_then,
    lag(toNullable("at")) OVER (PARTITION BY entity ORDER BY "at", node, CASE WHEN is_anchor AND anchors_here = 1 THEN 0 ELSE 1 END) AS at_then
  FROM (
    SELECT
      entity,
      "at",
      node,
      is_anchor,
      toInt64(
        SUM(CASE WHEN is_anchor THEN 1 ELSE 0 END) OVER (
          PARTITION BY entity
          ORDER BY "at", node, CASE WHEN is_anchor THEN 0 ELSE 1 END
          ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
      ) AS anchors_here
    FROM around
  ) AS around
  WHERE
    anchors_here >= 1
), numbered AS (
  SELECT
    entity,
    "at",
    node,
    is_anchor,
    toInt64(
      SUM(
        CASE
          WHEN CASE WHEN at_then + INTERVAL '24' HOUR < "at" THEN TRUE ELSE FALSE END
          OR CASE WHEN node = node_then THEN FALSE ELSE TRUE END
          THEN 1
          ELSE 0
        END
      ) OVER (PARTITION BY entity ORDER BY run ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ) AS run_number,
    toInt64(
      SUM(CASE WHEN CASE WHEN at_then + INTERVAL '24' HOUR < "at" THEN TRUE ELSE FALSE END THEN 1 ELSE 0 END) OVER (PARTITION BY entity ORDER BY run ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ) AS "session"
  FROM in_order
), runs AS (
  SELECT
    entity,
    "session",
    run_number AS run,
    MIN(node) AS node,
    MAX("at") AS last_at,
    MIN("at") FILTER(WHERE is_anchor) AS anchor_at
  FROM numbered
  GROUP BY
    1,
    2,
    3
), beside AS (
  SELECT
    anchor_at,
    lead(toNullable(node)) OVER (PARTITION BY entity, "session" ORDER BY run) AS after_1,
    lead(toNullable(node), 2) OVER (PARTITION BY entity, "session" ORDER BY run) AS after_2,
    lead(toNullable(node), 3) OVER (PARTITION BY entity, "session" ORDER BY run) AS after_3,
    MAX(last_at) OVER (PARTITION BY entity, "session") AS ends_here
  FROM runs
), found_paths AS (
  SELECT
    after_1,
    after_2,
    after_3,
    CASE
      WHEN after_3 IS NULL
      AND anchor_at > toDateTime64('2026-03-01 12:00:00', 6, 'UTC')
      AND ends_here > toDateTime64('2026-03-30 12:00:00', 6, 'UTC')
      THEN 1
      ELSE 0
    END AS pending
  FROM beside
  WHERE
    anchor_at IS NOT NULL
), counted_paths AS (
  SELECT
    after_1,
    after_2,
    after_3,
    toInt64(COUNT(*)) AS count_of_paths,
    SUM(pending) AS count_of_pending
  FROM found_paths
  GROUP BY
    1,
    2,
    3
), places_of_paths AS (
  SELECT
    spine.position AS position,
    CASE
      WHEN spine.position = 1
      THEN 'added_to_list'
      WHEN spine.position = 2
      THEN counted_paths.after_1
      ELSE counted_paths.after_2
    END AS "inner",
    CASE
      WHEN spine.position = 1
      THEN counted_paths.after_1
      WHEN spine.position = 2
      THEN counted_paths.after_2
      ELSE counted_paths.after_3
    END AS "outer",
    counted_paths.count_of_paths AS count_of_paths,
    counted_paths.count_of_pending AS count_of_pending
  FROM counted_paths
  CROSS JOIN VALUES('position Nullable(Int64)', (1), (2), (3)) AS spine
), steps_taken AS (
  SELECT
    position,
    "inner",
    "outer",
    SUM(count_of_paths) AS count_of_paths,
    SUM(CASE WHEN position > 0 THEN CASE WHEN "outer" IS NULL THEN count_of_pending ELSE 0 END ELSE 0 END) AS count_of_pending
  FROM places_of_paths
  WHERE
    "inner" IS NOT NULL
  GROUP BY
    1,
    2,
    3
), steps_sized AS (
  SELECT
    position,
    "inner",
    "outer",
    count_of_paths,
    count_of_pending,
    SUM(count_of_paths) OVER (PARTITION BY position, "inner") AS count_of_inner,
    SUM(count_of_paths) OVER (PARTITION BY position, "outer") AS count_of_outer
  FROM steps_taken
), steps_placed AS (
  SELECT
    position,
    "inner",
    "outer",
    count_of_paths,
    count_of_pending,
    toInt64(
      DENSE_RANK() OVER (
        PARTITION BY position
        ORDER BY CASE WHEN "inner" IS NULL OR "inner" = '(none)' THEN 1 ELSE 0 END, count_of_inner DESC, COALESCE("inner", '')
      )
    ) AS inner_place_here,
    toInt64(
      DENSE_RANK() OVER (
        PARTITION BY position
        ORDER BY CASE WHEN "outer" IS NULL OR "outer" = '(none)' THEN 1 ELSE 0 END, count_of_outer DESC, COALESCE("outer", '')
      )
    ) AS outer_place_here
  FROM steps_sized
), steps AS (
  SELECT
    position,
    count_of_paths,
    count_of_pending,
    CASE
      WHEN "inner" IS NULL
      OR "inner" = '(none)'
      OR inner_place_here <= 8
      OR CASE WHEN position > 0 THEN position - 1 ELSE position + 1 END = 0
      THEN "inner"
      ELSE '(other)'
    END AS told_inner_here,
    CASE WHEN "outer" IS NULL OR "outer" = '(none)' OR outer_place_here <= 8 THEN "outer" ELSE '(other)' END AS told_outer_here
  FROM steps_placed
), steps_told AS (
  SELECT
    position,
    told_inner_here AS "inner",
    told_outer_here AS "outer",
    SUM(count_of_paths) AS count_of_paths,
    SUM(count_of_pending) AS count_of_pending
  FROM steps
  GROUP BY
    1,
    2,
    3
)
SELECT
  position,
  CASE WHEN position > 0 THEN "inner" ELSE COALESCE("outer", '(start)') END AS source,
  CASE WHEN position > 0 THEN COALESCE("outer", '(exit)') ELSE "inner" END AS target,
  count_of_paths AS users,
  CAST(NULL AS Nullable(Int64)) AS total,
  CAST(count_of_paths AS Nullable(Float64)) / nullIf(SUM(CASE WHEN position = 1 THEN count_of_paths ELSE 0 END) OVER (), 0) AS share,
  count_of_pending AS pending
FROM steps_told
ORDER BY
  1,
  2,
  3
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
