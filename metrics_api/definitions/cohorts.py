"""Cohorts as people write them: conditions on what somebody did and is, put together by all, any, none and not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from metrics_api.definitions.base import Condition, Definition, DurationField, MetricDefinition, Selector
from metrics_api.definitions.dates import DateField
from metrics_api.definitions.names import CohortName, MetricName
from metrics_api.definitions.refusal import Refusal
from metrics_api.errors import nearest

Scalar: TypeAlias = str | int | float | bool
AGGREGATES = ("sum", "average", "min", "max")
COUNTS = ("at_least", "at_most", "exactly")
PATTERNS = ("regularly", "stopped", "restarted")
LONGEST_SEQUENCE = 10


class _Condition(Definition):
    """Anything that holds for some people and not for others."""

    @classmethod
    def noun(cls) -> str:
        return "a condition"


class Regularly(_Condition):
    """Again and again: in so many of the last periods."""

    at_least: int = Field(default=1, ge=1, le=1_000_000)
    """Events that make a period count."""
    in_: int = Field(alias="in", ge=1)
    """Periods that must count."""
    of: DurationField
    """The periods looked at, which end with the as-of day: `4 weeks` are four times seven days."""


class Stopped(_Condition):
    """Active once, quiet since."""

    active_before: DurationField
    """The days before the quiet ones, on any of which it was done."""
    quiet_for: DurationField
    """The days that end with the as-of day, on none of which it was done."""


class Restarted(_Condition):
    """Back after a quiet time: done before, then not, then again."""

    quiet_for: DurationField
    """The days before the active ones, on none of which it was done; it was at some time before."""
    active_within: DurationField
    """The days that end with the as-of day, on any of which it was done."""


class DidCondition(Selector):
    """Somebody did something, so many times, within a time. A bare name is `on`."""

    at_least: int | float | None = None
    """The least number of events (1 unless said), or the least `sum`, `average`, `min` or `max`."""
    at_most: int | float | None = None
    """The greatest number of events, of people with any; or the greatest `sum`, `average`, `min` or `max`."""
    exactly: int | None = None
    """The number of events."""
    sum: str | None = None
    """Add up this property instead of counting events."""
    average: str | None = None
    """Average this property instead of counting events."""
    min: str | None = None
    """The least value of this property instead of the number of events."""
    max: str | None = None
    """The greatest value of this property instead of the number of events."""
    within: DurationField | None = None
    """So many whole local days that end with the as-of day; left out: all of history."""
    from_: DateField | None = Field(default=None, alias="from")
    """The first local date that counts, instead of `within`."""
    to: DateField | None = None
    """The last local date that counts."""
    first_ever: bool = False
    """Whether it was somebody's first time within the time said."""
    regularly: Regularly | None = None
    """In so many of the last periods."""
    stopped: Stopped | None = None
    """Active once, quiet since."""
    restarted: Restarted | None = None
    """Back after a quiet time."""

    @classmethod
    def noun(cls) -> str:
        return "a condition"

    @property
    def measured(self) -> tuple[str, str] | None:
        """The aggregate and its property, if it is not events that are counted."""
        return next(((one, name) for one in AGGREGATES if (name := getattr(self, one)) is not None), None)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        written = [name for name in (*COUNTS, *AGGREGATES) if getattr(self, name) is not None]
        timed = [name for name in ("within", "from_", "to") if getattr(self, name) is not None]
        patterns = [name for name in PATTERNS if getattr(self, name) is not None]
        more = [*patterns[1:], *(patterns and [*written, *timed, *(["first_ever"] if self.first_ever else [])])]
        if patterns and more:
            other = more[0].removesuffix("_")
            raise Refusal(
                f"`{patterns[0]}` says by itself how often and when; `{other}` stands beside it",
                "Write two conditions below `all_of`.", at=(other,), on_key=True,
            )  # fmt: skip
        if self.first_ever and written:
            raise Refusal(
                f"the first time ever is one event; `{written[0]}` stands beside it",
                "Write two conditions below `all_of`.", at=(written[0],), on_key=True,
            )  # fmt: skip
        if self.first_ever and not timed:
            raise Refusal(
                "everybody's first time was at some time", "Say when: `within: 7 days`, or `from` and `to`.",
                at=("first_ever",), on_key=True,
            )  # fmt: skip
        self._check_numbers()
        self._check_time()
        return self

    def _check_numbers(self) -> None:
        aggregates = [one for one in AGGREGATES if getattr(self, one) is not None]
        if len(aggregates) > 1:
            told = f"`{aggregates[0]}` and `{aggregates[1]}` are both given"
            raise Refusal(told, "Write two conditions below `all_of`.", at=(aggregates[1],), on_key=True)
        bounds = {name: value for name in COUNTS if (value := getattr(self, name)) is not None}
        for name, value in bounds.items():
            if not math.isfinite(value):
                raise Refusal(f"expected a finite number, found `{value}`", at=(name,))
        if aggregates and "exactly" in bounds:
            raise Refusal(f"`exactly` counts events, not a {aggregates[0]}", "Write `at_least` and `at_most`.",
                          at=("exactly",), on_key=True)  # fmt: skip
        if aggregates and not bounds:
            raise Refusal(f"says no bound of the {aggregates[0]}", f"Write `{aggregates[0]}: PROPERTY, at_least: 60`.")
        for name, value in bounds.items() if not aggregates else ():
            if value != int(value):
                raise Refusal(f"expected a whole number of events, found `{value}`", at=(name,))
            if value < 1:
                fix = "Zero is not having done it: write `not: {on: ...}`."
                raise Refusal(f"expected at least 1, found `{value}`", fix, at=(name,))
        if "exactly" in bounds and len(bounds) > 1:
            other = next(name for name in bounds if name != "exactly")
            raise Refusal(f"`exactly` and `{other}` are both given", "Keep one of them.", at=(other,), on_key=True)
        if (low := bounds.get("at_least")) is not None and (high := bounds.get("at_most")) is not None and low > high:
            raise Refusal(f"at least {low} and at most {high} is nothing", "Swap them.", at=("at_most",))

    def _check_time(self) -> None:
        fixed = [name for name in ("from", "to") if getattr(self, "from_" if name == "from" else name) is not None]
        if self.within is not None and fixed:
            raise Refusal(f"`within` and `{fixed[0]}` are both given", "Keep one of them.", at=(fixed[0],), on_key=True)
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise Refusal(f"it ends ({self.to}) before it begins ({self.from_})", "Swap `from` and `to`.", at=("to",))


