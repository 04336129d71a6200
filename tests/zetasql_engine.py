"""GoogleSQL as ZetaSQL's reference implementation has it, which is what BigQuery's SQL is defined by.

Runs in an environment of its own (see on_bigquery.py), and imports nothing of the product. The package is a WebAssembly
module; translating that for this machine takes half a minute, so that is done once and kept beside it.
"""

from __future__ import annotations

import ctypes
import fcntl
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import tzdata
import wasmtime
import zetasql
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public
from zetasql.wasi._pb2.zetasql.public import simple_table_pb2, type_pb2, value_pb2

EPOCH = date(1970, 1, 1)
# What ZetaSQL has and BigQuery has not, among what a statement of ours could use by mistake.
NOT_IN_BIGQUERY = (
    "AGGREGATE_FILTERING ALLOW_CONSECUTIVE_ON BARE_ARRAY_ACCESS CHAINED_FUNCTION_CALLS EXTENDED_TYPES LATERAL_JOIN"
    " LITERAL_CONCATENATION MULTILEVEL_AGGREGATION TIMESTAMP_NANOS TIMESTAMP_PICOS"
    " UUID_TYPE TIMESTAMP_PRECISION STRUCT_POSITIONAL_ACCESSOR"
).split()
KINDS = {
    "STRING": type_pb2.TYPE_STRING,
    "INT64": type_pb2.TYPE_INT64,
    "FLOAT64": type_pb2.TYPE_DOUBLE,
    "BOOL": type_pb2.TYPE_BOOL,
    "DATE": type_pb2.TYPE_DATE,
    "DATETIME": type_pb2.TYPE_DATETIME,
    "TIMESTAMP": type_pb2.TYPE_TIMESTAMP,
    "NUMERIC": type_pb2.TYPE_NUMERIC,
    "BIGNUMERIC": type_pb2.TYPE_BIGNUMERIC,
    "JSON": type_pb2.TYPE_JSON,
}
NAMES = {kind: name for name, kind in KINDS.items()}
SCALES = {"NUMERIC": 9, "BIGNUMERIC": 38}
EXACT = Context(prec=100)
Cell = str | None


class Refused(Exception):
    """The statement is wrong, or ends in an error, in ZetaSQL's words."""


@dataclass(frozen=True)
class Table:
    """`columns` are names and types; `rows` hold what `written` makes of values."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Answer:
    """Rows as BigQuery's REST protocol writes them: texts, and null."""

    columns: list[tuple[str, str]]
    rows: list[list[Cell]]


class ZetaSQL:
    """One instance: tables, and statements about them, one at a time."""

    def __init__(self, kept: Path) -> None:
        self._wasm = _Wasm(_module(kept))
        self._alone = threading.Lock()
        wanted = service.LanguageOptionsRequest(maximum_features=True)
        language = self._wasm.call("GetLanguageOptions", wanted, options_pb2.LanguageOptionsProto)
        language.product_mode = public.PRODUCT_EXTERNAL
        unknown = {public.LanguageFeature.Value(f"FEATURE_{one}") for one in NOT_IN_BIGQUERY}
        language.enabled_language_features[:] = [
            one for one in language.enabled_language_features if one not in unknown
        ]
        self._language = language
        self._options = options_pb2.AnalyzerOptionsProto(language_options=language, default_timezone="UTC")
        self._catalog: int | None = None
        self.put({})

    def put(self, tables: Mapping[str, Table]) -> None:
        """Make these the tables there are."""
        listed = [_table(name, number, table) for number, (name, table) in enumerate(tables.items(), start=1)]
        functions = options_pb2.ZetaSQLBuiltinFunctionOptionsProto(language_options=self._language)
        catalog = simple_catalog_pb2.SimpleCatalogProto(name="all", table=listed, builtin_function_options=functions)
        rows = {name: _content(table) for name, table in tables.items()}
        with self._alone:
            registered = self._wasm.call(
                "RegisterCatalog",
                service.RegisterCatalogRequest(simple_catalog=catalog, table_content=rows),
                service.RegisterResponse,
            )
            if self._catalog is not None:
                self._wasm.call("UnregisterCatalog", service.UnregisterRequest(registered_id=self._catalog))
            self._catalog = registered.registered_id

    def check(self, sql: str) -> list[tuple[str, str]]:
        """The columns that a statement would have; raises Refused."""
        request = service.PrepareQueryRequest(sql=sql, options=self._options, registered_catalog_id=self._catalog)
        with self._alone:
            prepared = self._wasm.call("PrepareQuery", request, service.PrepareQueryResponse).prepared
            self._wasm.call(
                "UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=prepared.prepared_query_id)
            )
        return [(one.name, NAMES[one.type.type_kind]) for one in prepared.columns]

    def run(self, sql: str) -> Answer:
        """The rows of a statement; raises Refused."""
        request = service.EvaluateQueryRequest(sql=sql, options=self._options, registered_catalog_id=self._catalog)
        with self._alone:
            found = self._wasm.call("EvaluateQuery", request, service.EvaluateQueryResponse)
        columns = [(one.name, NAMES[one.type.type_kind]) for one in found.prepared.columns]
        rows = [[_cell(cell) for cell in row.cell] for row in found.content.table_data.row]
        return Answer(columns, rows)


