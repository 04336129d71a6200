"""What a request for a metric asks: its name and words as a question, refused as a whole with all that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from starlette.requests import Request

from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.families import families
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.layouts import public_cohorts
from metrics_api.graphql_schema.names import public_metrics
from metrics_api.query.bind import MEMBER_COUNT, MEMBERS
from metrics_api.query.metric_query import MetricQuery
from metrics_api.semantic.model import Metric, SemanticModel
from metrics_api.serving.asking import ask
from metrics_api.serving.exports import unlimited
from metrics_api.serving.project import Project
from metrics_api.serving.service import Asking, Caller, Service, Use
from metrics_api.web.requests import request_id_of
from metrics_api.web.rest.kept import Bodies
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


class Rest:
    """What all endpoints of one reading of the definitions share: who answers, and what may be asked for."""

    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self.service, self.limits = service, limits
        self.bodies = Bodies()

    @property
    def project(self) -> Project:
        return self.service.project

    @property
    def model(self) -> SemanticModel:
        return self.project.model

    @cached_property
    def named(self) -> Mapping[str, Metric]:
        """The metrics and cohorts that are offered."""
        return {one.name: one for one in (*public_metrics(self.model), *public_cohorts(self.model))}

    @cached_property
    def answer_words(self) -> tuple[Word, ...]:
        """The words of a question that is answered as a whole."""
        limits = self.project.limits
        return (
            *range_words(),
            *rows_words(limits, self.limits, self._parts, most_rows=limits.most_rows),
            *cohort_words(),
            *people_words(limits, pages=True),
            cache_word(),
        )

    @cached_property
    def export_words(self) -> tuple[Word, ...]:
        """The words of a question of which all rows are streamed."""
        limits = self.project.limits
        return (
            *range_words(),
            *rows_words(limits, self.limits, self._parts, most_rows=None),
            *cohort_words(),
            *people_words(limits, pages=False),
        )

    @property
    def _parts(self) -> tuple[str, ...]:
        """The parts that any of them has."""
        known = (part for one in self.named.values() for part in families()[one.type].parts)
        return tuple(dict.fromkeys((*known, MEMBERS, MEMBER_COUNT)))


def cache_word() -> Word:
    schema = {"type": "string", "enum": list(USES), "default": "any"}
    words = "`fresh`: asked of the warehouse now; `only`: only if it is kept; `any`: either."
    return Word("cache", None, one_of(*USES), schema, words, "fresh")


def metric_named(rest: Rest, name: str) -> Metric:
    """The metric or cohort of that name; 404 where there is none."""
    if (found := rest.named.get(name)) is None:
        fix = did_you_mean(name[:80], rest.named, what="metrics and cohorts")
        raise Refused.of(f"there is no metric `{name[:80]}`", fix, code=Code.UNKNOWN_NAME, status=404)
    return found


def question(request: Request, rest: Rest, metric: Metric, words: Sequence[Word]) -> tuple[MetricQuery, Given]:
    """The question. Raises Refused with all that is wrong with it, as far as words are; QueryError for what else is."""
    given = read_words(request.query_params.multi_items(), words)
    if not given.wrong:
        return ask(metric.name, **given.arguments(words)), given
    wrong = list(given.wrong)
    try:  # What the words that could be read ask for may be wrong as well.
        rest.project.check(unlimited(ask(metric.name, **given.arguments(words))))
    except QueryError as error:
        wrong += [Wrong(one) for one in error.problems]
    raise Refused(wrong)


def caller_of(request: Request) -> Caller:
    """Who asks. Callers are not told apart yet."""
    return Caller()


def asking(request: Request, given: Given) -> Asking:
    """How the answer is wanted."""
    use = USES[given.values.get("cache", "any")]
    return Asking(caller_of(request), request_id_of(request.scope), use)


def unknown_ending(name: str, endings: Sequence[str]) -> Refused:
    """A refusal (404) of an address whose ending is that of no format."""
    _, dot, ending = name.rpartition(".")
    told = f"this is not written as `.{ending[:80]}`" if dot else "the address says no format"
    *others, last = (f"`.{one}`" for one in endings)
    fix = f"The endings are {', '.join(others)} and {last}."
    problem = Problem(told, fix=fix, code=Code.UNKNOWN_NAME)
    return Refused([Wrong(problem)], status=404)