class SequenceCondition(_Condition):
    """Somebody did one thing after another."""

    sequence: tuple[Selector, ...] = Field(json_schema_extra={"minItems": 2, "maxItems": LONGEST_SEQUENCE})
    """What was done, in order: `[signed_up, watched]`; other things may happen in between."""
    within: DurationField | None = None
    """From the first to the last of them, inclusive; a day is 24 hours. Left out: however long it took."""

    @model_validator(mode="after")
    def _is_a_sequence(self) -> Self:
        if not 2 <= (count := len(self.sequence)) <= LONGEST_SEQUENCE:
            raise Refusal(
                f"a sequence of {count}: expected 2 to {LONGEST_SEQUENCE}", "Name what came first, and then what.",
                at=("sequence",),
            )  # fmt: skip
        return self


class PropertyCondition(_Condition):
    """Somebody is something: an attribute, as of now."""

    property: str
    """An attribute of who is counted: `user.plan`."""
    in_: tuple[Scalar, ...] | None = Field(default=None, alias="in", json_schema_extra={"minItems": 1})
    """Its value is one of these."""
    not_in: tuple[Scalar, ...] | None = Field(default=None, json_schema_extra={"minItems": 1})
    """Its value is anything else, or missing."""

    @model_validator(mode="after")
    def _has_one_list(self) -> Self:
        if (self.in_ is None) == (self.not_in is None):
            told = "does not say which values" if self.in_ is None else "says which values in two ways"
            raise Refusal(told, "Write `in: [..]` or `not_in: [..]`.")
        for word, values in (("in", self.in_), ("not_in", self.not_in)):
            if values == ():
                raise Refusal("an empty list to choose from", at=(word,))
        return self


class WhereCondition(_Condition):
    """What is known of somebody fulfils a short SQL condition."""

    where: Condition
    """A condition over attributes of who is counted: `user.plan = 'pro' and user.birth_year > 1990`."""


