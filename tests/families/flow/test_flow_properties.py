"""Flows over generated worlds, against the oracle; and what must hold of them whatever happened."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from hypothesis import strategies as st

from families.asking import KnownThrough, project_over
from families.engines import on_every_engine
from families.oracles.conditions import selector_of, to_sql
from families.oracles.distribution import percentile
from families.oracles.flow import Flow, Path, Told, label_of_node, paths, told
from families.oracles.world import World, named
from families.usage.test_usage_properties import escaped, same
from families.worlds import DURATIONS, NAMES, Moment, conditions, ranges, sequence_of, worlds
from metrics_api.serving.asking import ask

Rows = list[dict[str, Any]]
MEASURES = ("seconds_median", "seconds_average", "seconds_min", "seconds_max", "seconds_p90")
WINDOWS = ("30 days", "30 days", "7 days", "2 days", "1 hour", "30 minutes", "1 second")
GAPS = (None, None, "30 minutes", "1 hour", "1 day", "1 second")


@dataclass(frozen=True)
class FlowPlan:
    """A flow that can be written as YAML and handed to the oracle."""

    anchor: Moment
    after: int
    before: int
    node: str = "event"
    top: int = 8
    totals: bool = False
    first_ever: bool = False
    collapse: bool = True
    events: tuple[str, ...] = ()
    hidden: str | None = None
    gap: str | None = None
    within: str = "30 days"
    tie_breaker: bool = False
    copies: bool = False

    @property
    def yaml(self) -> str:
        condition = f', where: "{escaped(to_sql(self.anchor.where))}"' if self.anchor.where else ""
        ever = ", first_ever: true" if self.first_ever else ""
        lines = [
            f"anchor: {{on: {self.anchor.event or 'anything'}{condition}{ever}}}",
            f"after: {self.after}",
            f"before: {self.before}",
            f"node: {self.node}",
            f"top: {self.top}",
            f"count: {'totals' if self.totals else 'users'}",
            f"collapse: {'true' if self.collapse else 'false'}",
            f"within: {self.within}",
            "paths: 1000",
            *([f"events: [{', '.join(self.events)}]"] if self.events else []),
            *([f"hide: [{self.hidden}]"] if self.hidden else []),
            *([f"session_gap: {self.gap}"] if self.gap else []),
        ]
        return "next:\n  type: flow\n  " + "\n  ".join(lines)

    @property
    def flow(self) -> Flow:
        return Flow(
            anchor=self.anchor.selector,
            anchor_name=self.anchor.event or "anything",
            after=self.after,
            before=self.before,
            steps=lambda event: named(*self.events)(event) and event.name != self.hidden,
            node=(lambda event: event.name) if self.node == "event" else label_of_node(self.node),
            top=self.top,
            totals=self.totals,
            first_ever=self.first_ever,
            collapse=self.collapse,
            gap=DURATIONS[self.gap] if self.gap else None,
            within=DURATIONS[self.within],
            tie_breaker=sequence_of if self.tie_breaker else None,
        )

    def over(self, world: World, engine: str) -> KnownThrough:
        unique = "event_id: {column: event_id, unique: true}" if self.copies else "event_id: event_id"
        tie = "\ntie_breaker: sequence" if self.tie_breaker else ""
        return project_over(world, self.yaml, source=f"{unique}{tie}", engine=engine)


@st.composite
def flow_plans(draw: st.DrawFn) -> FlowPlan:
    event = draw(st.sampled_from((*NAMES, None)))
    where = draw(st.one_of(st.none(), st.none(), st.none(), conditions()))
    after, before = draw(st.sampled_from([(1, 0), (2, 0), (3, 0), (5, 0), (0, 1), (0, 3), (2, 2), (1, 3)]))
    others = [name for name in NAMES if name != event]
    events = draw(st.sampled_from([(), (), tuple(others[:2]), NAMES[:2]]))
    totals = draw(st.booleans())
    return FlowPlan(
        anchor=Moment(event, where),
        after=after,
        before=before,
        node=draw(st.sampled_from(("event", "event", "country", "level", "flag"))),
        top=draw(st.sampled_from((8, 8, 1, 2, 3))),
        totals=totals,
        first_ever=not totals and draw(st.sampled_from((False, False, True))),
        collapse=draw(st.sampled_from((True, True, False))),
        events=events,
        hidden=draw(st.sampled_from([None, None, *others])) if not events else None,
        gap=draw(st.sampled_from(GAPS)),
        within=draw(st.sampled_from(WINDOWS)),
        tie_breaker=draw(st.booleans()),
        copies=draw(st.booleans()),
    )


@dataclass(frozen=True)
class Asked:
    """A question, as words for us and as what the oracle is given."""

    first: date
    last: date
    grain: Any
    by: tuple[str, ...] = ()
    where: Any = None

    def words(self) -> dict[str, Any]:
        where = to_sql(self.where) if self.where else None
        return {"start": self.first, "end": self.last, "grain": self.grain, "by": self.by, "where": where}

    def of_oracle(self, world: World, plan: FlowPlan) -> list[Path]:
        return paths(
            world, plan.flow, self.first, self.last, self.grain, breakdown=self.by,
            where=selector_of(self.where) if self.where else None, copies=plan.copies,
        )  # fmt: skip


@st.composite
def questions(draw: st.DrawFn, world: World) -> Asked:
    grain = draw(st.sampled_from(("month", "month", "week", "day")))
    first, last = draw(ranges(world, grain))
    by = draw(st.sampled_from([(), (), ("country",), ("flag", "level")]))
    return Asked(first, last, grain, by, draw(st.one_of(st.none(), st.none(), conditions())))


def time(measure: str, seconds: list[float]) -> float | None:
    stat = measure.removeprefix("seconds_")
    if not seconds:
        return None
    if stat in ("min", "max"):
        return {"min": min, "max": max}[stat](seconds)
    if stat == "average":
        return sum(seconds) / len(seconds)
    return percentile(seconds, 0.5 if stat == "median" else int(stat[1:]) / 100)


def counts(number: int, count: str) -> dict[str, int | None]:
    return {"users": None, "total": None, count: number}


def rows_of(theirs: Told, by: tuple[str, ...], count: str, measures: list[str]) -> Rows:
    return [
        {
            **dict(zip(by, labels, strict=True)),
            "position": position,
            "source": source,
            "target": target,
            **counts(edge.count, count),
            "pending": edge.pending,
            "share": edge.count / theirs.totals[labels],
            **{one: time(one, edge.seconds) for one in measures},
        }
        for (labels, position, source, target), edge in sorted(theirs.edges.items())
    ]


def nodes_of(theirs: Told, by: tuple[str, ...], count: str, plan: FlowPlan) -> Rows:
    found = []
    for (labels, position, node), users in sorted(theirs.nodes.items()):
        ended = theirs.edges.get((labels, position + 1, node, "(exit)")) if position >= 0 else None
        began = theirs.edges.get((labels, position - 1, "(start)", node)) if position <= 0 else None
        exits, starts = ended.count if ended else 0, began.count if began else 0
        onward, backward = position < plan.after, position > -plan.before
        if not plan.after:
            onward = position < 0
        if not plan.before:
            backward = position > 0
        found.append(
            {
                **dict(zip(by, labels, strict=True)),
                "position": position,
                "node": node,
                **counts(users, count),
                "share": users / theirs.totals[labels],
                "inflow": users - starts if backward else None,
                "starts": starts if backward else None,
                "outflow": users - exits if onward else None,
                "exits": exits if onward else None,
                "pending": ended.pending if ended else 0,
            }
        )
    return found


def paths_of(theirs: Told, by: tuple[str, ...], count: str) -> Rows:
    return [
        {
            **dict(zip(by, labels, strict=True)),
            "rank": rank,
            "path": path,
            **counts(users, count),
            "share": users / theirs.totals[labels],
            "pending": pending,
        }
        for labels, ranked in sorted(theirs.paths.items())
        for rank, (path, users, pending) in enumerate(ranked, 1)
    ]


def alike(ours: Rows, theirs: Rows) -> bool:
    return len(ours) == len(theirs) and all(
        mine.keys() == other.keys() and all(same(mine[name], other[name]) for name in mine)
        for mine, other in zip(ours, theirs, strict=True)
    )


@on_every_engine()
def test_flows_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    plan = data.draw(flow_plans())
    asked = data.draw(questions(world))
    measures = data.draw(st.sampled_from([[], list(MEASURES)]))
    answer = plan.over(world, engine).answer(
        ask("next", parts="rows,nodes,paths", measures=measures, limit=1000, **asked.words())
    )
    theirs = told(asked.of_oracle(world, plan), plan.flow)
    count = "total" if plan.totals else "users"
    ours = {name: part.to_pylist() for name, part in answer.parts.items()}
    assert alike(ours["rows"], rows_of(theirs, asked.by, count, measures)), answer.info.sql
    assert alike(ours["nodes"], nodes_of(theirs, asked.by, count, plan)), answer.info.sql
    assert alike(ours["paths"], paths_of(theirs, asked.by, count)), answer.info.sql


@on_every_engine(share=2)
def test_nothing_is_lost_between_the_columns(data: st.DataObject, engine: str) -> None:
    """What comes to a node leaves it or ends there; every anchor has one path; in whatever order events are stored."""
    world = data.draw(worlds(event_ids=False))
    plan = data.draw(flow_plans())
    asked = replace(data.draw(questions(world)), by=())
    question = ask("next", parts="rows,nodes,paths", limit=1000, **asked.words())
    answer = plan.over(world, engine).answer(question)
    found = {name: part.to_pylist() for name, part in answer.parts.items()}
    sql, count = answer.info.sql, "total" if plan.totals else "users"
    comes, leaves = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for row in found["rows"]:
        position = row["position"]
        comes[position if position > 0 else position + 1, row["target"]] += row[count]
        leaves[position - 1 if position > 0 else position, row["source"]] += row[count]
    for row in found["nodes"]:
        key = (row["position"], row["node"])
        if row["inflow"] is not None:
            assert comes[key] == row[count] == row["inflow"] + row["starts"], sql
        if row["outflow"] is not None:
            assert leaves[key] == row[count] == row["outflow"] + row["exits"], sql
    anchors = sum(row[count] for row in found["nodes"] if row["position"] == 0)
    assert sum(row[count] for row in found["paths"]) == anchors, sql
    assert all(row["pending"] <= row[count] for rows in found.values() for row in rows), sql
    shuffled = list(world.events)
    random.Random(data.draw(st.integers(0, 9))).shuffle(shuffled)
    again = plan.over(replace(world, events=tuple(shuffled)), engine).answer(question)
    assert {name: part.to_pylist() for name, part in again.parts.items()} == found, sql
