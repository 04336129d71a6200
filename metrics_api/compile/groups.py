"""What every family's breakdowns get: the top values with `(other)` (RULES 17), and subtotals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from metrics_api.plan.expr import Col, call, integer, text
from metrics_api.plan.nodes import Filter, Named, Plan, Project, Sort, Union, output
from metrics_api.query.bind import BoundQuery
from metrics_api.query.dimension import ALL, NONE, Dimension
from metrics_api.query.family import Family


def with_ranking(query: BoundQuery, family: Family) -> BoundQuery:
    """The question, knowing the top values of each breakdown that asks for them.

    They are those of the greatest overall value of the range (funnels: of the most entries), ties by label. `(none)`
    is not ranked: it always stands by itself.
    """
    if query.ranked or all(one.top is None for one in query.by):
        return query
    return replace(query, ranked=tuple((one.name, _top(query, family, one)) for one in query.by if one.top is not None))


def _top(query: BoundQuery, family: Family, by: Dimension) -> Plan:
    alone = replace(query, by=(replace(by, top=None),), subtotals=False, compare=None)
    if family.ranking is not None:
        groups, value = family.ranking(alone)
    else:
        measure = family.measure(query.metric, family.ranked_by)
        assert measure is not None, family.ranked_by
        groups, value = family.plan(replace(alone, measures=(measure,), parts=("overall",)))["overall"], measure.name
    # In a tie of nothing at all, nulls are last on every engine only as numbers.
    ranked = Project(
        Filter(groups, call("ne", Col(by.name), text(NONE))),
        ((f"top_{by.name}", Col(by.name)), ("ranked_by", call("coalesce", Col(value), integer(0)))),
    )
    best = Sort(ranked, (("ranked_by", True), (f"top_{by.name}", False)), by.top)
    return Named(f"top_of_{by.name}", Project(best, ((f"top_{by.name}", Col(f"top_{by.name}")),)))


def with_subtotals(query: BoundQuery, parts_of: Callable[[BoundQuery], Mapping[str, Plan]]) -> dict[str, Plan]:
    """The parts of a question, and beside their rows those of every shorter breakdown, with `(all)` for the rest."""
    found = {part: [plan] for part, plan in parts_of(query).items()}
    for count in reversed(range(len(query.by))) if query.subtotals else ():
        over_all = {one.name for one in query.by[count:]}
        for part, plan in parts_of(replace(query, by=query.by[:count], finer=query.by)).items():
            names = output(found[part][0])
            found[part].append(Project(plan, tuple((one, text(ALL) if one in over_all else Col(one)) for one in names)))
    return {part: plans[0] if len(plans) == 1 else Union(tuple(plans)) for part, plans in found.items()}
