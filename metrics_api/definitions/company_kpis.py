"""The template `company_kpis`: a whole board of engagement, made of a sign-up and a value moment.

What it makes is plain definitions, as a person would write them: `metrics-api board NAME --yaml` prints them, and one
of the same name in the project's files takes the place of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Written: TypeAlias = dict[str, Any]
"""A definition as it would be read of a file."""

CHANNELS = (
    "channel",
    "acquisition_channel",
    "marketing_channel",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "campaign",
    "source",
    "referrer",
    "referring_domain",
)
"""The properties by which sign-ups are told apart: the first of these that the sign-up's events have."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the template is told of a project. `sign_up` is a selector, `moment` what `on:` takes."""

    board: str
    sign_up: Mapping[str, Any]
    moment: str | None
    """The metric of value moments, if there is one; else `value_moment` is the event that is made one."""
    value_moment: Mapping[str, Any]
    properties: Iterable[str]
    """Those of the sign-up's events that are words."""
    is_moment_sign_up: bool = False
    """Whether the sign-up is a value_moment metric, not an event."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a template makes: definitions by name, and the cards of the board."""

    metrics: dict[str, Written] = field(default_factory=dict)
    cohorts: dict[str, Written] = field(default_factory=dict)
    cards: dict[str, Written] = field(default_factory=dict)


def company_kpis(ask: Ask) -> Expansion:
    """Names begin with the board's, so that they clash with no other definition."""
    made = _Made(ask)
    made.value()
    made.engaged()
    made.tiers()
    made.activation()
    made.flows()
    made.retention()
    made.sign_ups()
    made.active()
    made.interval()
    return made.expansion


