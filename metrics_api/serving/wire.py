"""Kept answers as bytes, for a store outside of this process: of what comes back nothing is believed unchecked."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import fields
from datetime import date, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

from metrics_api.plan.expr import Type
from metrics_api.results import Answer, Column, Info
from metrics_api.serving.stores import Kept

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 1
_HEAD = struct.Struct(">2sB16sI")
"""What it is, the version of the format, a checksum of all that follows, and the length of the description."""
_MAGIC = b"MA"


class Unreadable(ValueError):
    """Bytes that are no kept answer of this version, or not all of one."""


def written(kept: Kept) -> bytes:
    """A head, a description as JSON, and a compressed Arrow stream for each part."""
    parts = {name: _stream(table) for name, table in kept.answer.parts.items()}
    description = orjson.dumps(
        {
            "made": kept.made,
            "info": {one.name: getattr(kept.answer.info, one.name) for one in fields(Info) if one.name != "cache"},
            "columns": {
                part: [(one.name, one.type.value, one.nullable, one.description) for one in columns]
                for part, columns in kept.answer.columns.items()
            },
            "parts": [(name, len(stream)) for name, stream in parts.items()],
        }
    )
    body = b"".join((description, *parts.values()))
    return _HEAD.pack(_MAGIC, VERSION, _checksum(body), len(description)) + body


def read(data: bytes) -> Kept:
    """What `written` wrote. Raises Unreadable."""
    if len(data) < _HEAD.size:
        raise Unreadable
    magic, version, checksum, length = _HEAD.unpack_from(data)
    body = memoryview(data)[_HEAD.size :]
    if (magic, version) != (_MAGIC, VERSION) or _checksum(body) != checksum:
        raise Unreadable
    try:
        told = orjson.loads(body[:length])
        parts = dict(_parts(body[length:], told["parts"]))
        columns = {
            part: tuple(Column(name, Type(type_), nullable, said) for name, type_, nullable, said in each)
            for part, each in told["columns"].items()
        }
        return Kept(Answer(parts, _info(told["info"]), columns), float(told["made"]))
    except (KeyError, TypeError, ValueError, OSError) as error:  # Arrow's own errors are among these.
        raise Unreadable from error


def _checksum(body: bytes | memoryview) -> bytes:
    return blake2b(body, digest_size=16).digest()


def _info(told: dict[str, Any]) -> Info:
    instants = {name: datetime.fromisoformat(told[name]) for name in ("as_of", "data_through")}
    dates = {name: date.fromisoformat(told[name]) for name in ("first", "last")}
    return Info(**{**told, **instants, **dates, "conventions": tuple(told["conventions"])})


def _stream(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    codec = next((one for one in ("zstd", "lz4") if pa.Codec.is_available(one)), None)
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _parts(body: memoryview, lengths: list[tuple[str, int]]) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow as pa

    at = 0
    for name, length in lengths:
        yield name, pa.ipc.open_stream(pa.py_buffer(body[at : at + length])).read_all()
        at += length
    if at != len(body):
        raise Unreadable
