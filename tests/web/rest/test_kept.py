"""Bytes of answers are kept beside them, up to a limit, and never told for another answer."""

from __future__ import annotations

from dataclasses import replace

from graphql_schema.asking import streaming
from metrics_api.serving.asking import ask
from metrics_api.web.rest.formats import Format
from metrics_api.web.rest.kept import Bodies, Body


def test_bytes_are_those_of_one_answer_and_format() -> None:
    answer = streaming()[0].answer(ask("app_opens", last="3 days"))
    equal = replace(answer)
    bodies = Bodies()
    bodies.put(answer, Format.CSV, Body.of(b"a"))
    assert bodies.get(answer, Format.CSV) == Body.of(b"a")
    assert bodies.get(answer, Format.JSON) is None
    assert bodies.get(equal, Format.CSV) is None


def test_those_not_asked_for_the_longest_go_first_and_too_large_ones_are_not_kept() -> None:
    project = streaming()[0]
    first, second, third = (project.answer(ask("app_opens", last=f"{days} days")) for days in (1, 2, 3))
    bodies = Bodies(7_000)
    bodies.put(first, Format.CSV, Body.of(b"1" * 2_000))
    bodies.put(second, Format.CSV, Body.of(b"2" * 2_000))
    assert bodies.get(first, Format.CSV) is not None
    bodies.put(third, Format.CSV, Body.of(b"3" * 2_000))
    assert bodies.get(second, Format.CSV) is None
    assert bodies.get(first, Format.CSV) is not None
    bodies.put(second, Format.CSV, Body.of(b"2" * 8_000))
    assert bodies.get(second, Format.CSV) is None
    assert bodies.get(third, Format.CSV) is not None
