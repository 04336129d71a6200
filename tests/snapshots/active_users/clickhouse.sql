/* metrics-api metric=monthly_actives fingerprint=e1bfc98d13ee */
WITH people AS (
  SELECT
    user_id AS entity,
    groupBitOr(
      bitShiftLeft(
        toUInt64(1),
        dateDiff(
          'day',
          toDate32('2026-02-24'),
          toDate32(
            CASE
              WHEN occurred_at < toDateTime64('2026-03-29 01:00:00', 6, 'UTC')
              THEN occurred_at + INTERVAL '1' HOUR
              ELSE occurred_at + INTERVAL '2' HOUR
            END,
            'UTC'
          )
        )
      )
    ) AS days
  FROM app_events
  WHERE
    occurred_at >= toDateTime64('2026-02-23 23:00:00', 6, 'UTC')
    AND occurred_at < toDateTime64('2026-03-29 22:00:00', 6, 'UTC')
    AND occurred_on >= toDate32('2026-02-22')
    AND occurred_on <= toDate32('2026-03-30')
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
), active AS (
  SELECT
    spine.period AS period,
    toInt64(COUNT(*)) AS users
  FROM VALUES(
    'period Nullable(Date32), mask Nullable(Int64)',
    ('2026-03-23', 268435455),
    ('2026-03-24', 536870910),
    ('2026-03-25', 1073741820),
    ('2026-03-26', 2147483640),
    ('2026-03-27', 4294967280),
    ('2026-03-28', 8589934560),
    ('2026-03-29', 17179869120)
  ) AS spine
  CROSS JOIN people
  WHERE
    bitAnd(people.days, spine.mask) <> 0
  GROUP BY
    1
)
SELECT
  spine.period AS period,
  COALESCE(active.users, 0) AS value
FROM (
  SELECT
    addDays(toDate32('2026-03-23'), number) AS period
  FROM numbers(7)
) AS spine
LEFT JOIN active
  ON spine.period = active.period
ORDER BY
  1
LIMIT 10001
SETTINGS join_use_nulls = 1, aggregate_functions_null_for_empty = 1, prefer_column_name_to_alias = 1
