"""Google BigQuery, by jobs of its own API. Long answers come by the Storage API where one may use it.

Time columns are TIMESTAMPs. UTC is always said, for a project can have another default time zone. DATETIME columns need
a view that says which zone they are in.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.bigquery_rows import batches_of, patience, plain, reader_of, schema_of, session_of, type_of
from metrics_api.engines.google_cloud import LOGINS, credentials_of
from metrics_api.engines.settings import whole, without, yes
from metrics_api.engines.warehouse import Connected, Cost, MayPass, Stop, Stream, ends, shortened, too_long
from metrics_api.errors import MissingDriver, WarehouseError, did_you_mean
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import (
    Dialect,
    Sql,
    enclosed,
    function,
    in_largest_unit,
    literal_number,
    text,
    timestamp_text,
    typed_literal,
)

if TYPE_CHECKING:
    import pyarrow as pa

_UTC = "UTC"


class BigQueryDialect(Dialect):
    """GoogleSQL: no FILTER, no aggregate percentile, weeks that begin on Sunday unless told."""

    name: ClassVar[str] = "bigquery"
    sqlglot: ClassVar[str] = "bigquery"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    has_filter: ClassVar[bool] = False
    relations_hide_columns: ClassVar[bool] = True
    aggregates_by_window: ClassVar[frozenset[str]] = frozenset(["quantile"])
    types: ClassVar[dict[Type, str]] = {
        Type.STRING: "STRING",
        Type.INTEGER: "INT64",
        Type.NUMBER: "FLOAT64",
        Type.DECIMAL: "NUMERIC",
        Type.BOOLEAN: "BOOL",
        Type.TIMESTAMP: "TIMESTAMP",
        Type.DATE: "DATE",
    }

    def number_literal(self, value: object) -> Sql:
        # A literal takes the type of what it is compared with, and a NUMERIC ends at 29 digits before the point.
        literal = super().number_literal(value)
        return self.cast(literal, Type.NUMBER) if "E" in str(value).upper() and float(str(value)) > 9e28 else literal

    def timestamp_literal(self, value: datetime) -> Sql:
        return typed_literal("TIMESTAMP", f"{timestamp_text(value)}+00")

    def number(self, value: Sql) -> Sql:
        return value if _is_call(value, "SAFE_DIVIDE") else super().number(value)

    def divide(self, a: Sql, b: Sql, word: Sql | None = None) -> Sql:
        # The quotient of a NUMERIC is one, and rounded; that of whole numbers is a FLOAT64.
        dividend = a if _is_whole(a) and _is_whole(b) else self.cast(a, Type.NUMBER)
        quotient: Sql = function("SAFE_DIVIDE", dividend, b)
        if _is_never_0(b):
            quotient = exp.Div(this=enclosed(dividend), expression=b, typed=False, safe=False)
        return quotient if word is None else self.cast(function("FLOOR", quotient), Type.INTEGER)

    def mod(self, a: Sql, b: Sql) -> Sql:
        # MOD takes no FLOAT64. A BIGNUMERIC holds every integer and decimal, and floats of up to 38 digits.
        wide = exp.DataType.build("BIGNUMERIC", dialect="bigquery")
        if _is_never_0(b):
            return function("MOD", exp.Cast(this=a, to=wide), b)
        divisor = exp.Nullif(this=b, expression=exp.Literal.number(0))
        return function("MOD", exp.Cast(this=a, to=wide), exp.Cast(this=divisor, to=wide.copy()))

    # -- time ---------------------------------------------------------------------------------------------------------

    def add_seconds(self, at: Sql, seconds: Sql) -> Sql:
        amount, unit = in_largest_unit(literal_number(seconds), self.interval_units)
        interval = exp.Interval(this=exp.Literal.number(abs(amount)), unit=exp.Var(this=unit))
        return function("TIMESTAMP_SUB" if amount < 0 else "TIMESTAMP_ADD", at, interval)

    def to_date(self, at: Sql) -> Sql:
        return function("DATE", at, text(_UTC))

    def trunc_hour(self, at: Sql) -> Sql:
        return function("TIMESTAMP_TRUNC", at, exp.Var(this="HOUR"), text(_UTC))

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("DATE_TRUNC", day, exp.Var(this="ISOWEEK" if grain == "week" else grain.upper()))

    def add_days(self, day: Sql, days: int) -> Sql:
        interval = exp.Interval(this=exp.Literal.number(abs(days)), unit=exp.Var(this="DAY"))
        return function("DATE_SUB" if days < 0 else "DATE_ADD", day, interval)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATE_DIFF", last, first, exp.Var(this="DAY"))

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = function("TIMESTAMP_DIFF", last, first, exp.Var(this="MICROSECOND"))
        return exp.Div(this=micros, expression=exp.Literal.number("1e6"))

    # -- bits, JSON and aggregates ------------------------------------------------------------------------------------

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b)))

    def bit(self, n: Sql, width: Sql) -> Sql:
        return exp.BitwiseLeftShift(this=exp.Literal.number(1), expression=enclosed(n))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        keys = (key if re.fullmatch(r"\w+", key, re.ASCII) else f'"{key}"' for key in path.name.split("."))
        return function("JSON_VALUE", column, text(".".join(("$", *keys))))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # A window function only; and APPROX_QUANTILES is not exact.
        return function("PERCENTILE_CONT", a, fraction)

    def first_by(self, a: Sql, key: Sql) -> Sql:
        return exp.AnyValue(this=exp.HavingMax(this=a, expression=key, max=False))

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        return function("COUNTIF", where) if op == "count_rows" else super().filtered(op, args, where)

    # -- relations ----------------------------------------------------------------------------------------------------

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=exp.Literal.number(step), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        array = function(f"GENERATE_{type_.upper()}_ARRAY", *ends, interval)
        # The alias of an UNNEST names its values, not a table.
        values = exp.Unnest(expressions=[array], alias=exp.TableAlias(columns=[self.identifier(name)]))
        return self.selected(self.column(name), name, alias, values)

    def values(self, columns: Sequence[tuple[str, Type]], rows: Sequence[Sequence[Value]], alias: str) -> Sql:
        # The names and types are said once, before all rows. A row of one value is not written in parentheses.
        named = [exp.ColumnDef(this=self.identifier(name), kind=self.type(type_)) for name, type_ in columns]
        row = exp.DataType(this=exp.DType.STRUCT, expressions=named, nested=True)
        tuples: list[exp.Expression] = []
        for one in rows:
            said = [
                exp.Null() if value is None else self.literal(value, type_)
                for value, (_, type_) in zip(one, columns, strict=True)
            ]
            tuples.append(exp.Tuple(expressions=said) if len(said) > 1 else exp.Struct(expressions=said))
        typed = exp.DataType(this=exp.DType.ARRAY, expressions=[row], nested=True)
        array = exp.Cast(this=exp.Array(expressions=tuples), to=typed)
        # As a table, for sqlglot takes the alias of its own Unnest off columns.
        return exp.Table(this=function("UNNEST", array), alias=exp.TableAlias(this=self.identifier(alias)))


def _is_call(value: Sql, *names: str) -> bool:
    return isinstance(value, exp.Anonymous) and value.name in names


def _is_never_0(value: Sql) -> bool:
    return isinstance(value, exp.Literal) and not value.is_string and float(value.name) != 0


def _is_whole(value: Sql) -> bool:
    """Whether it is plain that a value is an INT64."""
    if isinstance(value, exp.Literal):
        return not value.is_string and value.name.isdigit()
    return isinstance(value, exp.Count) or _is_call(value, "COUNTIF", "DATE_DIFF", "TIMESTAMP_DIFF", "BIT_COUNT")


# -- the connection -------------------------------------------------------------------------------------------------

_FIRST_PAGE = 10_000
"""Rows that come with the answer itself; the Storage API reads longer ones."""
_MAY_PASS = frozenset(
    "backendError internalError badGateway rateLimitExceeded jobBackendError jobInternalError jobRateLimitExceeded"
    " tableUnavailable".split()
)
_LONGEST_LABEL = 63


@dataclass(frozen=True, slots=True)
class JobCost(Cost):
    """What a job read (`bytes`; rows are not told), what of it is paid for, and the slots it kept busy."""

    billed: int | None = None
    """Bytes: 0 where the answer was kept, 10 MB at least for each table otherwise."""
    slot_seconds: float | None = None


@dataclass(frozen=True)
class _Target:
    """Where statements run, and what each of them is told."""

    project: str
    dataset: str | None
    """With its project before it."""
    location: str | None
    labels: Mapping[str, str]
    priority: str
    maximum_bytes_billed: int | None
    statement_timeout: int | None
    secrets: Callable[[], Sequence[str]] = field(repr=False, default=tuple)


class BigQueryWarehouse(Connected):
    """A project of Google Cloud that pays. Each statement is a job of its own, and several may run at once."""

    def __init__(self, client: Any, reader: Callable[[], Any], target: _Target) -> None:
        self._client = client
        self._open_reader = reader
        self._target = target
        self._changing = threading.Lock()
        self._reader: Any = None
        self._by_pages = False
        self._closed = False

    def __repr__(self) -> str:
        return f"BigQueryWarehouse({self._target.project!r}, {self._target.dataset!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        name, target = f"metrics-api-{uuid4()}", self._target
        with self._told(), ends(lambda: self._cancel(name), stop, target.statement_timeout, "BigQuery"):
            job = self._sent(sql, name, self._configuration(tag))
            if stop.is_said:  # It came after the cancellation, which found no job.
                self._cancel(name)
            rows = self._rows(job)
            yield Stream(self._pieces(job, rows), _cost(job), job.job_id)

    def estimate(self, sql: str) -> JobCost:
        """Bytes of the columns that the statement would read, after pruning; BigQuery asks nothing for that."""
        with self._told():
            job = self._dry(sql)
        return JobCost(bytes=job.total_bytes_processed)

    def version(self, table: str) -> str | None:
        """Of a table in BigQuery's own storage when it was last changed, unless rows are streaming in: of these its
        description knows nothing until they are written."""
        parts = [part.name for part in BigQueryDialect().table(table).parts]
        usual = (self._target.dataset or self._target.project).split(".")
        path = [*usual[: 3 - len(parts)], *parts]
        if "*" in parts[-1] or len(path) < 3:
            return None
        try:
            with self._told():
                found = self._client.get_table(".".join(path), retry=patience())
        except _NotThere:
            return None
        if found.table_type != "TABLE" or found.streaming_buffer is not None or found.modified is None:
            return None
        return f"{found.created}:{found.modified}:{found.num_rows}:{found.num_bytes}:{found.etag}"

    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        parts = [part.name for part in BigQueryDialect().table(table).parts]
        if "*" in parts[-1]:  # Tables by the day: only a statement knows what they have in common.
            with self._told():
                every = exp.Select(expressions=[exp.Star()], from_=exp.From(this=BigQueryDialect().table(table)))
                job = self._dry(every.sql("bigquery"))
            return (*((one.name, type_of(one)) for one in job.schema), ("_TABLE_SUFFIX", "STRING"))
        usual = (self._target.dataset or self._target.project).split(".")
        path = [*usual[: 3 - len(parts)], *parts]
        if len(path) < 3:
            raise WarehouseError(f"BigQuery: table `{table}` is in no dataset", fix="Say `dataset` of the warehouse.")
        try:
            with self._told():
                found = self._client.get_table(".".join(path), retry=patience())
        except _NotThere:
            return None
        hidden = found.time_partitioning is not None and found.time_partitioning.field is None
        days = (("_PARTITIONTIME", "TIMESTAMP"), ("_PARTITIONDATE", "DATE")) if hidden else ()
        return (*((one.name, type_of(one)) for one in found.schema), *days)

    def check(self) -> None:
        """Ask for what costs nothing: whoever has just written the settings is told at once what is wrong."""
        self.estimate("SELECT 1 AS one")

    def close(self) -> None:
        with self._changing:
            self._closed = True
            if self._reader is not None:
                self._reader.transport.close()
            self._client.close()

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def _configuration(self, tag: str, **more: object) -> Any:
        from google.cloud.bigquery import QueryJobConfig

        target = self._target
        words: dict[str, object] = {
            "default_dataset": target.dataset,
            "labels": {**target.labels, **({"tag": _label(tag)} if tag else {})},
            "priority": target.priority.upper(),
            "maximum_bytes_billed": target.maximum_bytes_billed,
            "job_timeout_ms": target.statement_timeout and target.statement_timeout * 1_000,
            **more,
        }
        return QueryJobConfig(**{word: value for word, value in words.items() if value is not None})

    def _sent(self, sql: str, name: str, configuration: Any) -> Any:
        """The job of this name. It is begun once, though the request may be sent again."""
        from google.api_core.exceptions import Conflict

        target = self._target
        words = {"project": target.project, "location": target.location, "retry": patience()}
        try:
            return self._client.query(sql, configuration, job_id=name, job_retry=None, **words)
        except Conflict:
            return self._client.get_job(name, **words)

    def _dry(self, sql: str) -> Any:
        configuration = self._configuration("", dry_run=True, use_query_cache=False)
        return self._sent(sql, f"metrics-api-{uuid4()}", configuration)

    def _cancel(self, name: str) -> None:
        self._client.cancel_job(name, project=self._target.project, location=self._target.location)

    def _rows(self, job: Any) -> Any:
        """The first rows, and the way to all of them, once the job is done."""
        return job.result(page_size=_FIRST_PAGE, retry=patience(), job_retry=None)

    def _pieces(self, job: Any, rows: Any) -> Iterator[pa.Table]:
        """The rows: long ones by the Storage API, if one may use it here. Raises MayPass where some are missing."""
        import pyarrow as pa

        schema, came = schema_of(rows.schema), 0
        for batch in self._batches(job, rows):
            if not batch.num_rows:
                continue
            came += batch.num_rows
            yield plain(pa.Table.from_batches([batch]), schema)
        if came != rows.total_rows:
            raise MayPass(f"BigQuery: {came} of {rows.total_rows} rows came")
        if not came:
            yield schema.empty_table()

    def _batches(self, job: Any, rows: Any) -> Iterator[pa.RecordBatch]:
        from google.api_core.exceptions import Forbidden

        reader = self._reader_for(rows)
        if reader is not None:
            try:
                session = session_of(reader, job)
            except Forbidden:  # Reading takes a permission of its own, which running statements does not.
                self._by_pages = True
            else:
                yield from batches_of(reader, session)
                return
        yield from rows.to_arrow_iterable()

    def _reader_for(self, rows: Any) -> Any:
        if self._by_pages or rows.total_rows <= _FIRST_PAGE:
            return None
        with self._changing:
            if self._reader is None:
                self._reader = self._open_reader()
                self._by_pages = self._reader is None
            return self._reader

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What fails inside is told in our words."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        if self._closed:
            raise WarehouseError("BigQuery: the connection is closed")
        try:
            yield
        except (GoogleAPIError, GoogleAuthError, RequestException, ConnectionError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> WarehouseError:
        from google.api_core.exceptions import RetryError, ServerError, TooManyRequests
        from google.auth.exceptions import TransportError
        from requests.exceptions import RequestException

        cause = (error.cause if isinstance(error, RetryError) else None) or error
        errors = getattr(cause, "errors", None) or [{}]
        told = errors[0] if isinstance(errors[0], Mapping) else {}
        reason = str(told.get("reason", ""))
        said = str(told.get("message") or getattr(cause, "message", None) or cause)
        said = _REQUEST.sub("", said.strip().split("\n")[0])
        for hidden in self._target.secrets():
            said = without(hidden, said)
        if reason == "stopped" and "timed out" in said:
            return too_long("BigQuery", self._target.statement_timeout)
        passing = (RequestException, ConnectionError, TransportError, TooManyRequests, ServerError)
        passes = reason in _MAY_PASS or (not reason and isinstance(cause, passing))
        kind = _NotThere if reason == "notFound" and "table" in said.lower() else MayPass if passes else WarehouseError
        unreachable = isinstance(cause, RequestException | ConnectionError | TransportError)
        fix = "Check the network, and `endpoint` of the warehouse if it is said." if unreachable else _FIXES.get(reason)
        return kind(f"BigQuery: {said}", fix=fix)


class _NotThere(WarehouseError):
    """No such table, or none that may be seen."""


_REQUEST = re.compile(r"^(\d{3} )?(GET|POST) \S+: ")
_FIXES: Mapping[str, str] = {
    "accessDenied": "Give the account `BigQuery Job User` on the project and `BigQuery Data Viewer` on the dataset.",
    "authError": "Check `credentials_file` or the token of the warehouse.",
    "bytesBilledLimitExceeded": "Ask for less, or raise `maximum_bytes_billed` of the warehouse.",
    "invalid": "Check `project`, `dataset` and `location` of the warehouse.",
    "notFound": "Check `project`, `dataset` and `location` of the warehouse.",
    "quotaExceeded": "The project's quota is used up: wait, or raise it.",
    "stopped": "The job was cancelled from outside.",
}


def _cost(job: Any) -> JobCost:
    slots = job.slot_millis
    return JobCost(None, job.total_bytes_processed, job.total_bytes_billed, None if slots is None else slots / 1_000)


def _label(tag: str) -> str:
    """A text as the value of a label: small letters, digits, `_` and `-`."""
    return re.sub(r"[^\w-]", "_", shortened(tag.strip().lower(), _LONGEST_LABEL))


# -- settings ---------------------------------------------------------------------------------------------------------

_PRIORITIES = ("interactive", "batch")


def connect(settings: Mapping[str, object], folder: Path) -> BigQueryWarehouse:
    """Reach a project by a service account's key, an access token, or what the machine is logged in with.

    Files of secrets are relative to the folder. Raises WarehouseError when BigQuery cannot be reached or refuses,
    MissingDriver without the `google-cloud-bigquery` package.
    """
    try:
        bigquery = importlib.import_module("google.cloud.bigquery")
    except ImportError:
        raise MissingDriver("google-cloud-bigquery", "bigquery") from None
    endpoint = _address(settings, "endpoint")
    credentials, usual_project, secrets = credentials_of(settings, folder)
    target = _target(settings, usual_project, secrets)
    options = {"api_endpoint": endpoint} if endpoint else {}
    client = bigquery.Client(
        project=target.project, credentials=credentials, location=target.location, client_options=options
    )
    place = _address(settings, "storage_endpoint")
    is_emulated = place is None and (endpoint or "").startswith("http://")
    by_pages = ("storage_api" in settings and not yes(settings, "storage_api")) or is_emulated
    warehouse = BigQueryWarehouse(client, lambda: None if by_pages else reader_of(credentials, place), target)
    warehouse.check()
    return warehouse


def _target(settings: Mapping[str, object], usual: str | None, secrets: Callable[[], Sequence[str]]) -> _Target:
    project = str(settings.get("project") or usual or "")
    if not project:
        raise WarehouseError("`project` of the warehouse is not said", fix="Write the id of the project that pays.")
    dataset = str(settings["dataset"]) if "dataset" in settings else None
    if dataset is not None and "." not in dataset:
        dataset = f"{project}.{dataset}"
    priority = str(settings.get("priority", _PRIORITIES[0])).lower()
    if priority not in _PRIORITIES:
        fix = did_you_mean(priority, _PRIORITIES, what="priorities")
        raise WarehouseError("`priority` of the warehouse is not known", fix=fix)
    numbers = {
        name: whole(settings, name) if name in settings else None
        for name in ("maximum_bytes_billed", "statement_timeout")
    }
    location = str(settings["location"]) if "location" in settings else None
    return _Target(project, dataset, location, _labels(settings), priority, **numbers, secrets=secrets)


def _labels(settings: Mapping[str, object]) -> Mapping[str, str]:
    written = settings.get("labels", {})
    if not isinstance(written, Mapping) or not all(
        re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", str(name)) and re.fullmatch(r"[a-z0-9_-]{0,63}", str(value))
        for name, value in written.items()
    ):
        raise WarehouseError(
            "`labels` of the warehouse are not labels of BigQuery",
            fix="Write `name: value` in small letters, digits, `_` and `-`, up to 63 of them.",
        )
    return {"application": "metrics-api", **{str(name): str(value) for name, value in written.items()}}


def _address(settings: Mapping[str, object], name: str) -> str | None:
    if name not in settings:
        return None
    written = str(settings[name]).rstrip("/")
    if not re.fullmatch(r"https?://[^/\s@]+", written):
        raise WarehouseError(f"`{name}` of the warehouse is no address", fix="Write https://host, or http://host:port.")
    return written


_SETTINGS = (
    *("project", "dataset", "location", *LOGINS, "maximum_bytes_billed", "labels", "priority"),
    *("statement_timeout", "storage_api", "endpoint", "storage_endpoint"),
)
ENGINE = Engine("bigquery", BigQueryDialect(), connect, _SETTINGS)
