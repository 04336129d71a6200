"""The types of columns as warehouses spell them, told apart as far as the definitions care."""

from __future__ import annotations

import re
from enum import StrEnum

from metrics_api.plan.expr import Type


class Kind(StrEnum):
    """What a column holds, whatever the engine calls it."""

    TEXT = "texts"
    WHOLE = "whole numbers"
    DECIMAL = "decimals"
    FLOAT = "binary fractions"
    TRUTH = "truth values"
    INSTANT = "instants"
    """A point in time: with a zone, or kept as UTC by the engine."""
    CLOCK = "times without a zone"
    OFFSET = "times with an offset of their own"
    DATE = "dates"
    DOCUMENT = "documents"
    OTHER = "something else"


_WRAPPED = re.compile(r"^(?:nullable|lowcardinality|simpleaggregatefunction\(\w+,)\s*\(?(.*)\)$")
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"timestamp_tz\b.*", Kind.OFFSET),
    (r"timestamp_ntz.*|timestamp_?s|timestamp_?ms|timestamp_?ns|timestamp\[\w+\]", Kind.CLOCK),
    (r"timestamp_ltz.*|timestamp(\(\d\))? with (local )?time zone|timestamptz|timestamp\[.*tz=.*\]", Kind.INSTANT),
    (r"datetime64.*|datetime(\(.*\))?|timestamp.*", Kind.CLOCK),
    (r"date|date32.*|date64.*", Kind.DATE),
    (r"bool|boolean|bit\(1\)", Kind.TRUTH),
    (r"(decimal|numeric|number|dec)\d*\s*\(\s*\d+\s*(,\s*0\s*)?\)", Kind.WHOLE),
    (r"(u?(big|small|tiny|huge)?int(eger)?\d*|long|short|byte|bignint)(\(\d+\))?( unsigned)?", Kind.WHOLE),
    (r"(big)?(decimal|numeric|number|dec|money)\d*(\s*\(.*\))?", Kind.DECIMAL),
    (r"float\d*|double( precision)?|real|halffloat", Kind.FLOAT),
    (r"(var)?char(acter)?( varying)?(\(.*\))?|bpchar.*|n?text|string(\(.*\))?|(large_|fixed)string.*", Kind.TEXT),
    (r"uuid|citext|name|enum.*|nvarchar.*|dictionary.*", Kind.TEXT),
    (r"jsonb?(\(.*\))?|variant|object.*|super|struct.*|map.*|row\(.*|tuple.*", Kind.DOCUMENT),
)


def kind_of(written: str) -> Kind:
    """What a type is, by its name on any engine; `OTHER` where nobody here knows it.

    >>> [kind_of(one).name for one in ("Nullable(DateTime64(6))", "NUMBER(38,0)", "character varying(40)", "geometry")]
    ['CLOCK', 'WHOLE', 'TEXT', 'OTHER']
    """
    name = " ".join(written.lower().replace("not null", "").split())
    while found := _WRAPPED.match(name):
        name = found[1].strip()
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, name)), Kind.OTHER)


_FITTING: dict[Type, frozenset[Kind]] = {
    Type.STRING: frozenset({Kind.TEXT}),
    Type.INTEGER: frozenset({Kind.WHOLE}),
    Type.NUMBER: frozenset({Kind.WHOLE, Kind.DECIMAL, Kind.FLOAT}),
    Type.DECIMAL: frozenset({Kind.WHOLE, Kind.DECIMAL}),
    Type.BOOLEAN: frozenset({Kind.TRUTH}),
    Type.TIMESTAMP: frozenset({Kind.INSTANT, Kind.CLOCK}),
    Type.DATE: frozenset({Kind.DATE}),
}
_ALMOST: dict[tuple[Type, Kind], str] = {
    (Type.INTEGER, Kind.DECIMAL): "fractions are possible",
    (Type.INTEGER, Kind.FLOAT): "fractions are possible",
    (Type.DECIMAL, Kind.FLOAT): "sums are not exact",
    (Type.TIMESTAMP, Kind.DATE): "the time of day is not known",
}
_WORDS: dict[Kind, Type] = {
    Kind.TEXT: Type.STRING,
    Kind.WHOLE: Type.INTEGER,
    Kind.DECIMAL: Type.DECIMAL,
    Kind.FLOAT: Type.NUMBER,
    Kind.TRUTH: Type.BOOLEAN,
    Kind.INSTANT: Type.TIMESTAMP,
    Kind.CLOCK: Type.TIMESTAMP,
    Kind.DATE: Type.DATE,
}


def fits(declared: Type, written: str) -> bool | str:
    """Whether a column of this type holds what is declared; a text says why it only almost does."""
    kind = kind_of(written)
    if kind is Kind.OTHER or kind in _FITTING[declared]:
        return True
    if declared is Type.BOOLEAN and "uint8" in written.lower():  # ClickHouse's truth values of old.
        return True
    return _ALMOST.get((declared, kind), False)


def word_for(written: str) -> str | None:
    """How a definition calls what a column of this type holds."""
    word = _WORDS.get(kind_of(written))
    return word and word.value