class MetricCondition(_Condition):
    """Somebody is one of the people behind a metric: chosen by what it offers, as `tier: power`."""

    model_config = ConfigDict(extra="allow")

    metric: MetricName
    """A metric that tells its people."""
    grain: Literal["day", "week", "month", "quarter", "year"] | None = None
    """The bucket looked at, where the metric tells people by bucket: the last one over by the as-of day."""


class CohortCondition(_Condition):
    """Somebody is in another cohort."""

    cohort: CohortName
    """The other cohort."""


class _Grouped(Definition):
    """Conditions put together; of several of these words all must hold."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [word]} for word in ("all_of", "any_of", "none_of", "not")]}
    )

    all_of: tuple[AnyCondition, ...] | None = Field(default=None, json_schema_extra={"minItems": 1})
    """All of these hold."""
    any_of: tuple[AnyCondition, ...] | None = Field(default=None, json_schema_extra={"minItems": 1})
    """At least one of these holds."""
    none_of: tuple[AnyCondition, ...] | None = Field(default=None, json_schema_extra={"minItems": 1})
    """None of these holds."""
    not_: AnyCondition | None = Field(default=None, alias="not")
    """This does not hold."""

    @model_validator(mode="after")
    def _has_any(self) -> Self:
        if all(one is None for one in (self.all_of, self.any_of, self.none_of, self.not_)):
            raise Refusal(
                "does not say who belongs to it", "Write `all_of: [{on: EVENT, at_least: 3, within: 7 days}]`."
            )
        for word in ("all_of", "any_of", "none_of"):
            if getattr(self, word) == ():
                raise Refusal("an empty list of conditions", at=(word,))
        return self


class GroupCondition(_Grouped):
    """Conditions put together."""

    @classmethod
    def noun(cls) -> str:
        return "a condition"


_BY_WORD: Mapping[str, type[Definition]] = {
    "cohort": CohortCondition,
    "metric": MetricCondition,
    "sequence": SequenceCondition,
    **dict.fromkeys(("all_of", "any_of", "none_of", "not"), GroupCondition),
    **dict.fromkeys(("event", "on"), DidCondition),
    "property": PropertyCondition,
    "where": WhereCondition,
}
"""Which condition is meant, by the first of these words that stands in it."""


def _form(written: Any) -> str:
    if isinstance(written, BaseModel):
        return type(written).__name__
    if not isinstance(written, Mapping):
        return DidCondition.__name__
    meant = next((form for word, form in _BY_WORD.items() if word in written), None)
    near = next((form for key in written if (word := nearest(str(key), _BY_WORD)) and (form := _BY_WORD[word])), None)
    return (meant or near or DidCondition).__name__


AnyCondition: TypeAlias = Annotated[
    Annotated[DidCondition, Tag("DidCondition")]
    | Annotated[SequenceCondition, Tag("SequenceCondition")]
    | Annotated[PropertyCondition, Tag("PropertyCondition")]
    | Annotated[WhereCondition, Tag("WhereCondition")]
    | Annotated[MetricCondition, Tag("MetricCondition")]
    | Annotated[CohortCondition, Tag("CohortCondition")]
    | Annotated[GroupCondition, Tag("GroupCondition")],
    Discriminator(_form),
]


class CohortDefinition(_Grouped, MetricDefinition):
    """People who belong together, by what they did and what they are: a filter and a breakdown of every metric."""

    model_config = ConfigDict(extra="forbid")
    shorthand: ClassVar[str | None] = None

    type: Literal["cohort"] = "cohort"

    @classmethod
    def noun(cls) -> str:
        return "a cohort"

    @model_validator(mode="before")
    @classmethod
    def _is_no_metric(cls, written: Any) -> Any:
        for word in ("type", "class") if isinstance(written, Mapping) else ():
            if word in written:
                raise Refusal(f"`{word}` is not a field of a cohort", "Leave it out.", at=(word,), on_key=True)
        for word in _BY_WORD if isinstance(written, Mapping) else ():
            if word in written and _BY_WORD[word] is not GroupCondition:
                fix = f"Conditions stand in a list: `all_of: [{{{word}: ...}}]`."
                raise Refusal(f"`{word}` is not a field of a cohort", fix, at=(word,), on_key=True)
        return written


for _one in (_Grouped, GroupCondition, CohortDefinition):
    _one.model_rebuild()
