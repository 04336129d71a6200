"""What is measured: a question, the same by hand (`by_hand/*.sql`), and the columns a bare scan of it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SEASON = {"start": "2025-09-02", "end": "2025-11-30"}
VALUE = "((event = 'watched' AND minutes >= 3) OR event = 'shared')"


@dataclass(frozen=True)
class Question:
    """`compare` names our columns in the order of the columns by hand."""

    name: str
    metric: str
    words: Mapping[str, Any]
    compare: tuple[str, ...]
    events: str
    reads: str
    since: str = "2025-09-01 22:00:00"
    grows: bool = False
    """Whether it is measured over a tenth of the people as well."""

    @property
    def scan(self) -> str:
        """The limit: the same rows and columns, read once and reduced to one row."""
        return (
            f"SELECT {', '.join(f'MAX({one})' for one in self.reads.split())} FROM app_events "
            f"WHERE occurred_at >= TIMESTAMP '{self.since}' AND occurred_at < TIMESTAMP '2025-11-30 23:00:00' "
            f"AND NOT COALESCE(is_internal, FALSE) AND {self.events}"
        )


FUNNEL = ("position", "converted", "mature", "seconds_from_entry_average", "seconds_from_entry_median")
CELLS = ("start", "period_index", "size", "users")
RETURNS = "event IN ('sign_up', 'watched', 'shared')"
QUESTIONS = (
    Question("total_by_day", "app_opens", SEASON, ("period", "value"), "event = 'opened_app'", "occurred_at"),
    Question(
        "people_by_day", "videos_watched", {**SEASON, "measures": "total,users"}, ("period", "total", "users"),
        VALUE, "occurred_at user_id minutes",
    ),
    Question(
        "people_by_week_and_country", "videos_watched",
        {**SEASON, "grain": "week", "by": "country", "measures": "total,users"},
        ("period", "country", "total", "users"), VALUE, "occurred_at user_id country minutes",
    ),
    Question(
        "top_countries_by_week", "videos_watched",
        {**SEASON, "grain": "week", "by": "country", "top": 3, "measures": "total,users"},
        ("period", "country", "total", "users"), VALUE, "occurred_at user_id country minutes",
    ),
    Question(
        "people_by_week_and_plan", "videos_watched",
        {**SEASON, "grain": "week", "by": "user_plan", "measures": "total,users"},
        ("period", "user_plan", "total", "users"), VALUE, "occurred_at user_id minutes",
    ),
    Question(
        "people_compared_by_week", "videos_watched",
        {"start": "2025-10-20", "end": "2025-11-30", "grain": "week", "measures": "value,users",
         "compare": "previous_period"},
        ("period", "value", "users", "previous", "change"), VALUE, "occurred_at user_id minutes",
        since="2025-09-07 22:00:00",
    ),
    Question(
        "subtotals_by_country_and_platform", "videos_watched",
        {**SEASON, "grain": "month", "by": "country,platform", "subtotals": True, "measures": "total,users"},
        ("period", "country", "platform", "total", "users"), VALUE, "occurred_at user_id country platform minutes",
    ),
    Question(
        "percentiles_by_day", "videos_watched",
        {**SEASON, "measures": "per_user_median,per_user_p90,per_user_average"},
        ("period", "per_user_median", "per_user_p90", "per_user_average"), VALUE, "occurred_at user_id minutes",
    ),
    Question(
        "sum_by_day", "minutes_watched", SEASON, ("period", "value"), "event = 'watched' AND minutes >= 1",
        "occurred_at minutes",
    ),
    Question(
        "monthly_actives_30_days", "monthly_actives", {"start": "2025-11-01", "end": "2025-11-30"},
        ("period", "value"), VALUE, "occurred_at user_id minutes", since="2025-10-04 22:00:00",
    ),
    Question(
        "monthly_actives_90_days", "monthly_actives", SEASON, ("period", "value"), VALUE,
        "occurred_at user_id minutes", since="2025-08-05 22:00:00",
    ),
    Question(
        "stickiness_by_week", "stickiness", {**SEASON, "grain": "week"}, ("period", "value"), VALUE,
        "occurred_at user_id minutes", since="2025-08-04 22:00:00",
    ),
    Question(
        "active_days_by_week", "stickiness", {**SEASON, "grain": "week", "parts": "histogram"},
        ("period", "active_days", "users"), VALUE, "occurred_at user_id minutes", since="2025-08-10 22:00:00",
    ),
    Question(
        "growth_by_week", "growth", {**SEASON, "grain": "week"},
        ("period", "new", "returning", "resurrecting", "dormant", "dormant_stock", "active", "quick_ratio",
         "net_change"),
        VALUE, "occurred_at user_id minutes", since="1900-01-01 00:00:00", grows=True,
    ),
    Question(
        "frequency_30_days", "watch_frequency", {"start": "2025-11-01", "end": "2025-11-30"},
        ("period", "tier", "users"), VALUE, "occurred_at user_id minutes", since="2025-10-25 22:00:00", grows=True,
    ),
    Question(
        "breadth_by_week", "feature_breadth", {**SEASON, "grain": "week"}, ("period", "tier", "users"),
        f"({VALUE} OR event IN ('searched', 'added_to_list'))", "occurred_at user_id minutes",
        since="2025-08-10 22:00:00", grows=True,
    ),
    Question(
        "depth_by_week", "minutes_depth", {**SEASON, "grain": "week"}, ("period", "tier", "users"), VALUE,
        "occurred_at user_id minutes", since="2025-08-10 22:00:00", grows=True,
    ),
    Question(
        "depth_migration", "minutes_depth", {"start": "2025-11-30", "end": "2025-11-30", "parts": "migration"},
        ("period", "from", "to", "users"), VALUE, "occurred_at user_id minutes", since="2025-11-01 23:00:00",
    ),
    Question(
        "score_by_week", "engagement_score", {**SEASON, "grain": "week"}, ("period", "value", "users"), "TRUE",
        "occurred_at user_id event minutes", since="2025-08-09 21:30:00", grows=True,
    ),
    Question(
        "share_rate_by_week", "share_rate", {**SEASON, "grain": "week", "measures": "value,numerator,denominator"},
        ("period", "value", "numerator", "denominator"), VALUE, "occurred_at user_id minutes",
    ),
    Question(
        "weekly_retention", "weekly_retention", {**SEASON, "measures": ""}, CELLS, RETURNS,
        "occurred_at user_id minutes", since="2025-08-31 22:00:00", grows=True,
    ),
    Question(
        "first_month_by_day", "first_month_by_day", {**SEASON, "measures": ""}, CELLS, RETURNS,
        "occurred_at user_id minutes",
    ),
    Question(
        "watching_again", "watching_again", {**SEASON, "measures": ""}, CELLS, VALUE,
        "occurred_at user_id minutes", since="2025-08-31 22:00:00",
    ),
    Question(
        "drivers_of_retention", "what_makes_power_users",
        {"start": "2025-09-01", "end": "2025-10-26", "parts": "candidates", "order": "candidate"},
        ("candidate", "people", "held_out", "auc"),
        "event IN ('sign_up', 'watched', 'shared', 'searched', 'added_to_list')", "occurred_at user_id minutes event",
        since="2025-08-31 22:00:00", grows=True,
    ),
    Question(
        "rhythm", "rhythm", SEASON,
        ("users", "returners", "interval_of_returners", "interval_of_all", "median_gap"), VALUE,
        "occurred_at user_id minutes", grows=True,
    ),
    Question(
        "visits_by_day", "visits", {**SEASON, "measures": "value,users,minutes_per_session_median"},
        ("period", "value", "users", "minutes_per_session_median"), "user_id <> ''", "occurred_at user_id",
        since="2025-08-31 21:30:00", grows=True,
    ),
    Question(
        "after_signup_one_day", "after_signup", SEASON, ("position", "source", "target", "users"), "TRUE",
        "occurred_at user_id event minutes", grows=True,
    ),
    Question(
        "engaged_by_day", "engaged_users", {"start": "2025-11-01", "end": "2025-11-30"}, ("period", "size"), VALUE,
        "occurred_at user_id minutes", since="2025-10-25 22:00:00", grows=True,
    ),
    Question(
        "dormant_by_week", "dormant_users", {**SEASON, "grain": "week"}, ("period", "size"), VALUE,
        "occurred_at user_id minutes", since="2020-01-01 00:00:00",
    ),
    Question(
        "activation_once_per_user", "activation", SEASON, FUNNEL,
        "event IN ('sign_up', 'added_to_list', 'watched', 'shared')", "occurred_at user_id minutes",
    ),
    Question(
        "browse_to_watch_repeated", "browse_to_watch", SEASON, FUNNEL,
        "event IN ('opened_app', 'searched', 'watched')", "occurred_at user_id minutes", grows=True,
    ),
    Question(
        "browse_to_watch_by_week", "browse_to_watch", {**SEASON, "grain": "week", "parts": "trend"},
        ("period", "entered", "converted", "pending", "mature_entered"),
        "event IN ('opened_app', 'searched', 'watched')", "occurred_at user_id minutes",
    ),
    Question(
        "visits_that_watch_totals", "visits_that_watch", SEASON, FUNNEL,
        "event IN ('opened_app', 'watched')", "occurred_at user_id minutes", grows=True,
    ),
    Question(
        "first_discovery_with_options", "first_discovery", SEASON,
        ("position", "converted", "mature_entered", "seconds_from_entry_average", "seconds_from_entry_median"),
        "event IN ('searched', 'added_to_list', 'watched', 'shared', 'clicked_profile_picture')",
        "occurred_at user_id minutes",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Board:
    """Charts asked at once: (metric, measure) each; by hand they are the columns after the period."""

    name: str
    charts: tuple[tuple[str, str], ...]


BOARDS = (
    Board(
        "board_of_totals",
        (("app_opens", "value"), ("searches", "value"), ("list_additions", "value"), ("minutes_watched", "value")),
    ),
    Board(
        "board_of_people",
        (("app_opens", "users"), ("searches", "users"), ("list_additions", "users"), ("videos_watched", "users")),
    ),
)
