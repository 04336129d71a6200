"""Apache Spark 3.4 and later, reached by Spark Connect. One session in UTC, which several threads use at once.

Instants are TIMESTAMPs, the usual type of columns, which in such a session read as UTC clocks do; TIMESTAMP_NTZ columns
in UTC are compared with them as the same instants.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote
from uuid import uuid4

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.pool import Common
from metrics_api.engines.settings import secret, whole, without, yes
from metrics_api.engines.warehouse import Connected, Cost, MayPass, Stop, Stream, asked_again, ends
from metrics_api.errors import MissingDriver, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, enclosed, function, parenthesized, text

if TYPE_CHECKING:
    import pyarrow as pa


class SparkDialect(Dialect):
    """Integers of 64 bits, FILTER, an exact PERCENTILE; a difference of dates is an interval, so it is never said."""

    name: ClassVar[str] = "spark"
    sqlglot: ClassVar[str] = "spark"
    bitmap_days: ClassVar[int] = 62
    counts_bits: ClassVar[bool] = True
    types: ClassVar[dict[Type, str]] = {**Dialect.types, Type.STRING: "STRING"}

    def trunc_to(self, grain: str, day: Sql) -> Sql:
        return function("TRUNC", day, text(grain.upper()))

    def add_days(self, day: Sql, days: int) -> Sql:
        return function("DATE_SUB" if days < 0 else "DATE_ADD", day, exp.Literal.number(abs(days)))

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATEDIFF", last, first)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = exp.Sub(this=function("UNIX_MICROS", last), expression=function("UNIX_MICROS", first))
        return exp.Div(this=parenthesized(micros), expression=exp.Literal.number("1e6"))

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        return function("BIT_COUNT", exp.BitwiseAnd(this=enclosed(a), expression=enclosed(b)))

    def bit(self, n: Sql, width: Sql) -> Sql:
        one = self.cast(exp.Literal.number(1), Type.INTEGER)
        return function("SHIFTLEFT", one, exp.Cast(this=n, to=exp.DataType.build("INT")))

    def json_text(self, column: Sql, path: Sql) -> Sql:
        return function("GET_JSON_OBJECT", column, text("".join(("$", *map(_step, path.name.split("."))))))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # Not PERCENTILE_CONT, of which sqlglot makes PERCENTILE_APPROX.
        return function("PERCENTILE", a, fraction)

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        name, type_ = column
        interval = exp.Interval(this=text(str(step)), unit=exp.Var(this=unit.upper()))
        ends = [self.literal(one, type_) for one in (first, last)]
        return self.selected(function("EXPLODE", function("SEQUENCE", *ends, interval)), name, alias)


def _step(key: str) -> str:
    return f".{key}" if re.fullmatch(r"\w+", key, re.ASCII) else f"['{key}']"


# -- the connection -------------------------------------------------------------------------------------------------

# What statements mean follows the session; nobody's defaults may change an answer. A sum that overflows is an error.
_SESSION: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.parser.escapedStringLiterals": "false",
    "spark.sql.caseSensitive": "false",
    # A name of a WITH within another one's query is that query's own.
    "spark.sql.legacy.ctePrecedencePolicy": "CORRECTED",
}
_PORT = 15_002
_ATTEMPTS = 4
"""How often the driver itself tries a request again that found no answer: for about five seconds."""
_SESSION_IS_GONE = (
    *("INVALID_HANDLE.SESSION", "SESSION_NOT_FOUND", "SESSION_CLOSED", "SESSION_CHANGED", "NO_ACTIVE_SESSION"),
    "is not running",  # Sail's words.
)
_MISSING = ("TABLE_OR_VIEW_NOT_FOUND", "Table not found", "SCHEMA_NOT_FOUND")


@dataclass(frozen=True)
class _Target:
    """What a session is opened with. The address has the token in it, and is made anew for each session."""

    place: str
    address: Callable[[], str] = field(repr=False)
    token: Callable[[], str | None] = field(repr=False)
    schema: str | None = None
    statement_timeout: int | None = None


class SparkWarehouse(Connected):
    """One Spark Connect server. The session is opened again when the server has ended it."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._session: Common[Any] = Common("Spark", self._opened, _end)

    def __repr__(self) -> str:
        return f"SparkWarehouse({self._target.place!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        name = str(uuid4())
        with self._told() as session, _bounded(session, name, stop, self._target.statement_timeout, tag):
            frame = session.sql(sql)
            yield Stream(iter([of_usual_types(frame.toArrow())]) if whole else _pieces(frame), statement=name)

    @asked_again
    def estimate(self, sql: str) -> Cost:
        """Bytes of the tables that the statement would read, as far as Spark knows their size."""
        with self._told() as session:
            told = session.sql(f"EXPLAIN COST {sql}").toArrow().column(0).to_pylist()
        return cost_of(told, "Spark")

    @asked_again
    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        named = SparkDialect().table(table).sql("spark")
        try:
            with self._told() as session:
                fields = session.table(named).schema.fields
        except _NotThere:
            return None
        return tuple((one.name, one.dataType.simpleString()) for one in fields)

    def check(self) -> None:
        """Open the session: whoever has just written the settings is told at once what is wrong."""
        self._session.now()

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """The session, for as long as it lives; what fails is told in our words."""
        from pyspark.errors import PySparkException

        session = self._session.now()
        try:
            yield session
        except PySparkException as error:
            gone = any(one in str(error) for one in _SESSION_IS_GONE)
            if gone:
                self._session.give_up(session)
            raise _refusal(error, self._target, MayPass if gone else WarehouseError) from None

    def _opened(self) -> Any:
        from pyspark.errors import PySparkException

        try:
            return _new(self._target)
        except PySparkException as error:
            raise _refusal(error, self._target) from None


