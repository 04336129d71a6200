"""Warmups: questions that are asked before people ask them, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from metrics_api.definitions.base import Definition, DurationField, Text
from metrics_api.definitions.boards import CardDefinition
from metrics_api.definitions.dates import DateField
from metrics_api.definitions.names import AskedName, BoardName, Identifier
from metrics_api.definitions.refusal import Refusal
from metrics_api.definitions.sources import TimeZoneName

MOST_REPLAYED = 1_000
MOST_AT_ONCE = 32
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, or L for the last",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 to 7, or SUN to SAT",
}
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def _is_cron(fields: list[str]) -> bool:
    try:
        CronSim(" ".join(fields), _SOME_DAY)
    except CronSimError:
        return False
    return True


def _check_cron(written: str) -> str:
    """The line itself, when it has five fields and some moment fits it."""
    fields = written.split()
    if fields and fields[0].startswith("@"):
        line = _NICKNAMES.get(written.lower())
        raise Refusal(f"`{written}` is not a cron line", f"Write `{line or '0 6 * * *'}`.")
    if len(fields) != len(_FIELDS):
        raise Refusal(
            f"`{written}` is not a cron line: it has {len(fields)} fields",
            "Write five: minute, hour, day of the month, month, day of the week, such as `0 6 * * 1-5`.",
        )
    try:
        next(CronSim(written, _SOME_DAY))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        at = fields[list(_FIELDS).index(field)] if field in _FIELDS else written
        if field == "day-of-month" and _is_cron([*fields[:3], "*", fields[4]]):
            raise Refusal(f"`{written}`: no month of it has that day", "Write a day that its months have.") from None
        raise Refusal(
            f"`{written}` is not a cron line: `{at}` is no {field.replace('-', ' ')}",
            f"Write {_FIELDS[field]}; lists (`1,15`), ranges (`1-5`) and steps (`*/10`) of them; or `*`."
            if field in _FIELDS
            else None,
        ) from None
    except (AssertionError, TypeError, ValueError, StopIteration):  # Its own checks miss mixtures such as `1L/2`.
        raise Refusal(f"`{written}` is not a cron line", "Write one such as `0 6 * * 1-5`.") from None
    return " ".join(fields)


CronLine = Annotated[
    str, AfterValidator(_check_cron), Field(json_schema_extra={"examples": ["0 6 * * *", "*/10 7-19 * * 1-5"]})
]
"""Five fields as cron has them: minute, hour, day of the month, month, day of the week."""


class ScheduleDefinition(Definition):
    """When a warmup runs."""

    shorthand: ClassVar[str | None] = "cron"

    cron: CronLine
    """Five fields as cron has them: `0 6 * * 1-5` is at six on weekdays."""
    timezone: TimeZoneName | None = None
    """The zone of these hours; the project's when absent."""

    @classmethod
    def noun(cls) -> str:
        return "a schedule"


class RangeDefinition(Definition):
    """A range of dates."""

    shorthand: ClassVar[str | None] = "last"

    last: DurationField | None = None
    """The last days, weeks or months, the one that is not over included."""
    exclude_current: bool = False
    """With `last`: without the unit that is not over."""
    from_: DateField | None = Field(default=None, alias="from")
    """The first local date, instead of `last`."""
    to: DateField | None = None
    """The last local date; today when absent."""

    @classmethod
    def noun(cls) -> str:
        return "a range"

    @model_validator(mode="after")
    def _means_one_thing(self) -> Self:
        if self.last is None and self.from_ is None:
            raise Refusal("says neither `last` nor `from`", "Write `30 days`, or `{from: 2026-01-01}`.")
        if self.last is not None and (self.from_ is not None or self.to is not None):
            raise Refusal("`last` and dates are both given", "Keep one of them.", at=("last",), on_key=True)
        if self.exclude_current and self.last is None:
            raise Refusal(
                "`exclude_current` is for `last`",
                "Write `last`, or leave it out.",
                at=("exclude_current",),
                on_key=True,
            )
        if self.last is not None and not self.last.is_whole_days:
            raise Refusal(f"`{self.last}` is shorter than a day", "Write days or longer, such as `1 day`.")
        if self.from_ is not None and self.to is not None and self.to < self.from_:
            raise Refusal(f"it ends on {self.to}, before it begins", "Write the earlier date as `from`.", at=("to",))
        return self


