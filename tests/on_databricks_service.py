"""What a Databricks warehouse does behind its Thrift service, on Sail: sessions, statements, results in pieces.

It imports the connector, and so only where that is installed: see on_databricks.py, which carries it over HTTP.
"""

from __future__ import annotations

import json
import re
import threading
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import lz4.frame
import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from pyspark.errors import PySparkException
from pyspark.sql.connect.client.core import DefaultChannelBuilder
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

DIRECTLY = 0.3
"""Seconds for which an answer is awaited before it is only a handle; five on Databricks."""
INLINE_ROWS = 1_000
"""Rows of one piece of a result that comes within the answers."""
CLOUD_ROWS = 10_000
"""Results of more rows are left in files, of which each answer has some."""
FILE_ROWS, FILES = 4_000, 2

_OK = ttypes.TStatus(ttypes.TStatusCode.SUCCESS_STATUS)
_STATES = ttypes.TOperationState
_USUAL = {"spark.sql.ansi.enabled": "false", "spark.sql.session.timeZone": "America/New_York"}
"""What holds in a session that is not told otherwise."""
_TIMES = "spark.thriftserver.arrowBasedRowSet.timestampAsString"
_OF_WAREHOUSES = {
    "ansi_mode": "spark.sql.ansi.enabled",
    "timezone": "spark.sql.session.timeZone",
    **dict.fromkeys(("statement_timeout", "query_tags", _TIMES)),
}
"""What a session of a SQL warehouse may be told; on a cluster it is what Spark may be told."""


@dataclass
class Session:
    """A session here, with one of Sail, and how much of the tables it has."""

    spark: Any
    configuration: Mapping[str, str]
    tables: dict[str, int] = field(default_factory=dict)


@dataclass
class Operation:
    """A statement that runs in a thread of its own."""

    text: str
    session: Session
    options: Any
    state: int = _STATES.RUNNING_STATE
    said: str = ""
    table: pa.Table | None = None
    sent: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    tag: str = field(default_factory=lambda: f"op-{uuid4()}")

    def run(self, seconds: int) -> None:
        self.session.spark.addTag(self.tag)
        timer = threading.Timer(seconds, self.stop, [_STATES.ERROR_STATE, "Statement timed out (STATEMENT_TIMEOUT)"])
        if seconds:
            timer.start()
        try:
            complex_ = bool(self.options.useArrowNativeTypes.complexTypesAsArrow)
            table = _as_databricks_has_it(self.session.spark.sql(self.text).toArrow(), complex_=complex_)
            if not self.ended.is_set():
                self.table, self.state = table, _STATES.FINISHED_STATE
        except PySparkException as error:
            if not self.ended.is_set():
                self.said, self.state = _words(error), _STATES.ERROR_STATE
        finally:
            timer.cancel()
            self.ended.set()

    def stop(self, state: int, said: str) -> None:
        if not self.ended.is_set():
            self.state, self.said = state, said
            self.ended.set()
            with suppress(PySparkException):  # Its session may be closed by now.
                self.session.spark.interruptTag(self.tag)


