"""Warmups as questions: what each asks, of whom, and where that is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from metrics_api.definitions.names import Path
from metrics_api.definitions.warmups import RangeDefinition, WarmupDefinition
from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.periods import Grain
from metrics_api.query.boards import Over, cards_of, question
from metrics_api.query.metric_query import Between, Last, MetricQuery, TimeRange
from metrics_api.semantic.model import SemanticModel

MOST_QUESTIONS = 2_000


@dataclass(frozen=True, slots=True)
class Planned:
    """A question of a warmup, as it is called by people, and the keys of the warmup that it comes from."""

    name: str
    query: MetricQuery
    at: tuple[Path, ...]
    """The places that could be to blame where it cannot be asked, the likeliest last."""


def warmup_named(model: SemanticModel, name: str) -> WarmupDefinition:
    """The warmup of that name. Raises QueryError."""
    if (found := model.warmups.get(name)) is None:
        fix = did_you_mean(name, model.warmups, what="warmups") if model.warmups else "The project defines no warmup."
        raise QueryError(Problem(f"there is no warmup `{name}`", fix=fix, code=Code.UNKNOWN_NAME))
    return found


def planned(model: SemanticModel, warmup: WarmupDefinition) -> Iterator[Planned]:
    """Its questions in the order in which it names them, each once; those to be replayed are not known here.

    Raises QueryError for a board or card that is none.
    """
    seen: set[MetricQuery] = set()
    for one in _all(model, warmup):
        if one.query not in seen:
            seen.add(one.query)
            yield one


def _all(model: SemanticModel, warmup: WarmupDefinition) -> Iterator[Planned]:
    ranges: Sequence[TimeRange | None] = [_range(one) for one in warmup.ranges] or [None]
    for place, board in enumerate(warmup.boards):
        for nth, time in enumerate(ranges):
            for card in cards_of(model, board, over=Over(time)):
                at = (("boards", place), *_at("ranges", nth, time))
                yield Planned(_named(f"{board}.{card.name}", time), card.query, at)
    for place, path in enumerate(warmup.cards):
        board, _, name = path.partition(".")
        for nth, time in enumerate(ranges):
            for card in cards_of(model, board, [name], Over(time)):
                yield Planned(_named(path, time), card.query, (("cards", place), *_at("ranges", nth, time)))
    of_metrics = (
        enumerate(warmup.metrics),
        enumerate(ranges),
        enumerate([Grain(one) for one in warmup.grains] or [None]),
        enumerate(warmup.breakdowns or [()]),
    )
    for (place, metric), (nth, time), (size, grain), (which, by) in product(*of_metrics):
        at = (
            ("metrics", place),
            *_at("ranges", nth, time),
            *_at("grains", size, grain),
            *_at("breakdowns", which, by),
        )
        name = " ".join([metric, *([f"by {grain.value}"] if grain else []), *([f"by {', '.join(by)}"] if by else [])])
        yield Planned(_named(name, time), MetricQuery(metric, time=time, grain=grain, by=by), at)
    for key, written in warmup.questions.items():
        yield Planned(key, question(written), (("questions", key),))


def _at(word: str, place: int, given: object) -> tuple[Path, ...]:
    return ((word, place),) if given else ()


def _range(written: RangeDefinition) -> TimeRange:
    if written.last is not None:
        return Last(written.last, written.exclude_current)
    assert written.from_ is not None
    return Between(written.from_, written.to)


def _named(name: str, time: TimeRange | None) -> str:
    match time:
        case Last(duration, exclude_current):
            return f"{name}, last {duration}{' without the current' if exclude_current else ''}"
        case Between(first, last):
            return f"{name}, {first} to {last or 'today'}"
        case None:
            return name