def _as_list(written: object) -> object:
    return [written] if isinstance(written, str) else written


Breakdown = Annotated[
    tuple[Text, ...],
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
]
"""What an answer is broken down by: a name, or several; `[]` is by nothing."""


def _check_card(written: str) -> str:
    if not re.fullmatch(r"[^.\s]+\.[^.\s]+", written):
        raise Refusal(f"`{written}` is not a card of a board", "Write the board and the card: `engagement.activation`.")
    return written


CardPath = Annotated[str, AfterValidator(_check_card), Field(json_schema_extra={"examples": ["engagement.activation"]})]


class WarmupDefinition(Definition):
    """Questions that are asked before people ask them, so that theirs are answered at once."""

    label: Text | None = None
    """The name shown to people."""
    description: Text | None = None
    """What it is for."""
    owner: Text | None = None
    """The person or team who answers for it."""
    boards: tuple[BoardName, ...] = ()
    """Boards, every card of them."""
    cards: tuple[CardPath, ...] = ()
    """Single cards: `[engagement.activation]`."""
    metrics: tuple[AskedName, ...] = ()
    """Metrics and cohorts: each over every range, by every grain and breakdown given here."""
    questions: Mapping[Identifier, CardDefinition] = Field(default_factory=dict)
    """Further questions by name, written as cards are."""
    ranges: tuple[RangeDefinition, ...] = ()
    """The ranges of `metrics`, and of boards and cards instead of their own: `[30 days, 12 weeks]`."""
    grains: tuple[Literal["hour", "day", "week", "month", "quarter", "year"], ...] = ()
    """The sizes of buckets of `metrics`; the usual one when absent."""
    breakdowns: tuple[Breakdown, ...] = ()
    """What `metrics` are broken down by, one after the other: `[[], country, [platform, country]]`; `[]` is nothing."""
    replay: int = Field(default=0, ge=0, le=MOST_REPLAYED)
    """So many of the questions that were asked most in the last days."""
    schedule: ScheduleDefinition | None = None
    """When a server runs it: a cron line, or `{cron, timezone}`; only on demand when absent."""
    on_new_data: bool = False
    """A server also runs it when new data has been loaded."""
    target: Text | None = None
    """The target that is asked; the one that is served when absent."""
    warehouse: Text | None = None
    """The warehouse that is asked; the one that is served when absent."""
    tenants: tuple[Text, ...] = ()
    """Each question once for each of these policies of callers; once for everybody when absent."""
    at_once: int = Field(default=4, ge=1, le=MOST_AT_ONCE)
    """So many questions at a time."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not (self.boards or self.cards or self.metrics or self.questions or self.replay):
            raise Refusal(
                "asks nothing", "Write `boards`, `cards`, `metrics`, `questions` or `replay`: what is asked beforehand."
            )
        for word in ("grains", "breakdowns"):
            if getattr(self, word) and not self.metrics:
                raise Refusal(
                    f"`{word}` are for `metrics`, and it names none",
                    "Write `metrics`, or leave them out.",
                    at=(word,),
                    on_key=True,
                )
        if self.ranges and not (self.metrics or self.boards or self.cards):
            fix = "Write `metrics`, `boards` or `cards`, or leave them out."
            raise Refusal("`ranges` of what?", fix, at=("ranges",), on_key=True)
        return self

    @model_validator(mode="after")
    def _says_each_once(self) -> Self:
        for word in ("boards", "cards", "metrics", "grains", "breakdowns", "tenants"):
            said: tuple[object, ...] = getattr(self, word)
            for place, one in enumerate(said):
                if one in said[:place]:
                    shown = ", ".join(one) if isinstance(one, tuple) else one
                    raise Refusal(f"`{shown}` is named twice", "Keep one of them.", at=(word, place))
        return self
