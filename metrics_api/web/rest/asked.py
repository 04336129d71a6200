"""What a request for a metric asks: its name and words as a question, refused as a whole with all that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.families import families
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.layouts import public_cohorts
from metrics_api.graphql_schema.names import public_metrics
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS
from metrics_api.query.limits import Limits
from metrics_api.query.metric_query import MetricQuery
from metrics_api.semantic.model import Metric, SemanticModel
from metrics_api.serving.asking import ask
from metrics_api.serving.exports import unlimited
from metrics_api.serving.project import Project
from metrics_api.serving.service import Asking, Service, Use
from metrics_api.web.requests import request_id_of
from metrics_api.web.rest.refusals import Refused, Wrong
from metrics_api.web.rest.words import (
    Given,
    Word,
    cohort_words,
    one_of,
    people_words,
    range_words,
    read_words,
    rows_words,
)

USES: Mapping[str, Use] = {one.value.lower(): one for one in Use}


@dataclass(frozen=True, slots=True)
class Rest:
    """What all endpoints share: who answers, and how much a request may ask for."""

    service: Service
    limits: RequestLimits

    @property
    def project(self) -> Project:
        return self.service.project

    @property
    def model(self) -> SemanticModel:
        return self.project.model


def named(model: SemanticModel) -> dict[str, Metric]:
    """The metrics and cohorts that are offered."""
    return {one.name: one for one in (*public_metrics(model), *public_cohorts(model))}


def parts_of(model: SemanticModel) -> tuple[str, ...]:
    """The parts that any of them has."""
    known = (part for one in named(model).values() for part in families()[one.type].parts)
    return tuple(dict.fromkeys((*known, MEMBERS, MEMBER_COUNT)))


def cache_word() -> Word:
    schema = {"type": "string", "enum": list(USES), "default": "any"}
    words = "`fresh`: asked of the warehouse now; `only`: only if it is kept; `any`: either."
    return Word("cache", None, one_of(*USES), schema, words, "fresh")


def answer_words(model: SemanticModel, limits: Limits, asked: RequestLimits) -> tuple[Word, ...]:
    """The words of a question that is answered as a whole."""
    return (
        *range_words(),
        *rows_words(limits, asked, parts_of(model), most_rows=limits.most_rows),
        *cohort_words(),
        *people_words(limits, pages=True),
        cache_word(),
    )


def export_words(model: SemanticModel, limits: Limits, asked: RequestLimits) -> tuple[Word, ...]:
    """The words of a question of which all rows are streamed."""
    return (
        *range_words(),
        *rows_words(limits, asked, parts_of(model), most_rows=None),
        *cohort_words(),
        *people_words(limits, pages=False),
    )


def metric_named(rest: Rest, name: str) -> Metric:
    """The metric or cohort of that name; 404 where there is none."""
    known = named(rest.model)
    if (found := known.get(name)) is None:
        fix = did_you_mean(name[:80], known, what="metrics and cohorts")
        raise Refused.of(f"there is no metric `{name[:80]}`", fix, code=Code.UNKNOWN_NAME, status=404)
    return found


def question(
    request: Request, rest: Rest, metric: Metric, words: Sequence[Word], *, every_row: bool = False
) -> tuple[MetricQuery, Given]:
    """The question, which can be answered as it is asked. Raises Refused with all that is wrong with it.

    Where `every_row` can be told, `limit` may be any number.
    """
    given = read_words(request.query_params.multi_items(), words)
    wrong = list(given.wrong)
    asked: MetricQuery | None = None
    try:
        asked = ask(metric.name, **given.arguments(words))
        rest.project.check(unlimited(asked) if every_row else asked)
    except QueryError as error:
        wrong += [Wrong(one) for one in error.problems]
    if wrong or asked is None:
        raise Refused(wrong)
    return asked, given


def asking(request: Request, given: Given) -> Asking:
    """How the answer is wanted."""
    return Asking(request_id=request_id_of(request.scope), use=USES[given.values.get("cache", "any")])


def unknown_ending(name: str, endings: Sequence[str]) -> Refused:
    """A refusal (404) of an address whose ending is that of no format."""
    _, dot, ending = name.rpartition(".")
    told = f"this is not written as `.{ending[:80]}`" if dot else "the address says no format"
    *others, last = (f"`.{one}`" for one in endings)
    fix = f"The endings are {', '.join(others)} and {last}."
    problem = Problem(told, fix=fix, code=Code.UNKNOWN_NAME)
    return Refused([Wrong(problem)], status=404)
