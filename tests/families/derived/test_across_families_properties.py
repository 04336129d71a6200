"""Metrics calculated of other families' numbers, over generated worlds: against those families asked alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from families.asking import project_over
from families.derived.test_derived_properties import formulas, same
from families.engines import on_every_engine
from families.oracles.calendar import bucket_starts
from families.oracles.conditions import to_sql
from families.oracles.derived import Key, Numbers, derived, names, written
from families.usage.test_usage_properties import yaml_of
from families.worlds import conditions, grains, moments, ranges, worlds
from metrics_api.serving.asking import ask
from metrics_api.serving.project import Project

DEFINITIONS = """
tiered: {type: frequency, on: watch, window: 3 days, tiers: {power: 2, casual: 1}}
journey: {type: funnel, steps: {first: {event: open}, then: {event: watch}}, within: 2 days}
growth: {type: lifecycle, on: watch}
visits: {type: sessions, source: events}
"""
OF_TIERS = ("tiered.power", "tiered.casual", "tiered.none", "tiered.users")
OF_FUNNEL = ("journey.entered", "journey.converted", "journey.rate", "journey.pending", "journey.dropped")
OF_LIFECYCLE = ("growth.new", "growth.returning", "growth.dormant", "growth.dormant_stock")
OTHERS = ("visits.value", "visits.minutes_spent", "one.total", "one.users")


@dataclass(frozen=True)
class Alone:
    """The families' own answers to a question."""

    project: Project
    words: Mapping[str, Any]
    by: Sequence[str]
    begun: Mapping[object, bool]
    """Whether a bucket (None: any complete one of the range) has something to tell."""

    def rows(self, metric: str, part: str, **words: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            self.project.answer(ask(metric, parts=part, **self.words, **words)).parts[part].to_pylist()
        )
        return found

    def key(self, row: Mapping[str, Any]) -> Key:
        return row.get("period"), tuple(row[name] for name in self.by)

    def numbers(self, name: str) -> Numbers:
        metric, _, measure = name.partition(".")
        if metric == "tiered":
            return Numbers(self.tier(measure), lambda key: 0 if self.begun[key[0]] else None)
        if metric == "journey":
            return Numbers(self.funnel(measure), lambda key: None if measure == "rate" else 0)
        if metric == "growth":
            cells = {self.key(row): row[measure] for row in self.rows("growth", "rows", measures=measure)}
            cells |= {(None, key[1]): None for key in cells}
            return Numbers(cells, lambda key: 0 if key[0] is not None and self.begun[key[0]] else None)
        parts = [*self.rows(metric, "rows", measures=measure), *self.rows(metric, "overall", measures=measure)]
        return Numbers(
            {self.key(row): row[measure] for row in parts}, lambda key: None if measure == "minutes_spent" else 0
        )

    def tier(self, name: str) -> dict[Key, float | None]:
        """The people of a tier, or of all of them."""
        found: dict[Key, float | None] = {}
        for row in (*self.rows("tiered", "rows"), *self.rows("tiered", "overall")):
            if name in ("users", row["tier"]):
                before = found.get(self.key(row))
                found[self.key(row)] = row["users"] if before is None else before + row["users"]
        return found

    def funnel(self, name: str) -> dict[Key, float | None]:
        found = {self.key(row): row[name] for row in self.rows("journey", "trend")}
        for row in self.rows("journey", "steps"):
            if row["position"] == 2:
                found[self.key(row)] = row[name]
        return found


@on_every_engine()
def test_numbers_of_other_families_are_those_they_tell_by_themselves(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(event_ids=False))
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    buckets = bucket_starts(first, last, grain, world.timezone, world.week_start)
    begun: dict[object, bool] = {one.label: one.start_utc <= world.data_through for one in buckets}
    begun[None] = any(one.end_utc <= world.data_through for one in buckets)
    words = {"start": first, "end": last, "grain": grain, "by": by, "where": to_sql(where) if where else None}
    every = [data.draw(st.sampled_from(some)) for some in (OF_TIERS, OF_FUNNEL, OF_LIFECYCLE, OTHERS)]
    read = data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique=True))
    formula = data.draw(formulas(sorted(read)).filter(lambda found: bool(names(found))))
    calculated = f"calculated: {{type: derived, expression: '{written(formula)}'}}"
    one = yaml_of("one", data.draw(moments()))
    project = project_over(world, f"{calculated}\n{DEFINITIONS}{one}", engine=engine)
    alone = Alone(project, words, by, begun)
    answer = project.answer(ask("calculated", parts="rows,overall", **words))
    ours = {alone.key(row): row["value"] for part in ("rows", "overall") for row in answer.parts[part].to_pylist()}
    expected = derived(formula, {name: alone.numbers(name) for name in names(formula)})
    # Overall, a tier that is as of the last complete bucket knows only groups of people active then.
    assert all(key[0] is None for key in expected.keys() ^ ours.keys()), answer.info.sql
    for key, value in ours.items():
        assert same(value, expected.get(key)), (written(formula), key, value, expected.get(key), answer.info.sql)
