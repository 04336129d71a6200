"""The words of a question as query parameters: what each is called, how it is read, and what OpenAPI tells of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from metrics_api.errors import Code, Problem, QueryError, did_you_mean
from metrics_api.graphql_schema.context import RequestLimits
from metrics_api.graphql_schema.scalars import Unreadable, read_date, read_datetime
from metrics_api.periods import Duration, Grain
from metrics_api.query.limits import Limits
from metrics_api.query.metric_query import AllOf, CohortAsOf, Compare, Condition
from metrics_api.web.rest.refusals import Wrong
from metrics_api.web.rest.where import EXAMPLES, LONGEST, read_where

Read = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Word:
    """A query parameter. `argument` is what `serving.asking.ask` calls it; None: it is no word of the question."""

    name: str
    argument: str | None
    read: Read
    schema: Mapping[str, Any]
    description: str
    example: Any = None
    joined: Callable[[Sequence[Any]], Any] | None = None
    """What several of the same name are together; None: it can be given once."""
    needs: tuple[str, ...] = ()
    """Where one of these cannot be read, nothing is to be said of this one either."""
    examples: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Given:
    """What a request says: the values by the names of words, and what is wrong with the others."""

    values: Mapping[str, Any]
    wrong: tuple[Wrong, ...]

    def arguments(self, words: Sequence[Word]) -> dict[str, Any]:
        """The values as arguments of `ask`."""
        return {one.argument: self.values[one.name] for one in words if one.argument and one.name in self.values}


def read_words(pairs: Sequence[tuple[str, str]], words: Sequence[Word]) -> Given:
    """The parameters of a request, each read by its word. All that is wrong with them is told at once."""
    known = {one.name: one for one in words}
    texts: dict[str, list[str]] = {}
    for name, value in pairs:
        texts.setdefault(name, []).append(value)
    wrong: list[Wrong] = []
    values: dict[str, Any] = {}
    for name, listed in texts.items():
        if (word := known.get(name)) is None:
            wrong.append(_unknown(name, known))
            continue
        try:
            values[name] = _value(word, listed)
        except QueryError as error:
            wrong += [Wrong(_prefixed(name, one), name) for one in error.problems]
        except ValueError as error:
            wrong.append(Wrong(Problem(f"{name}: {error}", code=Code.QUERY_INVALID), name))
    unread = {one.parameter for one in wrong}
    kept = {name: value for name, value in values.items() if not unread & {*known[name].needs}}
    return Given(kept, tuple(wrong))


def _unknown(name: str, known: Mapping[str, Word]) -> Wrong:
    shown = name[:80] if name[:80].isprintable() else ascii(name[:80])
    fix = did_you_mean(name[:80], known, what="parameters") if known else "There are none here."
    return Wrong(Problem(f"there is no parameter `{shown}`", fix=fix, code=Code.UNKNOWN_NAME), name)


def _value(word: Word, texts: Sequence[str]) -> Any:
    if any(_CONTROL.search(text) for text in texts):
        raise ValueError("there is a control character in it")
    if word.joined is not None:
        return word.joined([word.read(text) for text in texts])
    if len(texts) > 1:
        raise ValueError(f"it is given {len(texts)} times, and can be given once")
    return word.read(texts[0])


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _prefixed(name: str, problem: Problem) -> Problem:
    told = problem.message if problem.message.startswith(f"{name}:") else f"{name}: {problem.message}"
    return Problem(told, fix=problem.fix, code=problem.code)


# -- how they are read ------------------------------------------------------------------------------------------------


def some_text(written: str) -> str:
    if not written.strip():
        raise ValueError("it is empty; leave it out instead")
    return written


def one_of(*known: str) -> Read:
    def read(written: str) -> str:
        if written not in known:
            fix = did_you_mean(written[:80], known, what="words")
            raise QueryError(Problem(f"`{written[:80]}` is none of its words", fix=fix, code=Code.QUERY_INVALID))
        return written

    return read


def _flag(written: str) -> bool:
    return bool(one_of("true", "false")(written) == "true")


def _whole(least: int, most: int) -> Read:
    def read(written: str) -> int:
        if not re.fullmatch(r"-?\d{1,18}", written, re.ASCII):
            raise ValueError(f"`{written[:80]}` is not a whole number")
        if not least <= int(written) <= most:
            message = f"{int(written):,}; it can be {least:,} to {most:,}"
            raise QueryError(Problem(message, code=Code.LIMIT_EXCEEDED))
        return int(written)

    return read


def names(written: str) -> tuple[str, ...]:
    """`country,platform`, each once between its commas; nothing at all is no name."""
    listed = tuple(one.strip() for one in written.split(",")) if written.strip() else ()
    if not all(listed):
        raise ValueError(f"`{written[:80]}`: a name is missing beside a comma")
    return listed


def chained(lists: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(one for of in lists for one in of)


def _plain(read: Read) -> Read:
    """A reader of GraphQL's, whose words end with a full stop and quote as JSON does."""

    def told(written: str) -> Any:
        try:
            return read(written)
        except Unreadable as error:
            raise ValueError(str(error).rstrip(".").replace('"', "")) from None

    return told


