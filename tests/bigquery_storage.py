"""BigQuery's Storage API for the tests: the results of jobs of bigquery_server.py as Arrow, over gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

import on_bigquery

ROWS_AT_A_TIME = 3_000
TYPES: dict[str, tuple[pa.DataType, Callable[[str], Any]]] = {
    "INT64": (pa.int64(), int),
    "FLOAT64": (pa.float64(), float),
    "BOOL": (pa.bool_(), lambda text: text == "true"),
    "STRING": (pa.string(), str),
    "JSON": (pa.string(), str),
    "DATE": (pa.date32(), date.fromisoformat),
    "DATETIME": (pa.timestamp("us"), datetime.fromisoformat),
    "TIMESTAMP": (
        pa.timestamp("us", tz="UTC"),
        lambda text: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(text)),
    ),
    "NUMERIC": (pa.decimal128(38, 9), Decimal),
    "BIGNUMERIC": (pa.decimal256(76, 38), Decimal),
}


@dataclass
class Storage:
    """A server of the Storage API; `breaks` says after how many pieces a stream breaks off, and with what."""

    port: int = 0
    refuses: grpc.StatusCode | None = None
    breaks: list[tuple[int, grpc.StatusCode]] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def create(self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> types.ReadSession:
        if self.refuses is not None:
            context.abort(self.refuses, "bigquery.readsessions.create denied")
        path = request.read_session.table
        self.sessions.append(path)
        session = types.ReadSession(name=f"{path}/session", table=path, data_format=types.DataFormat.ARROW)
        session.arrow_schema.serialized_schema = _rows(path).schema.serialize().to_pybytes()
        session.streams = [types.ReadStream(name=path)]
        return session

    def read(self, request: types.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[types.ReadRowsResponse]:
        rows = _rows(request.read_stream)
        pieces, code = self.breaks.pop(0) if self.breaks else (None, grpc.StatusCode.OK)
        schema = rows.schema.serialize().to_pybytes()
        for number, batch in enumerate(rows.slice(request.offset).to_batches(max_chunksize=ROWS_AT_A_TIME)):
            if number == pieces:
                context.abort(code, "the stream broke")
            answer = types.ReadRowsResponse(row_count=batch.num_rows)
            answer.arrow_record_batch.serialized_record_batch = batch.serialize().to_pybytes()
            answer.arrow_record_batch.row_count = batch.num_rows
            answer.arrow_schema.serialized_schema = schema
            yield answer


def _rows(path: str) -> pa.Table:
    found = on_bigquery.server().tell(f"rows/{path.rsplit('/', 1)[-1]}")
    columns = []
    for place, (_, type_) in enumerate(found["columns"]):
        arrow, read = TYPES[type_]
        values = [None if row[place] is None else read(row[place]) for row in found["rows"]]
        columns.append(pa.array(values, arrow))
    return pa.Table.from_arrays(columns, names=[name for name, _ in found["columns"]])


@contextmanager
def serving() -> Iterator[Storage]:
    storage, server = Storage(), grpc.server(ThreadPoolExecutor(4))
    methods = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            storage.create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            storage.read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        ),
    }
    named = grpc.method_handlers_generic_handler("google.cloud.bigquery.storage.v1.BigQueryRead", methods)
    server.add_generic_rpc_handlers((named,))
    storage.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield storage
    finally:
        server.stop(None).wait()
