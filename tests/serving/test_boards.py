"""Boards: what a template makes of two events, what cards ask, and what is refused when a folder is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from metrics_api.cli.yaml_text import as_yaml
from metrics_api.compile.project import load_model
from metrics_api.definitions.company_kpis import CHANNELS
from metrics_api.definitions.templates import written_out
from metrics_api.errors import Code, DefinitionError, QueryError
from metrics_api.periods import Duration
from metrics_api.query.boards import Over
from metrics_api.query.metric_query import Last
from metrics_api.results import Answer
from metrics_api.semantic.model import SemanticModel
from metrics_api.serving.boards import answers_of_board
from metrics_api.serving.project import Project, load_project

NOW = datetime(2026, 2, 10, 12)
SHOP = """\
version: 1
project:
  name: shop
  sign_up: {sign_up}
  value_moment: {value_moment}
  warehouses: {{here: {{type: duckdb, path: shop.duckdb}}}}
sources:
  app:
    table: events
    time: occurred
    event_name: event
    identity: {{user: person}}
    properties: {{minutes: number, channel: string, country: string}}
events:
  joined: {{source: app}}
  bought: {{source: app}}
"""
BOARD = "boards:\n  kpis: {template: company_kpis}\n"
EVENTS = [
    ("joined", "ann", "2026-01-05 09:00", "ads"),
    ("bought", "ann", "2026-01-06 09:00", "ads"),
    ("bought", "ann", "2026-02-06 09:00", "ads"),
    ("bought", "ann", "2026-02-07 09:00", "ads"),
    ("bought", "ann", "2026-02-08 09:00", "ads"),
    ("joined", "bob", "2026-01-20 09:00", "friends"),
    ("joined", "cy", "2025-12-20 09:00", "ads"),
    ("bought", "cy", "2025-12-21 09:00", "ads"),
    ("joined", "dee", "2026-02-03 09:00", "search"),
    ("bought", "dee", "2026-02-03 10:00", "search"),
]


def folder_of(folder: Path, more: str = BOARD, sign_up: str = "joined", value_moment: str = "bought") -> Path:
    (folder / "project.yml").write_text(SHOP.format(sign_up=sign_up, value_moment=value_moment), "utf-8")
    (folder / "more.yml").write_text(more, "utf-8")
    return folder


def project_of(folder: Path, more: str = BOARD, **selectors: str) -> Project:
    with duckdb.connect(folder / "shop.duckdb") as connection:
        connection.execute("CREATE OR REPLACE TABLE events (event TEXT, person TEXT, occurred TIMESTAMP, channel TEXT)")
        connection.execute("ALTER TABLE events ADD COLUMN minutes DOUBLE")
        connection.execute("ALTER TABLE events ADD COLUMN country TEXT")
        connection.executemany("INSERT INTO events (event, person, occurred, channel) VALUES (?, ?, ?, ?)", EVENTS)
    return load_project(folder_of(folder, more, **selectors), clock=lambda: NOW)


def model_of(folder: Path, more: str = BOARD, **selectors: str) -> SemanticModel:
    return load_model(folder_of(folder, more, **selectors))[0]


def answers(project: Project, board: str = "kpis") -> Mapping[str, Answer]:
    found = {one.card.name: one.answer for one in answers_of_board(project, board)}
    wrong = {name: one for name, one in found.items() if not isinstance(one, Answer)}
    assert not wrong
    return {name: one for name, one in found.items() if isinstance(one, Answer)}


# -- what a template makes --------------------------------------------------------------------------------------------


def test_a_board_of_two_events(tmp_path: Path) -> None:
    """By hand, of ten events."""
    found = answers(project_of(tmp_path))
    overall = found["value_moments"].parts["overall"].to_pylist()
    assert overall == [{"value": 4, "users": 2}]
    assert found["engaged_users_list"].parts["members"]["id"].to_pylist() == ["ann"]
    assert found["dormant_users_list"].parts["members"]["id"].to_pylist() == ["cy"]
    (_, last) = found["activation"].parts["steps"].to_pylist()
    assert {name: last[name] for name in ("entered", "converted", "dropped", "pending")} == {
        "entered": 4, "converted": 3, "dropped": 0, "pending": 1,
    }  # fmt: skip
    assert found["dropped_users"].parts["members"].num_rows == 0
    channels = {row["channel"]: row["value"] for row in found["sign_ups_by_channel"].parts["overall"].to_pylist()}
    assert channels == {"friends": 1, "search": 1}
    new = {str(row["period"]): (row["value"], row["previous"]) for row in found["new_users"].parts["rows"].to_pylist()}
    assert (new["2026-02-03"], new["2026-02-04"]) == ((1, 0), (0, 1))  # Ann joined thirty days before the latter.
    tiers = {row["tier"]: row["users"] for row in found["tiers"].parts["rows"].to_pylist()[-8:-4]}
    assert tiers == {"power": 0, "core": 1, "casual": 1, "none": 0}


def test_every_number_is_that_of_its_metric_asked_alone(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    for one in answers_of_board(project, "kpis"):
        assert isinstance(one.answer, Answer)
        alone = project.answer(one.card.query)
        assert {name: part.to_pylist() for name, part in one.answer.parts.items()} == {
            name: part.to_pylist() for name, part in alone.parts.items()
        }
        for name, part in one.answer.parts.items():
            assert [column.name for column in one.answer.columns[name]] == part.column_names


def test_its_names_begin_with_the_boards(tmp_path: Path) -> None:
    model = model_of(tmp_path)
    made = [*model.metrics, *model.cohorts]
    assert len(made) > 10
    assert all(name.startswith("kpis_") for name in made)
    where = model.metrics["kpis_activation"].where
    assert (where.file, where.line) == ("more.yml", 2)


def test_what_a_file_defines_takes_the_place_of_what_the_template_would(tmp_path: Path) -> None:
    own = f"metrics:\n  kpis_daily_actives: {{type: active_users, on: bought, window: 3 days}}\n{BOARD}"
    model = model_of(tmp_path, own)
    assert model.metrics["kpis_daily_actives"].definition.window == Duration(3, "day")  # type: ignore[attr-defined]
    cards = "boards:\n  kpis:\n    template: company_kpis\n    cards: {growth: {metric: kpis_growth, last: 3 weeks}}\n"
    board = model_of(tmp_path, cards).boards["kpis"]
    assert board.cards["growth"].last == Duration(3, "week")
    assert list(board.cards).index("growth") < list(board.cards).index("usage_interval")


def test_printed_as_yaml_it_is_the_same_board_without_a_template(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    extra = f"{BOARD.replace('}', ', label: Ours}')}metrics:\n  own: {{type: usage, event: joined}}\n"
    before = project_of(first, extra.replace("Ours", "Ours, cards: {mine: {metric: own}}"))
    text = as_yaml(written_out(before.definitions, "kpis"))
    assert "template" not in text
    after = project_of(second, f"{text}".replace("metrics:\n", "metrics:\n  own: {type: usage, event: joined}\n", 1))
    assert after.model.boards["kpis"].label == "Ours"
    ours, theirs = answers(after), answers(before)
    assert list(ours) == list(theirs)
    for name, answer in ours.items():
        assert {part: rows.to_pylist() for part, rows in answer.parts.items()} == {
            part: rows.to_pylist() for part, rows in theirs[name].parts.items()
        }


def test_the_first_value_moment_can_be_the_sign_up(tmp_path: Path) -> None:
    project = project_of(tmp_path, sign_up="{event: bought, first_ever: true}")
    found = answers(project)
    (entered, again) = found["activation"].parts["steps"].to_pylist()
    assert (entered["converted"], again["converted"]) == (3, 0)  # Ann's second is a day too late.
    values = [row["value"] for row in found["new_users"].parts["rows"].to_pylist()]
    assert sum(values) == 1
    assert project.model.metrics["kpis_new_users"].metric_class.value == "usage"


def test_a_value_moment_of_a_metric_and_one_with_a_condition(tmp_path: Path) -> None:
    metric = "metrics:\n  orders: {type: value_moment, moments: {bought: {event: bought}}}\n"
    model = model_of(tmp_path, metric + BOARD, value_moment="orders", sign_up="{on: orders, first_ever: true}")
    assert "kpis_value_moments" not in model.metrics
    assert model.boards["kpis"].cards["value_moments"].metric == "orders"
    assert "sign_ups_by_channel" in model.boards["kpis"].cards
    model = model_of(tmp_path, BOARD, value_moment="{event: bought, where: minutes > 3}")
    moments = model.metrics["kpis_value_moments"].definition.moments  # type: ignore[attr-defined]
    assert moments["bought"].where == "minutes > 3"


def test_channels_are_properties_of_words(tmp_path: Path) -> None:
    assert "channel" in CHANNELS
    text = SHOP.format(sign_up="joined", value_moment="bought").replace("channel: string", "channel: number")
    (tmp_path / "project.yml").write_text(text, "utf-8")
    (tmp_path / "more.yml").write_text(BOARD, "utf-8")
    assert "sign_ups_by_channel" not in load_model(tmp_path)[0].boards["kpis"].cards


# -- asking -----------------------------------------------------------------------------------------------------------


def test_some_cards_in_another_range_for_some_people(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    over = Over(time=Last(Duration(7, "day")), cohort="kpis_engaged_users", timezone="Asia/Tokyo")
    one, other = answers_of_board(project, "kpis", ["value_moments", "engaged_users"], over)
    assert isinstance(one.answer, Answer)
    assert isinstance(other.answer, Answer)
    assert one.answer.parts["overall"].to_pylist() == [{"value": 3, "users": 1}]
    assert (str(one.answer.info.first), one.answer.info.timezone) == ("2026-02-04", "Asia/Tokyo")
    assert other.answer.parts["rows"]["size"].to_pylist()[-3:] == [1, None, None]


def test_a_moment_in_the_past(tmp_path: Path) -> None:
    over = Over(as_of=datetime(2026, 1, 31, 12))
    (one,) = answers_of_board(project_of(tmp_path), "kpis", ["value_moments"], over)
    assert isinstance(one.answer, Answer)
    assert one.answer.parts["overall"].to_pylist() == [{"value": 1, "users": 1}]


def test_one_card_that_fails_spares_the_others(tmp_path: Path) -> None:
    over = Over(cohort="nobody")
    one, other = answers_of_board(project_of(tmp_path), "kpis", ["value_moments", "dormant_users"], over)
    assert isinstance(one.answer, QueryError)
    assert "there is no cohort `nobody`" in str(one.answer)
    assert isinstance(other.answer, Answer)


def test_boards_and_cards_that_are_not_there(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    with pytest.raises(QueryError) as raised:
        answers_of_board(project, "kpi")
    assert str(raised.value) == "there is no board `kpi`\n    Did you mean `kpis`?"
    with pytest.raises(QueryError) as raised:
        answers_of_board(project, "kpis", ["tiers", "retentoin", "profit"])
    names = ", ".join(f"`{one}`" for one in sorted(project.model.boards["kpis"].cards)[:10])
    told = "board `kpis` has no card `retentoin`\n    Did you mean `retention`?\n"
    assert str(raised.value).startswith(f"{told}board `kpis` has no card `profit`\n    The cards are {names}, ")
    assert all(one.code is Code.UNKNOWN_NAME for one in raised.value.problems)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (
            "{metric: sales}",
            "more.yml:4:19  there is no metric or cohort `sales`\n    Did you mean `sale`?",
        ),
        (
            "{metric: sale, cohort: nobody}",
            "more.yml:4:33  there is no cohort `nobody`\n    There are no cohorts yet.",
        ),
        (
            "{metric: sale, by: [country, chanel]}",
            "more.yml:4:39  card `a`: sale: there is no property `chanel` to break down by\n    Did you mean `chann",
        ),
        (
            "{metric: sale, parts: [step]}",
            "more.yml:4:33  card `a`: sale: a usage metric has no part `step`",
        ),
        (
            "{metric: sale, measures: [value, valu]}",
            "more.yml:4:43  card `a`: sale: there is no measure `valu` on this usage metric\n    Did you mean `value`?",
        ),
        (
            "{metric: sale, where: minuts > 3}",
            "more.yml:4:32  card `a`: sale: where: `minuts` is not a declared property",
        ),
        (
            "{metric: sale, members: {tier: power}}",
            "card `a`: sale: a usage metric has no part `members`",
        ),
        (
            "{metric: sale, last: 9000 days, grain: hour}",
            "more.yml:4:10  card `a`: sale: ",
        ),
    ],
)
def test_a_card_that_means_nothing(card: str, message: str, tmp_path: Path) -> None:
    more = f"boards:\n  weekly:\n    cards:\n      a: {card}\nmetrics:\n  sale: {{type: usage, event: bought}}\n"
    with pytest.raises(DefinitionError) as raised:
        model_of(tmp_path, more)
    assert message in str(raised.value)


def test_a_value_moment_with_two_conditions(tmp_path: Path) -> None:
    metric = "metrics:\n  orders: {type: value_moment, moments: {bought: {event: bought}}}\n"
    with pytest.raises(DefinitionError) as raised:
        model_of(tmp_path, metric + BOARD, value_moment="{on: orders, where: minutes > 3}")
    assert str(raised.value) == (
        "project.yml:5:37  `orders` is a metric, which has its own conditions\n    Write them there."
    )


def test_selectors_of_unknown_events_are_told_where_they_stand(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as raised:
        model_of(tmp_path, sign_up="join", value_moment="{event: buy}")
    assert str(raised.value) == (
        "project.yml:4:12  there is no event or value moment `join`\n    Did you mean `joined`?\n"
        "project.yml:5:25  there is no event `buy`\n    The events are `bought`, `joined`."
    )


def test_a_board_whose_metrics_names_would_be_too_long(tmp_path: Path) -> None:
    name = "b" * 50
    with pytest.raises(DefinitionError) as raised:
        model_of(tmp_path, BOARD.replace("kpis:", f"{name}:"))
    assert "more.yml:2:3  a board with a template has at most " in str(raised.value)