_DURATION = re.compile(r"(\d+)[ _-]*([A-Za-z]+)", re.ASCII)


def _duration(written: str) -> Duration:
    """`30 days`, in an address also `30days`, `30_days` and `30-days`."""
    matched = _DURATION.fullmatch(written.strip())
    return Duration.parse(f"{matched[1]} {matched[2]}" if matched else written)


def _tops(written: str) -> int | dict[str, int]:
    """`5` of the first breakdown, or `country=5,platform=3`."""
    if "=" not in written:
        found: int = _whole(-(10**17), 10**17)(written)
        return found
    return {name: int(_whole(-(10**17), 10**17)(count)) for name, count in _pairs(written, "country=5")}


def _bins(written: str) -> tuple[tuple[str, tuple[Decimal, ...]], ...]:
    """`minutes=1,5,20`: one breakdown and its edges."""
    name, equals, edges = written.partition("=")
    try:
        numbers = tuple(Decimal(edge.strip()) for edge in edges.split(","))
    except InvalidOperation:
        numbers = ()
    if not (name.strip() and equals and numbers and all(_is_sensible(one) for one in numbers)):
        raise ValueError(f"`{written[:80]}`: write it as `minutes=1,5,20`")
    return ((name.strip(), numbers),)


def _is_sensible(number: Decimal) -> bool:
    return number.is_finite() and abs(number) < Decimal(10) ** 29 and number == round(number, 9)


def _members(written: str) -> tuple[tuple[str, str], ...]:
    return _pairs(written, "tier=power")


def _pairs(written: str, example: str) -> tuple[tuple[str, str], ...]:
    found = []
    for one in written.split(",") if written.strip() else ():
        name, equals, value = (part.strip() for part in one.partition("="))
        if not (name and equals and value) or (value.lstrip("-").isdecimal() and len(value) > 18):
            raise ValueError(f"`{one[:80]}`: write it as `{example}`")
        found.append((name, value))
    return tuple(found)


def _all_of(conditions: Sequence[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else AllOf(tuple(conditions))


def _merged(several: Sequence[Any]) -> dict[str, Any]:
    return dict(chained(several))


# -- the words --------------------------------------------------------------------------------------------------------

_DATE_SCHEMA = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
LIST_SCHEMA = {"type": "array", "items": {"type": "string", "pattern": r"^[^,\u0000-\u001f\u007f]+$"}}
_DURATION_SCHEMA = {"type": "string", "pattern": r"^\s*\d+[ _-]*[A-Za-z]+\s*$"}
_FLAG_SCHEMA = {"type": "boolean", "default": False}
_TOPS = r"^\s*(-?\d+|[^=,]+=\s*-?\d+\s*(,[^=,]+=\s*-?\d+\s*)*)$"
TEXT_SCHEMA = {"type": "string", "pattern": r"^[^\u0000-\u001f\u007f]*[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$"}
"""Not of spaces alone, and without what cannot be printed."""
_MOMENT_SCHEMA = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?)?$",
}


def range_words() -> tuple[Word, ...]:
    """Which days, whose, and as of when."""
    return (
        Word("from", "start", _plain(read_date), _DATE_SCHEMA, "The first local date.", "2026-01-01"),
        Word(
            "to", "end", _plain(read_date), _DATE_SCHEMA,
            "The last local date, inclusive; up to as-of when absent.", "2026-01-31", needs=("from",),
        ),
        Word(
            "last", "last", _duration, _DURATION_SCHEMA,
            "Instead of dates: the last days, weeks, months, quarters or years.", "30 days",
        ),
        Word(
            "exclude_current", "exclude_current", _flag, _FLAG_SCHEMA,
            "With `last`: without the unit that is still going on.",
        ),
        Word(
            "timezone", "timezone", some_text, TEXT_SCHEMA,
            "Whose days are counted; the project's when absent.", "Europe/Berlin",
        ),
        Word(
            "as_of", "as_of", _plain(read_datetime), _MOMENT_SCHEMA,
            "Answer as if it were then: no later event counts. UTC without an offset.", "2026-01-31T12:00:00Z",
        ),
    )  # fmt: skip