def _end(session: Any) -> None:
    from pyspark.errors import PySparkException

    with suppress(PySparkException):  # It may be gone already.
        session.client.close()


def _new(target: _Target) -> Any:
    from pyspark.sql.connect.client.core import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession(DefaultChannelBuilder(target.address()))
    session.client.set_retry_policies([DefaultPolicy(max_retries=_ATTEMPTS)])
    with warnings.catch_warnings():
        # Of settings that will not always be there, and of attempts: an error tells of those.
        warnings.simplefilter("ignore")
        for name, value in _SESSION.items():
            session.conf.set(name, value)
        if target.schema is not None:
            session.sql(f"USE SCHEMA {SparkDialect().table(target.schema).sql('spark')}").toArrow()
    return session


@contextmanager
def _bounded(session: Any, name: str, stop: Stop, seconds: int | None, tag: str = "") -> Iterator[None]:
    """What this thread asks in here is known by this name, and ended when nobody waits or after so many seconds.

    Spark shows both names with its jobs; a comma would part one.
    """
    names = [name, *([tag.replace(",", ";")] if tag else [])]
    for one in names:
        session.addTag(one)
    try:
        with ends(lambda: session.interruptTag(name), stop, seconds, "Spark"):
            yield
    finally:
        for one in names:
            session.removeTag(one)


_SCAN = re.compile(r"\bRelation\b[^\n]*Statistics\(sizeInBytes=([\d.]+(?:E\+?\d+)?) ([KMGTPE]?)i?B")


_NOT_PLANNED = re.compile(r"(?:Error occurred during query planning:|[\w.$]+(?:Exception|Error):)\s*([^\n]*)")


def cost_of(told: Sequence[str], engine: str) -> Cost:
    """What the lines of EXPLAIN COST tell. Raises WarehouseError where they are no plan, but why there is none."""
    written = "\n".join(told)
    if found := _NOT_PLANNED.match(written):
        raise WarehouseError(f"{engine}: {found[1] or 'the statement cannot be planned'}")
    return Cost(bytes=_scanned(written))


def _scanned(told: str) -> int | None:
    """Bytes of the tables of an optimised plan; what Spark has no statistics of counts as 8 EiB, which is no answer."""
    scans = [float(size) * 1024 ** " KMGTPE".index(unit or " ") for size, unit in _SCAN.findall(told)]
    return int(sum(scans)) if scans and sum(scans) < 2**62 else None


class _NotThere(WarehouseError):
    """No such table."""


_DETAILS = re.compile(r'details = "(.*?)"(?:\n|$)')