class Service:
    """The handler of the processor that the connector's package has."""

    def __init__(self, sail: Mapping[str, object], address: str, names: tuple[str, str]) -> None:
        self.address = address
        self.names = names
        self.files: dict[str, bytes] = {}
        self.sessions: dict[bytes, Session] = {}
        self.operations: dict[bytes, Operation] = {}
        self.opened: list[Any] = []
        self.cancelled: list[bytes] = []
        self._sail = f"sc://{sail['host']}:{sail['port']}"
        self._tables: dict[str, tuple[int, pa.Table]] = {}
        self._asking = threading.local()
        self._processor = TCLIService.Processor(self)

    # -- what the tests say and ask -----------------------------------------------------------------------------------

    def put(self, tables: Mapping[str, pa.Table]) -> None:
        for name, table in tables.items():
            self._tables[name] = (self._tables.get(name, (0,))[0] + 1, table)

    def method_of(self, body: bytes) -> str:
        name: str = TBinaryProtocol(TMemoryBuffer(body)).readMessageBegin()[0]
        return name

    def process(self, body: bytes, *, is_cluster: bool) -> bytes:
        self._asking.is_cluster = is_cluster
        answer = TMemoryBuffer()
        self._processor.process(TBinaryProtocol(TMemoryBuffer(body)), TBinaryProtocol(answer))
        return bytes(answer.getvalue())

    def end_sessions(self) -> None:
        """As when nobody asked anything for long."""
        self.sessions.clear()

    def cancel_all(self) -> None:
        """As when an administrator does it."""
        for operation in [*self.operations.values()]:
            operation.stop(_STATES.CANCELED_STATE, "The operation was canceled")

    @property
    def last(self) -> Operation:
        """The statement that was sent last."""
        return self._last

    # -- the service: its methods have the names and the arguments of the protocol --------------------------------

    def OpenSession(self, asked: Any) -> Any:  # noqa: N802
        if refusal := self._refusal(asked):
            return ttypes.TOpenSessionResp(refusal, ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7)
        self.opened.append(asked)
        told = dict(asked.configuration)
        spark = SparkSession(DefaultChannelBuilder(self._sail))
        confs = {(name if self._asking.is_cluster else _OF_WAREHOUSES[name]): value for name, value in told.items()}
        with warnings.catch_warnings():
            # Of settings that will not always be there.
            warnings.simplefilter("ignore")
            for name, value in {**_USUAL, **confs}.items():
                if name is not None and name != _TIMES:
                    spark.conf.set(name, value)
        handle = ttypes.THandleIdentifier(uuid4().bytes, uuid4().bytes)
        self.sessions[handle.guid] = Session(spark, told)
        version = ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
        session = ttypes.TSessionHandle(handle, version)
        return ttypes.TOpenSessionResp(_OK, version, session, asked.configuration, canUseMultipleCatalogs=True)

    def CloseSession(self, asked: Any) -> Any:  # noqa: N802
        found = self.sessions.pop(asked.sessionHandle.sessionId.guid, None)
        if found is None:
            return ttypes.TCloseSessionResp(_refused("Invalid SessionHandle", invalid=True))
        found.spark.client.close()
        return ttypes.TCloseSessionResp(_OK)

    def ExecuteStatement(self, asked: Any) -> Any:  # noqa: N802
        session = self.sessions.get(asked.sessionHandle.sessionId.guid)
        if session is None:
            return ttypes.TExecuteStatementResp(
                _refused("Invalid SessionHandle: the session is not there", invalid=True)
            )
        self._see_tables(session)
        self._last = operation = Operation(asked.statement, session, asked)
        handle = ttypes.TOperationHandle(
            ttypes.THandleIdentifier(uuid4().bytes, uuid4().bytes), ttypes.TOperationType.EXECUTE_STATEMENT, True
        )
        self.operations[handle.operationId.guid] = operation
        seconds = int(session.configuration.get("statement_timeout", 0))
        threading.Thread(target=operation.run, args=[seconds], daemon=True).start()
        answer = ttypes.TExecuteStatementResp(_OK, handle)
        if asked.getDirectResults is not None:
            answer.directResults = self._directly(handle, operation)
        return answer

    def GetOperationStatus(self, asked: Any) -> Any:  # noqa: N802
        operation = self.operations.get(asked.operationHandle.operationId.guid)
        if operation is None:
            return ttypes.TGetOperationStatusResp(_refused("Invalid OperationHandle", invalid=True))
        operation.ended.wait(DIRECTLY)
        return _status(operation)

    def GetResultSetMetadata(self, asked: Any) -> Any:  # noqa: N802
        operation = self.operations[asked.operationHandle.operationId.guid]
        if operation.table is None:
            return ttypes.TGetResultSetMetadataResp(_refused(operation.said or "The operation has no result"))
        return _metadata(operation)

    def FetchResults(self, asked: Any) -> Any:  # noqa: N802
        guid = asked.operationHandle.operationId.guid
        operation = self.operations.get(guid)
        if operation is None or operation.table is None:
            return ttypes.TFetchResultsResp(_refused("Invalid OperationHandle", invalid=True))
        return self._fetched(guid, operation)

    def CancelOperation(self, asked: Any) -> Any:  # noqa: N802
        guid = asked.operationHandle.operationId.guid
        self.cancelled.append(guid)
        if guid in self.operations:
            self.operations[guid].stop(_STATES.CANCELED_STATE, "The operation was canceled")
        return ttypes.TCancelOperationResp(_OK)

    def CloseOperation(self, asked: Any) -> Any:  # noqa: N802
        self._close(asked.operationHandle.operationId.guid)
        return ttypes.TCloseOperationResp(_OK)

    # -- how it is done ----------------------------------------------------------------------------------------------

    def _refusal(self, asked: Any) -> Any:
        for name in asked.configuration:
            if not (name.startswith("spark.") if self._asking.is_cluster else name in _OF_WAREHOUSES):
                return _refused(f"[CONFIG_NOT_AVAILABLE] Configuration {name} is not available. SQLSTATE: 42K0I")
        namespace = asked.initialNamespace or ttypes.TNamespace()
        for given, known, kind in zip(
            (namespace.catalogName, namespace.schemaName), self.names, ("CATALOG", "SCHEMA"), strict=True
        ):
            if given not in (None, known):
                return _refused(f"[{kind}_NOT_FOUND] The {kind.lower()} `{given}` cannot be found. SQLSTATE: 42704")
        return None

    def _see_tables(self, session: Session) -> None:
        for name, (version, table) in self._tables.items():
            if session.tables.get(name) != version:
                schema = from_arrow_schema(table.schema)
                rows = session.spark.createDataFrame(table) if table.num_rows else None
                frame = session.spark.createDataFrame([], schema) if rows is None else rows
                frame.createOrReplaceTempView(name)
                session.tables[name] = version

    def _directly(self, handle: Any, operation: Operation) -> Any:
        operation.ended.wait(DIRECTLY)
        direct = ttypes.TSparkDirectResults(_status(operation))
        if operation.table is not None:
            direct.resultSetMetadata = _metadata(operation)
            direct.resultSet = self._fetched(handle.operationId.guid, operation)
            if not direct.resultSet.hasMoreRows:
                direct.closeOperation = ttypes.TCloseOperationResp(_OK)
                self.operations.pop(handle.operationId.guid)
        return direct

    def _fetched(self, guid: bytes, operation: Operation) -> Any:
        assert operation.table is not None
        from_row = operation.sent
        rows = ttypes.TRowSet(from_row, [])
        if _in_files(operation):
            rows.resultLinks = [
                self._file(guid, operation) for _ in range(FILES) if operation.sent < len(operation.table)
            ]
        else:
            piece = operation.table.slice(from_row, INLINE_ROWS).combine_chunks()
            rows.arrowBatches = [
                ttypes.TSparkArrowBatch(_packed(operation, batch.serialize().to_pybytes()), batch.num_rows)
                for batch in piece.to_batches()
            ]
            operation.sent += piece.num_rows
        more = operation.sent < len(operation.table)
        return ttypes.TFetchResultsResp(_OK, more, rows, _metadata(operation))

    def _file(self, guid: bytes, operation: Operation) -> Any:
        """The next rows as a file, and where it is."""
        assert operation.table is not None
        from_row, piece = operation.sent, operation.table.slice(operation.sent, FILE_ROWS)
        written = pa.BufferOutputStream()
        with pa.ipc.new_stream(written, piece.schema) as stream:
            stream.write_table(piece)
        plain = written.getvalue().to_pybytes()
        place = f"/results/{UUID(bytes=guid)}/{from_row}"
        self.files[place] = _packed(operation, plain)
        operation.sent += piece.num_rows
        until = int(time.time()) + 900
        return ttypes.TSparkArrowResultLink(self.address + place, until, from_row, piece.num_rows, len(plain))

    def _close(self, guid: bytes) -> None:
        operation = self.operations.pop(guid, None)
        if operation is not None:
            operation.stop(_STATES.CLOSED_STATE, "The operation was closed")