def rows_words(
    limits: Limits, asked: RequestLimits, parts: Sequence[str], *, most_rows: int | None
) -> tuple[Word, ...]:
    """How the answer is cut into rows, and how many of them; `most_rows` None: any number."""
    where_schema = {**TEXT_SCHEMA, "maxLength": LONGEST}
    grains, compares = [one.value for one in Grain], [one.value for one in Compare]
    limit_schema = {"type": "integer", "minimum": 1} | ({"maximum": most_rows} if most_rows else {})
    usual = f"{limits.rows:,} when absent" if most_rows else "all when absent"
    return (
        Word("grain", "grain", one_of(*grains), {"type": "string", "enum": grains}, "The size of a bucket.", "week"),
        Word(
            "by", "by", names, LIST_SCHEMA,
            "Break down by properties, attributes, `hour_of_day` or `weekday`; see the metric's `dimensions`.",
            ["country", "platform"], joined=chained,
        ),
        Word(
            "where", "where", lambda written: read_where(some_text(written), asked), where_schema,
            "Only events for which this holds: a short SQL condition, or a filter as JSON. Given twice, both.",
            joined=_all_of, examples=EXAMPLES,
        ),
        Word(
            "measures", "measures", names, LIST_SCHEMA,
            "What is computed; see the metric's `measures`.", ["value", "users", "per_user_p90"], joined=chained,
        ),
        Word(
            "part", "parts", one_of(*parts), {"type": "string", "enum": list(parts)},
            "Another part of the answer than the usual; see the metric's `parts`.", "overall",
        ),
        Word(
            "within", "within", _duration, _DURATION_SCHEMA,
            "Of funnels: the window, instead of the defined one.", "7 days",
        ),
        Word(
            "top", "top", _tops, {"type": "string", "pattern": _TOPS},
            "Only so many values of the first breakdown (`5`) or of some (`country=5,platform=3`); the rest is "
            "`(other)`.", "country=5",
        ),
        Word(
            "bins", "bins", _bins, {"type": "array", "items": {"type": "string", "pattern": "^[^=]+=[^=]+$"}},
            "A breakdown by a number in bins: `minutes=1,5,20`. Given again for another.",
            ["minutes=1,5,20"], joined=lambda several: dict(chained(several)),
        ),
        Word(
            "subtotals", "subtotals", _flag, _FLAG_SCHEMA,
            "Also each breakdown's groups over all those after it, as `(all)`.",
        ),
        Word(
            "compare", "compare", one_of(*compares), {"type": "string", "enum": compares},
            "Fills `previous` and `change`.", "previous_period",
        ),
        Word(
            "order", "order", names, LIST_SCHEMA,
            "Columns to sort by; `-value` for descending.", ["-value"], joined=chained,
        ),
        Word("limit", "limit", _whole(1, most_rows or 10**17), limit_schema, f"Rows at most; {usual}.", 1_000),
    )  # fmt: skip


def cohort_words() -> tuple[Word, ...]:
    days = [one.value for one in CohortAsOf]
    return (
        Word("cohort", "cohort", some_text, TEXT_SCHEMA, "Only people of this cohort.", "engaged_users"),
        Word(
            "by_cohorts", "by_cohorts", names, LIST_SCHEMA,
            "Each of these cohorts by itself, and the people in none.", ["engaged_users"], joined=chained,
        ),
        Word(
            "cohort_as_of", "cohort_as_of", one_of(*days), {"type": "string", "enum": days},
            "The day of the cohorts: the end of the range, or of each bucket its own.", "bucket_end",
        ),
    )  # fmt: skip


def people_words(limits: Limits, *, pages: bool) -> tuple[Word, ...]:
    """Who is behind the numbers. Without `pages` all of them are told at once."""
    page = (
        Word(
            "first", "first", _whole(1, limits.most_members),
            {"type": "integer", "minimum": 1, "maximum": limits.most_members},
            "So many members; 50 when absent.", 1_000, needs=("members",),
        ),
        Word(
            "after", "after", some_text, TEXT_SCHEMA,
            "Members after this id: that of the last one before. The header `link` has the next page's address.",
            needs=("members",),
        ),
    )  # fmt: skip
    pattern = r"^(\s*[^=,]+=\s*[^,\s][^,]*(,\s*[^=,]+=\s*[^,\s][^,]*)*)?$"
    return (
        Word(
            "members", "members", _members, {"type": "string", "pattern": pattern},
            "The people behind the number, in order of their ids: by what the metric's `member_choices` offer.",
            "tier=power", joined=_merged,
        ),
        *(page if pages else ()),
        Word(
            "attributes", "attributes", names, LIST_SCHEMA, "What is told of members.", ["plan"],
            joined=chained, needs=("members",),
        ),
    )  # fmt: skip
