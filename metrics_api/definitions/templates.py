"""Boards by a template: the metrics, cohorts and cards that it makes, put beside what the files define."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from metrics_api.definitions.base import MetricDefinition
from metrics_api.definitions.boards import CardDefinition
from metrics_api.definitions.cohorts import CohortDefinition
from metrics_api.definitions.company_kpis import Ask, Expansion, Written, company_kpis
from metrics_api.definitions.names import LONGEST_NAME, Path
from metrics_api.errors import Problem

if TYPE_CHECKING:
    from metrics_api.definitions.loader import Definitions

Refuse = Callable[[Problem], None]


def with_templates(
    definitions: Definitions, families: Mapping[str, type[MetricDefinition]], refuse: Refuse
) -> Definitions:
    """The definitions with what the templates of their boards make.

    Their places are those of the boards. What a file defines under the same name stays as it is.
    """
    metrics, cohorts, boards = dict(definitions.metrics), dict(definitions.cohorts), dict(definitions.boards)
    expansions: dict[str, Expansion] = {}
    placed: dict[Path, Path] = {}
    for name, board in definitions.boards.items():
        found = _expansion(name, definitions, refuse) if board.template is not None else None
        if found is None:
            continue
        expansions[name] = found
        for own, written in found.metrics.items():
            if own not in metrics and own not in cohorts:
                metrics[own] = families[written["type"]].model_validate(written)
                placed["metrics", own] = ("boards", name, "template")
        for own, written in found.cohorts.items():
            if own not in metrics and own not in cohorts:
                cohorts[own] = CohortDefinition.model_validate(written)
                placed["cohorts", own] = ("boards", name, "template")
        made = {own: CardDefinition.model_validate(written) for own, written in found.cards.items()}
        boards[name] = board.model_copy(update={"cards": {**made, **board.cards}})
    if not expansions:
        return definitions
    return replace(
        definitions, metrics=metrics, cohorts=cohorts, boards=boards, expansions=expansions, placed=placed
    )  # fmt: skip


def written_out(definitions: Definitions, name: str) -> dict[str, dict[str, Written]]:
    """A board as a file would hold it that has no template: its metrics, cohorts and cards."""
    found, board = definitions.expansions.get(name, Expansion()), definitions.boards[name]
    about = {key: value for key in ("label", "description", "owner") if (value := getattr(board, key)) is not None}
    own = definitions.written_cards(name)
    cards = {card: own.get(card) or found.cards[card] for card in board.cards}
    parts = {
        "metrics": {own: one for own, one in found.metrics.items() if ("metrics", own) in definitions.placed},
        "cohorts": {own: one for own, one in found.cohorts.items() if ("cohorts", own) in definitions.placed},
        "boards": {name: {**about, "cards": cards}},
    }
    return {kind: entries for kind, entries in parts.items() if entries}


def _expansion(name: str, definitions: Definitions, refuse: Refuse) -> Expansion | None:
    """What the template makes; None, and problems, where the project does not say enough."""
    project, where = definitions.project, definitions.span("boards", name, "template")
    missing = [key for key in ("sign_up", "value_moment") if getattr(project, key) is None]
    if missing:
        lacks = " and ".join(f"`{key}`" for key in missing)
        fix = f"Write {' and '.join(f'`{key}: EVENT`' for key in missing)} below `project:`."
        refuse(Problem(f"`company_kpis` is made of two events, and the project does not say its {lacks}", where, fix))
        return None
    sign_up, value = project.sign_up, project.value_moment
    assert sign_up is not None
    assert value is not None
    is_metric = {one: definitions.metrics[one].type == "value_moment" for one in definitions.metrics}
    if any(one.name not in definitions.events and not is_metric.get(one.name) for one in (sign_up, value)):
        return None  # Told where the names stand.
    if is_metric.get(value.name) and value.where is not None:
        place = definitions.span("project", "value_moment", "where")
        refuse(Problem(f"`{value.name}` is a metric, which has its own conditions", place, "Write them there."))
        return None
    found = company_kpis(_asked(name, definitions))
    longest = max((*found.metrics, *found.cohorts), key=len)
    if len(longest) > LONGEST_NAME:
        spare = LONGEST_NAME - (len(longest) - len(name))
        message = f"a board with a template has at most {spare} letters in its name: `{longest}` would be too long"
        refuse(
            Problem(message, definitions.key_span("boards", name), "Shorten it; `label` has room for the long form.")
        )
        return None
    return found


def _asked(name: str, definitions: Definitions) -> Ask:
    project = definitions.project
    assert project.sign_up is not None
    assert project.value_moment is not None
    value, is_event = project.value_moment, project.value_moment.name in definitions.events
    written = {"event": value.name} | ({"where": value.where} if value.where else {})
    is_moment = project.sign_up.name not in definitions.events
    sign_up: Written = {"on" if is_moment else "event": project.sign_up.name}
    if project.sign_up.where is not None:
        sign_up["where"] = project.sign_up.where
    if project.sign_up.first_ever:
        sign_up["first_ever"] = True
    words = _words(project.sign_up.name, definitions)
    return Ask(name, sign_up, None if is_event else value.name, written, words, is_moment_sign_up=is_moment)


def _words(event: str, definitions: Definitions) -> tuple[str, ...]:
    """The properties of an event's source, or of all moments' sources, that are words."""
    found: list[set[str]] = []
    ordered: dict[str, None] = {}
    for one in _events(event, definitions):
        source = definitions.sources.get(definitions.events[one].source)
        words = [name for name, of in source.properties.items() if of.type == "string"] if source else []
        found.append(set(words))
        ordered |= dict.fromkeys(words)
    return tuple(name for name in ordered if all(name in one for one in found))


def _events(name: str, definitions: Definitions) -> Iterator[str]:
    if name in definitions.events:
        yield name
        return
    for one in getattr(definitions.metrics[name], "moments", {}).values():
        if one.event in definitions.events:
            yield one.event