def _refused(said: str, *, invalid: bool = False) -> Any:
    code = ttypes.TStatusCode.INVALID_HANDLE_STATUS if invalid else ttypes.TStatusCode.ERROR_STATUS
    return ttypes.TStatus(code, errorMessage=said, displayMessage=said)


def _status(operation: Operation) -> Any:
    said = operation.said or None
    return ttypes.TGetOperationStatusResp(_OK, operation.state, errorMessage=said, displayMessage=said)


def _in_files(operation: Operation) -> bool:
    return bool(operation.options.canDownloadResult) and len(operation.table or ()) > CLOUD_ROWS


def _packed(operation: Operation, plain: bytes) -> bytes:
    return lz4.frame.compress(plain) if operation.options.canDecompressLZ4Result else plain


def _metadata(operation: Operation) -> Any:
    assert operation.table is not None
    schema = operation.table.schema
    return ttypes.TGetResultSetMetadataResp(
        _OK,
        ttypes.TTableSchema([_column(one, place) for place, one in enumerate(schema, 1)]),
        ttypes.TSparkRowSetType.URL_BASED_SET if _in_files(operation) else ttypes.TSparkRowSetType.ARROW_BASED_SET,
        lz4Compressed=bool(operation.options.canDecompressLZ4Result),
        arrowSchema=schema.serialize().to_pybytes(),
        isStagingOperation=False,
    )


