"""Boards: questions that are asked together, written card by card or made by a template."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from metrics_api.definitions.base import Condition, Definition, DurationField, Text
from metrics_api.definitions.dates import DateField
from metrics_api.definitions.names import AskedName, CohortName, Identifier
from metrics_api.definitions.refusal import Refusal

MOST_CARDS = 60


def _parse_choice(written: object) -> str | int | date:
    if isinstance(written, str | int | date) and not isinstance(written, bool):
        return written
    raise Refusal(f"expected a word, a number or a date, found `{written}`")


ChosenBy = Annotated[
    str | int | date,
    PlainValidator(_parse_choice),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": ["string", "integer"]}),
]


class CardDefinition(Definition):
    """A question of a board: a metric or cohort, and how it is asked."""

    metric: AskedName
    """The metric, or cohort, that is asked."""
    label: Text | None = None
    """The name shown to people; that of the metric when absent."""
    description: Text | None = None
    """What it shows; what the metric means when absent."""
    question: Text | None = None
    """What it answers, in the words of those who ask."""
    parts: tuple[Text, ...] = ()
    """The parts of the answer, such as `[rows, overall]` or `[steps]`; the usual one when absent."""
    last: DurationField | None = None
    """The range: the last days, weeks or months, the one that is not over included."""
    exclude_current: bool = False
    """With `last`: without the unit that is not over."""
    from_: DateField | None = Field(default=None, alias="from")
    """The first local date of the range, instead of `last`."""
    to: DateField | None = None
    """The last local date of the range; today when absent."""
    grain: Literal["hour", "day", "week", "month", "quarter", "year"] | None = None
    """The size of a bucket."""
    by: tuple[Text, ...] = ()
    """What it is broken down by."""
    top: int | None = Field(default=None, ge=1)
    """Only so many values of the first breakdown by themselves, all others as `(other)`."""
    subtotals: bool = False
    """Also the groups over all values of later breakdowns."""
    where: Condition | None = None
    """Only events for which this SQL condition is true."""
    measures: tuple[Text, ...] | None = None
    """What is computed, such as `[value, users]`; the usual measures when absent."""
    within: DurationField | None = None
    """The window of a funnel, instead of its own."""
    compare: Literal["previous_period", "previous_year"] | None = None
    """Beside each value that of an earlier range."""
    cohort: CohortName | None = None
    """Only people of this cohort."""
    by_cohorts: tuple[CohortName, ...] = ()
    """Each of these cohorts by itself, and those in none."""
    cohort_as_of: Literal["range_end", "bucket_end"] | None = None
    """The day of the cohorts."""
    members: Mapping[Identifier, ChosenBy] | None = None
    """The people behind the numbers, by what they are chosen: `{tier: power}`; `{}`: the usual ones."""
    first: int | None = Field(default=None, ge=1)
    """How many people are told."""
    attributes: tuple[Text, ...] = ()
    """What is told of them."""
    order: tuple[Text, ...] = ()
    """The columns by which rows are in order, `-value` for descending."""
    limit: int | None = Field(default=None, ge=1)
    """The most rows."""

    @classmethod
    def noun(cls) -> str:
        return "a card"

    @model_validator(mode="after")
    def _means_one_thing(self) -> Self:
        if self.last is not None and (self.from_ is not None or self.to is not None):
            raise Refusal("`last` and dates are both given", "Keep one of them.", at=("last",), on_key=True)
        if self.to is not None and self.from_ is None:
            raise Refusal("`to` is given without `from`", "Write `from` as well.", at=("to",), on_key=True)
        if self.exclude_current and self.last is None:
            raise Refusal(
                "`exclude_current` is for `last`",
                "Write `last`, or leave it out.",
                at=("exclude_current",),
                on_key=True,
            )
        if self.top is not None and not self.by:
            raise Refusal("the top of what?", "Write `by`, or leave `top` out.", at=("top",), on_key=True)
        if self.members is not None and self.parts:
            raise Refusal("`members` are a part of their own", "Leave `parts` out.", at=("parts",), on_key=True)
        return self


class BoardDefinition(Definition):
    """Questions that are asked together."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["template"]}, {"required": ["cards"]}]})

    label: Text | None = None
    """The name shown to people."""
    description: Text | None = None
    """What it is for."""
    owner: Text | None = None
    """The person or team who answers for it."""
    template: Literal["company_kpis"] | None = None
    """Makes metrics, cohorts and cards of the project's `sign_up` and `value_moment`."""
    cards: Mapping[Identifier, CardDefinition] = Field(default_factory=dict)
    """The questions by name, in order. One of the name of a template's card takes its place."""

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        if self.template is None and not self.cards:
            raise Refusal(
                "shows nothing: it has no cards and no template",
                "Write `template: company_kpis`, or `cards: {NAME: {metric: METRIC}}`.",
            )
        if len(self.cards) > MOST_CARDS:
            raise Refusal(f"{len(self.cards)} cards; a board has at most {MOST_CARDS}", at=("cards",), on_key=True)
        return self