def _refusal(error: Any, target: _Target, usual: type[WarehouseError] = WarehouseError) -> WarehouseError:
    """What Spark or the driver says, on one line, without secrets."""
    written = str(error)
    details = _DETAILS.search(written)
    said = without(target.token(), (details[1] if details else written).strip().split("\n")[0])
    unreachable = "UNAVAILABLE" in written
    kind = _NotThere if any(one in written for one in _MISSING) else usual
    return kind(f"Spark: {said}", fix="Check `host` and `port`, or `url`, of the warehouse." if unreachable else None)


def _pieces(frame: Any) -> Iterator[pa.Table]:
    """The rows in the pieces that Spark sends. The client has rows for this, and below them what makes them."""
    import pyarrow as pa

    client, none = frame.sparkSession.client, True
    plan = frame._plan.to_proto(client)  # noqa: SLF001
    for piece in client.to_table_as_iterator(plan, {}):
        if isinstance(piece, pa.Table):
            none = False
            yield of_usual_types(piece)
    if none:
        yield of_usual_types(frame.toArrow())


def of_usual_types(table: pa.Table) -> pa.Table:
    """The columns of types that every warehouse has: whole numbers of any width as those of 64 bits."""
    import pyarrow as pa

    def plain(type_: pa.DataType) -> pa.DataType:
        if pa.types.is_integer(type_):
            return pa.int64()
        if pa.types.is_timestamp(type_):
            return pa.timestamp("us", type_.tz and "UTC")
        if pa.types.is_floating(type_):
            return pa.float64()
        return pa.string() if pa.types.is_large_string(type_) else type_

    columns = [column.cast(plain(column.type)) for column in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def connect(settings: Mapping[str, object], folder: Path) -> SparkWarehouse:
    """Reach the Spark Connect server of `url` (`sc://...`), or of `host` and `port`, and open the session.

    Raises WarehouseError when the server cannot be reached or refuses, MissingDriver without the `pyspark` package.
    """
    try:
        with warnings.catch_warnings():
            # pyspark warns of the version of pandas, which is not used here.
            warnings.simplefilter("ignore")
            importlib.import_module("pyspark.sql.connect.session")
    except ImportError:
        raise MissingDriver("pyspark-client", "spark") from None
    except SystemExit:
        # pyspark takes a program that is no file for its own doctests, and ends it.
        raise WarehouseError(
            "Spark: its client does not start under `python -c`", fix="Run a file, or a module by `python -m`."
        ) from None
    warehouse = SparkWarehouse(_target(settings, folder))
    warehouse.check()
    return warehouse


def _target(settings: Mapping[str, object], folder: Path) -> _Target:
    place = str(settings["url"]) if "url" in settings else f"sc://{settings.get('host', 'localhost')}:{_port(settings)}"
    if not re.fullmatch(r"sc://[^/;\s]+(/(;[^\s]*)?)?", place):
        raise WarehouseError(
            "`url` of the warehouse is no address of Spark Connect", fix="Write sc://host:port, or `host` and `port`."
        )
    words = {"use_ssl": str(yes(settings, "tls")).lower()} if "tls" in settings else {}
    if "user" in settings:
        words["user_id"] = str(settings["user"])

    def token() -> str | None:
        if "token_file" in settings:
            return secret(folder / str(settings["token_file"]), "token_file")
        return str(settings["token"]) if "token" in settings else None

    def address() -> str:
        known = token()
        parts = [
            f"{name}={quote(value, safe='')}" for name, value in ({**words, "token": known} if known else words).items()
        ]
        return ";".join([place if ";" in place else f"{place.rstrip('/')}/", *parts])

    return _Target(
        place=place.partition(";")[0],
        address=address,
        token=token,
        schema=str(settings["schema"]) if "schema" in settings else None,
        statement_timeout=whole(settings, "statement_timeout") if "statement_timeout" in settings else None,
    )


def _port(settings: Mapping[str, object]) -> int:
    return whole(settings, "port") if "port" in settings else _PORT


_SETTINGS = ("url", "host", "port", "tls", "user", "token", "token_file", "schema", "statement_timeout")
ENGINE = Engine("spark", SparkDialect(), connect, _SETTINGS)