_TYPES = (
    (pa.types.is_boolean, ttypes.TTypeId.BOOLEAN_TYPE),
    (pa.types.is_int8, ttypes.TTypeId.TINYINT_TYPE),
    (pa.types.is_int16, ttypes.TTypeId.SMALLINT_TYPE),
    (pa.types.is_int32, ttypes.TTypeId.INT_TYPE),
    (pa.types.is_int64, ttypes.TTypeId.BIGINT_TYPE),
    (pa.types.is_float32, ttypes.TTypeId.FLOAT_TYPE),
    (pa.types.is_float64, ttypes.TTypeId.DOUBLE_TYPE),
    (pa.types.is_decimal, ttypes.TTypeId.DECIMAL_TYPE),
    (pa.types.is_date, ttypes.TTypeId.DATE_TYPE),
    (pa.types.is_timestamp, ttypes.TTypeId.TIMESTAMP_TYPE),
    (pa.types.is_binary, ttypes.TTypeId.BINARY_TYPE),
    (pa.types.is_null, ttypes.TTypeId.NULL_TYPE),
)


def _column(one: pa.Field, place: int) -> Any:
    kind = next((found for fits, found in _TYPES if fits(one.type)), ttypes.TTypeId.STRING_TYPE)
    entry = ttypes.TPrimitiveTypeEntry(kind)
    if pa.types.is_decimal(one.type):
        digits = {"precision": one.type.precision, "scale": one.type.scale}
        entry.typeQualifiers = ttypes.TTypeQualifiers(
            {name: ttypes.TTypeQualifierValue(i32Value=value) for name, value in digits.items()}
        )
    described = ttypes.TTypeDesc([ttypes.TTypeEntry(primitiveEntry=entry)])
    return ttypes.TColumnDesc(one.name, described, place)


def _as_databricks_has_it(table: pa.Table, *, complex_: bool) -> pa.Table:
    """Instants in the session's zone by the name that Databricks gives to UTC; lists and structures as texts, if so."""

    def told(column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_timestamp(column.type) and column.type.tz == "UTC":
            return column.cast(pa.timestamp("us", "Etc/UTC"))
        if pa.types.is_nested(column.type) and not complex_:
            return pa.chunked_array(
                [[None if one is None else json.dumps(one) for one in column.to_pylist()]], pa.string()
            )
        return column.cast(pa.string()) if pa.types.is_large_string(column.type) else column

    return pa.Table.from_arrays([told(column) for column in table.columns], names=table.column_names)


_MISSING = re.compile(r"(?:Table or view|Database) not found: (\S+)")


def _words(error: PySparkException) -> str:
    """What Sail says; a missing table in the words that Databricks has for it."""
    said = str(error).strip().split("\n")[0]
    if found := _MISSING.search(said):
        return f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{found[1]}` cannot be found. SQLSTATE: 42P01"
    return said