class _Wasm:
    """Calls of the module's functions, which take and return serialised messages in its memory."""

    def __init__(self, module: wasmtime.Module) -> None:
        self._store = wasmtime.Store(module.engine)
        system = wasmtime.WasiConfig()
        system.inherit_stderr()
        system.preopen_dir(str(Path(tzdata.__file__).parent / "zoneinfo"), "/usr/share/zoneinfo")
        self._store.set_wasi(system)
        linker = wasmtime.Linker(module.engine)
        linker.define_wasi()
        self._exports: Any = linker.instantiate(self._store, module.module).exports(self._store)
        self._exports["_initialize"](self._store)

    def _at(self, place: int) -> int:
        return ctypes.addressof(self._exports["memory"].data_ptr().contents) + place

    def call(self, name: str, request: Any, response: Any = None) -> Any:
        """Raises Refused with what the module says."""
        exports, store, data = self._exports, self._store, request.SerializeToString()
        given, length = exports["wasm_malloc"](store, len(data) + 1), exports["wasm_malloc"](store, 4)
        try:
            ctypes.memmove(self._at(given), data, len(data))
            found = exports[f"ZetaSqlLocalService_{name}"](store, given, len(data), length)
            if found == 0:
                size, place = exports["wasm_get_last_error_size"](store), exports["wasm_get_last_error"](store)
                raise Refused(ctypes.string_at(self._at(place), size).decode().partition("Message: ")[2])
            size = int.from_bytes(ctypes.string_at(self._at(length), 4), "little")
            answer = ctypes.string_at(self._at(found), size)
            exports["wasm_free"](store, found)
            return None if response is None else response.FromString(answer)
        finally:
            exports["wasm_free"](store, given)
            exports["wasm_free"](store, length)


@dataclass(frozen=True)
class _Translated:
    engine: wasmtime.Engine
    module: wasmtime.Module


def _module(kept: Path) -> Any:
    """The module, translated for this machine by the first process that asks, and read by the others."""
    settings = wasmtime.Config()
    settings.shared_memory = True
    engine = wasmtime.Engine(settings)
    with _alone(kept):
        if not kept.is_file():
            source = Path(zetasql.__file__).parent / "wasi" / "zetasql.wasm"
            made = kept.with_suffix(".new")
            made.write_bytes(wasmtime.Module.from_file(engine, str(source)).serialize())
            made.replace(kept)
    return _Translated(engine, wasmtime.Module.deserialize_file(engine, str(kept)))


@contextmanager
def _alone(kept: Path) -> Iterator[None]:
    with kept.with_suffix(".lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# -- values -----------------------------------------------------------------------------------------------------------


def _table(name: str, number: int, table: Table) -> Any:
    proto = simple_table_pb2.SimpleTableProto(name=name, serialization_id=number)
    for column, type_ in table.columns:
        proto.column.add(name=column).type.type_kind = KINDS[type_]
    return proto


def _content(table: Table) -> Any:
    content = service.TableContent()
    content.table_data.SetInParent()  # There is content, even of no rows.
    types = [type_ for _, type_ in table.columns]
    for row in table.rows:
        content.table_data.row.add().cell.extend(map(_value, row, types))
    return content


def _value(value: Any, type_: str) -> Any:
    """A value as a message: numbers beyond JSON's and decimals as texts, dates in days, instants in microseconds."""
    proto = value_pb2.ValueProto()
    if value is None:
        return proto
    match type_:
        case "STRING":
            proto.string_value = value
        case "INT64":
            proto.int64_value = int(value)
        case "FLOAT64":
            proto.double_value = float(value)
        case "BOOL":
            proto.bool_value = value
        case "DATE":
            proto.date_value = value
        case "TIMESTAMP":
            proto.timestamp_value.seconds, micros = divmod(value, 1_000_000)
            proto.timestamp_value.nanos = micros * 1_000
        case "DATETIME":
            at = datetime(1970, 1, 1) + timedelta(microseconds=value)
            parts = ((at.year, 26), (at.month, 22), (at.day, 17), (at.hour, 12), (at.minute, 6), (at.second, 0))
            proto.datetime_value.bit_field_datetime_seconds = sum(part << shift for part, shift in parts)
            proto.datetime_value.nanos = at.microsecond * 1_000
        case "NUMERIC" | "BIGNUMERIC":
            scaled = int(Decimal(value).scaleb(SCALES[type_], EXACT))
            written = scaled.to_bytes(scaled.bit_length() // 8 + 1, "little", signed=True)
            setattr(proto, f"{type_.lower()}_value", written)
        case "JSON":
            proto.json_value = value
    return proto


def _cell(value: Any) -> Cell:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    match kind:
        case "bool_value":
            return str(held).lower()
        case "double_value":
            return repr(held) if math.isfinite(held) else "NaN" if math.isnan(held) else f"{'-' * (held < 0)}Infinity"
        case "date_value":
            return (EPOCH + timedelta(days=held)).isoformat()
        case "timestamp_value":
            return str(held.seconds * 1_000_000 + held.nanos // 1_000)
        case "datetime_value":
            bits = held.bit_field_datetime_seconds
            parts = (bits >> 26, bits >> 22 & 15, bits >> 17 & 31, bits >> 12 & 31, bits >> 6 & 63, bits & 63)
            return datetime(*parts, held.nanos // 1_000, tzinfo=UTC).replace(tzinfo=None).isoformat()
        case "numeric_value" | "bignumeric_value":
            scale = SCALES[kind.removesuffix("_value").upper()]
            with_scale = Decimal(int.from_bytes(held, "little", signed=True)).scaleb(-scale, EXACT)
            return f"{with_scale.normalize(EXACT):f}"
    return str(held)
