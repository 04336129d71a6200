"""YAML 1.2 core scalars, places, and the same reading by libyaml and by the pure parser."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics_api.definitions import yaml12
from metrics_api.definitions.yaml12 import parse_yaml, read_yaml
from metrics_api.errors import DefinitionError, SourceSpan


@pytest.fixture(params=["libyaml", "pure"])
def either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pure":
        monkeypatch.setattr(yaml12, "_compose", yaml12._compose_purely)
    else:
        assert yaml.__with_libyaml__, "these tests are to run with libyaml"


@pytest.mark.usefixtures("either_parser")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *((text, text) for text in ("NO", "no", "yes", "on", "off", "y", "12:30", "1_000", "2026-01-31", "1e", "+.")),
        *((text, text) for text in ("nullx", "TrUe", "0b11", "1,000", "~x", ".", "e3", "0x", "0o8", "=", "<<")),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'null'", "null"),
        ("!!str 12", "12"),
        ("true", True),
        ("False", False),
        ("NULL", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1e3", -1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("9" * 500, float("9" * 500)),
        ("[a, 1, {b: NO}]", ["a", 1, {"b": "NO"}]),
    ],
)
def test_scalars_of_the_core_schema(written: str, meant: object) -> None:
    document = parse_yaml(f"value: {written}\n", "a.yml")
    assert document.data == {"value": meant}
    assert isinstance(document.data, dict)
    assert type(document.data["value"]) is type(meant)


def test_not_a_number() -> None:
    data = parse_yaml("value: .NaN", "a.yml").data
    assert isinstance(data, dict)
    assert isinstance(data["value"], float)
    assert math.isnan(data["value"])


@pytest.mark.usefixtures("either_parser")
def test_keys_are_texts() -> None:
    assert parse_yaml("on: 1\nNO: 2\n7: 3\ntrue: 4\n~: 5\n", "a.yml").data == {
        "on": 1,
        "NO": 2,
        "7": 3,
        "true": 4,
        "~": 5,
    }


PLACES = """\
metrics:
  views:
    type: usage   # a comment
    tags: [a, b]
  'quoted':
    steps:
      - {event: x}
      - event: y
"""


@pytest.mark.usefixtures("either_parser")
@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("metrics",), (2, 3), (1, 1)),
        (("metrics", "views"), (3, 5), (2, 3)),
        (("metrics", "views", "type"), (3, 11), (3, 5)),
        (("metrics", "views", "tags", 1), (4, 15), (4, 15)),
        (("metrics", "quoted"), (6, 5), (5, 3)),
        (("metrics", "quoted", "steps", 0, "event"), (7, 17), (7, 10)),
        (("metrics", "quoted", "steps", 1, "event"), (8, 16), (8, 9)),
        # What was not written is answered by what stands around it.
        (("metrics", "views", "label"), (3, 5), (3, 5)),
        (("metrics", "views", "type", "deeper", 3), (3, 11), (3, 11)),
        (("metrics", "quoted", "steps", 7), (7, 7), (7, 7)),
        (("nothing", "here"), (1, 1), (1, 1)),
    ],
)
def test_places(path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]) -> None:
    document = parse_yaml(PLACES, "a.yml")
    assert document.span(*path) == SourceSpan("a.yml", *value)
    assert document.key_span(*path) == SourceSpan("a.yml", *key)


def test_columns_count_characters_as_editors_do() -> None:
    assert parse_yaml("größe: {länge: 1}\n", "a.yml").span("größe", "länge") == SourceSpan("a.yml", 1, 16)


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_files_without_content(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    document = read_yaml(tmp_path / "a.yml")
    assert document.data is None
    assert document.span("metrics") == SourceSpan((tmp_path / "a.yml").as_posix())


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes("\ufeffmetrics:\r\n  views: 1\r\n".encode())
    document = read_yaml(tmp_path / "a.yml", shown_as="a.yml")
    assert document.data == {"metrics": {"views": 1}}
    assert document.span("metrics", "views") == SourceSpan("a.yml", 2, 10)


def test_aliases_repeat_what_was_anchored() -> None:
    document = parse_yaml("a: &x {b: 1}\nc: *x\n", "a.yml")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.span("c", "b") == SourceSpan("a.yml", 1, 11)


def test_texts_and_what_to_look_for() -> None:
    document = parse_yaml("a: {b: '${X}', c: [d, 1]}\ne: ~\n", "a.yml")
    assert document.has_placeholders
    assert document.has_nulls
    assert list(document.texts()) == [
        (("a",), True, "a"),
        (("a", "b"), True, "b"),
        (("a", "b"), False, "${X}"),
        (("a", "c"), True, "c"),
        (("a", "c", 0), False, "d"),
        (("e",), True, "e"),
    ]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"^a.yml:1:1  the file cannot be read: no such file"):
        read_yaml(tmp_path / "a.yml", shown_as="a.yml")


def multiplied() -> str:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for before, name in zip("abcdefg", "bcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "a: " + "{" * 100_000,
        "- " * 100_000 + "x",
        "? " * 100_000,
        "x: " + "[a: " * 20_000,
        "\n".join(" " * depth + "a:" for depth in range(600)),
        "a: " + "[" * 200 + "]" * 200,
        multiplied(),
    ],
    ids=["lists", "mappings", "dashes", "questions", "pairs", "indents", "closed", "aliases"],
)
def test_nesting_without_end_is_refused_and_crashes_nothing(text: str) -> None:
    with pytest.raises(DefinitionError, match="nested too deeply"):
        parse_yaml(text, "a.yml")


def test_brackets_in_texts_nest_nothing() -> None:
    assert parse_yaml(f"a: '{'[' * 1_000}'", "a.yml").data == {"a": "[" * 1_000}


def outcome(text: str, compose: Callable[[str], yaml.Node | None], patch: pytest.MonkeyPatch) -> object:
    patch.setattr(yaml12, "_compose", compose)
    try:
        return repr(parse_yaml(text, "a.yml").data)
    except DefinitionError:
        return "refused"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{},&*|>'\"#?%@` \n\t1.~", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """The two parsers differ in corners of the grammar, never in what they make of a text that both accept."""
    with pytest.MonkeyPatch.context() as patch:
        fast = outcome(text, yaml12._compose, patch)
        pure = outcome(text, yaml12._compose_purely, patch)
    assert fast == pure or "refused" in (fast, pure)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("bytes") / "a.yml"
    file.write_bytes(content)
    try:
        read_yaml(file)
    except DefinitionError as error:
        assert all(problem.where for problem in error.problems)
