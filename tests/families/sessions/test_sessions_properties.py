"""Sessions over generated worlds, against the oracle; and what must hold of them whatever happened."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from families.asking import KnownThrough, project_over
from families.engines import on_every_engine
from families.oracles.calendar import DAY
from families.oracles.conditions import selector_of, to_sql
from families.oracles.sessions import SessionsRow, sessions
from families.oracles.world import Event, World, matching, named
from families.usage.test_usage_properties import same
from families.worlds import NAMES, conditions, grains, ranges, worlds
from metrics_api.serving.asking import ask

PLAIN = ("value", "users", "events", "minutes_spent", "bounces", "bounce_rate", "sessions_per_user", "minutes_per_user")
SPREAD = tuple(
    f"{of}_per_session_{stat}" for of in ("events", "minutes") for stat in ("average", "median", "min", "max", "p90")
)
GAPS = {
    "30 minutes": timedelta(minutes=30),
    "1 second": timedelta(seconds=1),
    "7 seconds": timedelta(seconds=7),
    "45 minutes": timedelta(minutes=45),
    "1 hour": timedelta(hours=1),
    "90 minutes": timedelta(minutes=90),
    "23 hours": timedelta(hours=23),
    "1 day": DAY,
}


@dataclass(frozen=True)
class Visits:
    """A definition; without a gap the country tells the session."""

    gap: str | None
    cut_at_midnight: bool = False
    tail: bool = False
    containing: str | None = None
    made_of: tuple[str, ...] = ()
    hidden: str | None = None

    @property
    def yaml(self) -> str:
        lines = [
            f"events: [{', '.join(self.made_of)}]" if self.made_of else "source: events",
            f"gap: {self.gap}" if self.gap else "by: session_id",
            f"cut_at_midnight: {'true' if self.cut_at_midnight else 'false'}",
            *(["tail: 30 seconds"] if self.tail else []),
            *([f"containing: {{event: {self.containing}}}"] if self.containing else []),
            *([f"hide: [{self.hidden}]"] if self.hidden else []),
        ]
        return "visits:\n  type: sessions\n  " + "\n  ".join(lines)

    def selects(self, event: Event) -> bool:
        return event.name != self.hidden and named(*self.made_of)(event)

    def of_oracle(self, world: World, *asked: Any, **words: Any) -> tuple[tuple[SessionsRow, ...], ...]:
        return sessions(
            world,
            self.selects,
            *asked,
            gap=None if self.gap is None else GAPS[self.gap],
            session_id=lambda event: event.properties["country"],  # type: ignore[arg-type, return-value]
            cut_at_midnight=self.cut_at_midnight,
            tail=timedelta(seconds=30 if self.tail else 0),
            containing=named(self.containing) if self.containing else None,
            **words,
        )

    def over(self, world: World, engine: str, *, copies: bool = False) -> KnownThrough:
        unique = "event_id: {column: event_id, unique: true}" if copies else "event_id: event_id"
        return project_over(world, self.yaml, source=f"{unique}\nsession_id: country", engine=engine)


@st.composite
def visits(draw: st.DrawFn, *, told: bool = True) -> Visits:
    made_of = draw(st.sampled_from([(), (), ("watch", "open"), ("watch",)]))
    names = made_of or NAMES[:3]
    return Visits(
        gap=draw(st.sampled_from([*GAPS, *([None, None] if told else [])])),
        cut_at_midnight=draw(st.booleans()),
        tail=draw(st.booleans()),
        containing=draw(st.sampled_from([None, None, *names])),
        made_of=made_of,
        hidden=draw(st.sampled_from([None, "click"])) if not made_of else None,
    )


def expected(row: SessionsRow, name: str) -> object:
    of, _, stat = name.partition("_per_session_")
    return row.per_session(of, stat) if stat else getattr(row, name)


@on_every_engine()
def test_sessions_are_those_of_the_oracle(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    defined = data.draw(visits())
    copies = data.draw(st.booleans())
    grain = data.draw(grains())
    first, last = data.draw(ranges(world, grain))
    by = data.draw(st.sampled_from([(), (), ("country",), ("flag", "level")]))
    where = data.draw(st.one_of(st.none(), conditions()))
    names = data.draw(st.lists(st.sampled_from((*PLAIN, *SPREAD)), min_size=1, max_size=5, unique=True))
    parts = data.draw(st.sampled_from([("rows",), ("rows", "overall"), ("overall",)]))
    answer = defined.over(world, engine, copies=copies).answer(
        ask(
            "visits",
            start=first,
            end=last,
            grain=grain,
            by=by,
            measures=names,
            parts=parts,
            where=to_sql(where) if where else None,
        )
    )
    rows, overall = defined.of_oracle(
        world, first, last, grain, breakdown=by, where=selector_of(where) if where else None, copies=copies
    )
    for part, theirs in (("rows", rows), ("overall", overall)):
        if part not in parts:
            continue
        ours = answer.parts[part].to_pylist()
        assert len(ours) == len(theirs), answer.info.sql
        for mine, row in zip(ours, theirs, strict=True):
            assert tuple(mine[name] for name in by) == row.labels, answer.info.sql
            assert all(same(mine[name], expected(row, name)) for name in names), (mine, row, answer.info.sql)
            if row.bucket is not None:
                assert (mine["period"], mine["complete"]) == (row.bucket.label, row.complete), answer.info.sql


@on_every_engine(share=2)
def test_sessions_hold_every_event_once(data: st.DataObject, engine: str) -> None:
    """Over all that happened, sessions hold the events of people; in whatever order these are stored."""
    world = data.draw(worlds(event_ids=False))
    defined = replace(data.draw(visits(told=False)), containing=None)
    shuffled = list(world.events)
    random.Random(data.draw(st.integers(0, 9))).shuffle(shuffled)
    at = [event.at for event in world.events] or [world.data_through]
    question = ask(
        "visits", start=(min(at) - 2 * DAY).date(), end=(max(at) + 2 * DAY).date(), grain="month",
        measures=(*PLAIN, *SPREAD), parts="overall",
    )  # fmt: skip
    answer = defined.over(world, engine).answer(question)
    (ours,) = answer.parts["overall"].to_pylist()
    people = [event for event in matching(world, defined.selects) if event.user]
    assert ours["events"] == len(people), answer.info.sql
    assert ours["users"] == len({event.user for event in people}), answer.info.sql
    assert ours["users"] <= ours["value"] <= ours["events"], answer.info.sql
    assert ours["bounces"] <= ours["value"], answer.info.sql
    (again,) = (
        defined.over(replace(world, events=tuple(shuffled)), engine).answer(question).parts["overall"].to_pylist()
    )
    assert all(same(again[name], ours[name]) for name in ours), answer.info.sql


@on_every_engine(share=2)
def test_a_bucket_holds_the_same_whatever_is_asked_with_it(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds(late_duplicates=False))
    defined = data.draw(visits(told=False))
    grain = data.draw(grains().filter(lambda one: one != "hour"))
    first, last = data.draw(ranges(world, grain))
    project = defined.over(world, engine)
    words: dict[str, Any] = {"grain": grain, "measures": "value,users,events,minutes_spent,bounces"}
    rows = project.answer(ask("visits", start=first, end=last, **words)).parts["rows"].to_pylist()
    row = data.draw(st.sampled_from(rows))
    alone = project.answer(ask("visits", start=row["period"], end=row["period"], **words))
    (found,) = alone.parts["rows"].to_pylist()
    assert all(same(found[name], row[name]) for name in row), (found, row, alone.info.sql)


@on_every_engine(share=2)
def test_a_longer_gap_makes_fewer_and_longer_sessions(data: st.DataObject, engine: str) -> None:
    world = data.draw(worlds())
    shorter, longer = sorted(data.draw(st.tuples(st.sampled_from([*GAPS]), st.sampled_from([*GAPS]))), key=GAPS.get)  # type: ignore[arg-type]
    at = [event.at for event in world.events] or [world.data_through]
    words: dict[str, Any] = {"start": (min(at) - 2 * DAY).date(), "end": (max(at) + 2 * DAY).date(), "grain": "month"}
    question = ask("visits", measures="value,events,minutes_spent", parts="overall", **words)
    found = [
        Visits(gap, cut_at_midnight=True).over(world, engine).answer(question).parts["overall"].to_pylist()[0]
        for gap in (shorter, longer)
    ]
    assert found[0]["value"] >= found[1]["value"]
    assert found[0]["events"] == found[1]["events"]
    assert (found[0]["minutes_spent"] or 0) <= (found[1]["minutes_spent"] or 0) + 1e-9