class _Made:
    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.expansion = Expansion()
        self.on = ask.moment or self.name("value_moments")

    def name(self, own: str) -> str:
        return f"{self.ask.board}_{own}"

    def metric(self, own: str, **written: Any) -> str:
        self.expansion.metrics[self.name(own)] = written
        return self.name(own)

    def cohort(self, own: str, **written: Any) -> str:
        self.expansion.cohorts[self.name(own)] = written
        return self.name(own)

    def card(self, own: str, metric: str, question: str, **written: Any) -> None:
        self.expansion.cards[own] = {"metric": metric, "question": question, **written}

    def value(self) -> None:
        if self.ask.moment is None:
            event = self.ask.value_moment["event"]
            self.metric(
                "value_moments",
                type="value_moment",
                label="Value moments",
                description="How often people got what the product is for.",
                moments={event: dict(self.ask.value_moment)},
            )
        question = "How many people experience value, and how often?"
        both = ["value", "users"]
        self.card(
            "value_moments", self.on, question, label="Value moments", parts=["rows", "overall"],
            measures=both, last="30 days", grain="day",
        )  # fmt: skip

    def engaged(self) -> None:
        engaged = self.cohort(
            "engaged_users",
            label="Engaged users",
            description="People with at least three value moments in the last seven days.",
            all_of=[{"on": self.on, "at_least": 3, "within": "7 days"}],
        )
        question = "Who are the most engaged people?"
        self.card("engaged_users", engaged, question, last="30 days", grain="day")
        self.card("engaged_users_list", engaged, question, label="Engaged users, by name", members={}, first=100)

    def tiers(self) -> None:
        question = "Who are the power, core and casual users?"
        tiers = self.metric(
            "tiers",
            type="frequency",
            label="Power, core and casual users",
            description="People by the days of the last seven with a value moment: six, three, or one.",
            on=self.on,
            window="7 days",
            tiers={"power": 6, "core": 3, "casual": 1},
        )
        self.card("tiers", tiers, question, last="8 weeks", grain="week")
        share = self.metric(
            "share_of_power_users",
            type="ratio",
            label="Share of power users",
            description="Of the people with a value moment in the last seven days, those with one on six of them.",
            numerator=f"{tiers}.power",
            denominator=f"{tiers}.users",
            format="percent",
        )
        self.card("share_of_power_users", share, question, last="8 weeks", grain="week")
        self.card(
            "value_moments_per_user", self.on, question, label="Value moments per user",
            description="The 25th, 50th and 90th percentile of people: what casual, core and power users do.",
            measures=["per_user_p25", "per_user_median", "per_user_p90"], last="8 weeks", grain="week",
        )  # fmt: skip

    def activation(self) -> None:
        activation = self.metric(
            "activation",
            type="funnel",
            label="Activation",
            description="Who comes from signing up to a first value moment within 30 days.",
            steps={"sign_up": self.first_sign_up, "value_moment": {"on": self.on}},
            within="30 days",
        )
        question = "How many people get to a value moment, and how soon?"
        self.card("activation", activation, question, last="60 days")
        self.card(
            "activation_trend", activation, question, label="Activation by week of sign-up", parts=["trend"],
            last="12 weeks", grain="week",
        )  # fmt: skip
        self.card("time_to_value", activation, question, label="Time to value", parts=["histogram"], last="60 days")
        lost = "What happens to people who do not reach a value moment?"
        self.card(
            "dropped_users", activation, lost, label="People who did not get to a value moment",
            members={"step": "value_moment", "state": "dropped"}, first=100, last="60 days",
        )  # fmt: skip

    def flows(self) -> None:
        """From the sign-up on, up to the first value, and of those who never come to it."""
        question = "What do people do between signing up and value?"
        after = self.metric(
            "after_sign_up",
            type="flow",
            label="After signing up",
            description="What people do after their sign-up, three steps far.",
            anchor=self.first_sign_up,
            after=3,
        )
        before = self.metric(
            "before_value",
            type="flow",
            label="Before the first value moment",
            description="What people did before their first value moment, two steps back.",
            anchor={"on": self.on, "first_ever": True},
            after=0,
            before=2,
        )
        instead = self.metric(
            "instead_of_value",
            type="flow",
            label="Instead of a value moment",
            description="What people did who signed up and did not get to a value moment within 30 days.",
            anchor={"funnel": self.name("activation"), "dropped_at": "value_moment"},
            after=3,
        )
        self.card("after_sign_up", after, question, parts=["rows", "paths"], last="60 days")
        self.card("before_value", before, question, parts=["rows", "paths"], last="60 days")
        lost = "What happens to people who do not reach a value moment?"
        self.card("instead_of_value", instead, lost, parts=["rows", "paths"], last="60 days")

    @property
    def first_sign_up(self) -> Written:
        """Nobody becomes a user twice."""
        return {**self.ask.sign_up, "first_ever": True}

    def retention(self) -> None:
        question = "Do people come back for value?"
        retention = self.metric(
            "retention",
            type="retention",
            label="Value retention",
            description="Of the people who signed up in a week, the share with a value moment in each week after it.",
            start=self.first_sign_up,
            **{"return": {"on": self.on}},
            grain="week",
            periods=8,
            format="percent",
        )
        self.card("retention", retention, question, parts=["cells", "average"], last="9 weeks")
        dormant = self.cohort(
            "dormant_users",
            label="Dormant users",
            description="People who have had a value moment, and none in the last 30 days.",
            all_of=[{"on": self.on, "at_least": 1}, {"not": {"on": self.on, "within": "30 days"}}],
        )
        question = "Who has stopped getting value?"
        self.card("dormant_users", dormant, question, last="12 weeks", grain="week")
        self.card("dormant_users_list", dormant, question, label="Dormant users, by name", members={}, first=100)

    def sign_ups(self) -> None:
        written = {"label": "New users", "description": "People who signed up."}
        sign_up = dict(self.ask.sign_up)
        if self.ask.is_moment_sign_up or sign_up.pop("first_ever", False):
            new = self.metric("new_users", type="derived", **written, expression=f"{self.name('activation')}.entered")
        else:
            new = self.metric("new_users", type="usage", **written, **sign_up, measure="users")
        self.card(
            "new_users", new, "How many new users are there, compared with before?", label="New users against before",
            compare="previous_period", last="30 days", grain="day",
        )  # fmt: skip
        if channel := next((one for one in CHANNELS if one in self.ask.properties), None):
            self.card(
                "sign_ups_by_channel", new, "Where do new users come from?", label="Sign-ups by channel",
                parts=["overall"], by=[channel], top=10, order=["-value"], last="30 days",
            )  # fmt: skip

    def active(self) -> None:
        question = "How many people are active, and how often do they come?"
        for own, label, window, words in (
            ("daily_actives", "Daily active users", "1 day", "on the day"),
            ("weekly_actives", "Weekly active users", "7 days", "in the seven days up to and including the day"),
            ("monthly_actives", "Monthly active users", "28 days", "in the 28 days up to and including the day"),
        ):
            description = f"People with a value moment {words}."
            actives = self.metric(
                own, type="active_users", label=label, description=description, on=self.on, window=window
            )
            self.card(own, actives, question, last="30 days", grain="day")
        stickiness = self.metric(
            "stickiness",
            type="stickiness",
            label="Stickiness",
            description="Daily active users by monthly active users.",
            on=self.on,
            short="1 day",
            long="28 days",
            format="percent",
        )
        self.card("stickiness", stickiness, question, last="30 days", grain="day")
        growth = self.metric(
            "growth",
            type="lifecycle",
            label="Growth",
            description="People who are new, come again, come back, or have gone, from one week to the next.",
            on=self.on,
        )
        self.card("growth", growth, "Where does growth come from, and where does it go?", last="12 weeks", grain="week")

    def interval(self) -> None:
        interval = self.metric(
            "usage_interval",
            type="interval",
            label="Usage interval",
            description="Within how many days people come back to a value moment, and the habit this makes.",
            on=self.on,
        )
        self.card("usage_interval", interval, "How often is the product used?", parts=["summary", "curve"])
