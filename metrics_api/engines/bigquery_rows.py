"""How the rows of BigQuery's jobs come: their columns' types, and long answers by the Storage API."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_RETRYING = 30
"""For so many seconds the driver itself sends a request again that found no answer."""


def patience() -> Any:
    from google.cloud.bigquery import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(initial=0.2, maximum=8, multiplier=2).with_timeout(_RETRYING)


_STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


def type_of(column: Any) -> str:
    """A column's type by its name in statements."""
    name = _STANDARD.get(column.field_type, column.field_type)
    return f"ARRAY<{name}>" if column.mode == "REPEATED" else str(name)


def schema_of(columns: Sequence[Any]) -> pa.Schema:
    import pyarrow as pa

    types = {
        "INT64": pa.int64(),
        "FLOAT64": pa.float64(),
        "BOOL": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
        "DATETIME": pa.timestamp("us"),
        "TIME": pa.time64("us"),
        "BYTES": pa.binary(),
        "NUMERIC": pa.decimal128(38, 9),
        "BIGNUMERIC": pa.decimal256(76, 38),
    }
    return pa.schema([(one.name, types.get(type_of(one), pa.string())) for one in columns])


def plain(piece: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows without what the Storage API says of columns beside their type."""
    import pyarrow as pa

    arrays = [column.cast(one.type) for column, one in zip(piece.columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


# -- the Storage API ---------------------------------------------------------------------------------------------------


def reader_of(credentials: Any, place: str | None) -> Any:
    """A client of the Storage API; None without its package."""
    try:
        storage = importlib.import_module("google.cloud.bigquery_storage_v1")
    except ImportError:
        return None
    if place is None or not place.startswith("http://"):
        options = {"api_endpoint": place.removeprefix("https://")} if place else {}
        return storage.BigQueryReadClient(credentials=credentials, client_options=options)
    import grpc
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    channel = grpc.insecure_channel(place.removeprefix("http://"))
    return storage.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def session_of(reader: Any, job: Any) -> Any:
    """All rows of a job in one stream, which keeps their order."""
    from google.cloud.bigquery_storage_v1 import types

    wanted = types.ReadSession(table=job.destination.to_bqstorage(), data_format=types.DataFormat.ARROW)
    parent = f"projects/{job.project}"
    return reader.create_read_session(parent=parent, read_session=wanted, max_stream_count=1, retry=patience())


def batches_of(reader: Any, session: Any) -> Iterator[pa.RecordBatch]:
    """The client reads on from where a stream broke off."""
    import pyarrow as pa

    schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
    for stream in session.streams:
        for piece in reader.read_rows(stream.name):
            yield pa.ipc.read_record_batch(pa.py_buffer(piece.arrow_record_batch.serialized_record_batch), schema)
