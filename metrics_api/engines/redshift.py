"""Amazon Redshift, provisioned and serverless, by Amazon's own driver. Every session runs in UTC.

Nothing here could be executed without an AWS account: every form is the documented one, and executed as documented on
PostgreSQL (tests/redshift_on_postgres.py). PostgreSQL's driver would not do: Redshift calls its encoding UNICODE, and
knows neither some settings nor the commands that psycopg rests on.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp

from metrics_api.engines import Engine
from metrics_api.engines.pool import Pool
from metrics_api.engines.postgres import PostgresDialect, array
from metrics_api.engines.settings import secret, whole, without, yes
from metrics_api.engines.warehouse import Connected, Cost, MayPass, Stop, Stream, asked_again, ends, shortened, too_long
from metrics_api.errors import MissingDriver, UnsupportedByEngine, WarehouseError
from metrics_api.plan.expr import Type, Value
from metrics_api.sql.dialect import Dialect, Sql, function, spaces, text

if TYPE_CHECKING:
    import pyarrow as pa


class RedshiftDialect(PostgresDialect):
    """PostgreSQL 8's grammar: no FILTER, no arrays, no VALUES in FROM, no generate_series on the compute nodes."""

    name: ClassVar[str] = "redshift"
    sqlglot: ClassVar[str] = "redshift"
    has_filter: ClassVar[bool] = False
    counts_bits: ClassVar[bool] = False
    # Sorted aggregates of one SELECT have to be of the same values, windows need not; of MIN_BY there is none.
    aggregates_by_window: ClassVar[frozenset[str]] = frozenset(["quantile", "first_by"])
    types: ClassVar[dict[Type, str]] = {
        **PostgresDialect.types,
        Type.STRING: "VARCHAR",
        Type.DECIMAL: "DECIMAL(38, 9)",
    }

    def bits_shared(self, a: Sql, b: Sql) -> Sql:
        raise UnsupportedByEngine("bits_shared", self.name)

    def by_code_point(self, a: Sql) -> Sql:
        # There is no other order.
        return a

    def number_literal(self, value: object) -> Sql:
        # A number with an exponent is read as a decimal, which ends at 38 digits.
        if "E" in str(value).upper():
            return self.cast(text(str(value)), Type.NUMBER)
        return super().number_literal(value)

    def to_text(self, a: Sql, type_: Sql | None = None) -> Sql:
        # A boolean cannot be cast to text.
        if type_ is not None and type_.name == Type.BOOLEAN:
            branches = [exp.If(this=a, true=text("true")), exp.If(this=self.not_(a.copy()), true=text("false"))]
            return exp.Case(ifs=branches)
        return super().to_text(a, type_)

    # -- time ---------------------------------------------------------------------------------------------------------

    def add_days(self, day: Sql, days: int) -> Sql:
        # DATEADD of a date is a timestamp.
        return self.cast(function("DATEADD", exp.Var(this="DAY"), self.literal(days, Type.INTEGER), day), Type.DATE)

    def days_between(self, first: Sql, last: Sql) -> Sql:
        return function("DATEDIFF", exp.Var(this="DAY"), first, last)

    def seconds_between(self, first: Sql, last: Sql) -> Sql:
        micros = self.cast(function("DATEDIFF", exp.Var(this="MICROSECOND"), first, last), Type.NUMBER)
        return exp.Div(this=micros, expression=exp.Literal.number(1_000_000))

    # -- JSON and aggregates ------------------------------------------------------------------------------------------

    def json_text(self, column: Sql, path: Sql) -> Sql:
        # What is missing was documented as an empty text, and is now as null; the last argument makes null of what is
        # no JSON.
        keys = path.name.split(".")
        if len(keys) > _JSON_LEVELS:
            raise UnsupportedByEngine("json_text", self.name)
        found = function("JSON_EXTRACT_PATH_TEXT", column, *map(text, keys), exp.true())
        return exp.Nullif(this=found, expression=text(""))

    def quantile(self, a: Sql, fraction: Sql) -> Sql:
        # Of integers and decimals it would be a rounded decimal.
        return super().quantile(self.number(a), fraction)

    def first_by(self, a: Sql, key: Sql) -> Sql:
        # PostgreSQL's array of one is not there; see `aggregates_by_window`.
        raise UnsupportedByEngine("first_by", self.name)

    def filtered(self, op: str, args: Sequence[Sql], where: Sql) -> Sql:
        return Dialect.filtered(self, op, args, where)

    def windowed(self, op: str, args: Sequence[Sql]) -> Sql:
        return function("FIRST_VALUE", *args) if op == "first_by" else super().windowed(op, args)

    # -- relations and statements -------------------------------------------------------------------------------------

    def settled(self, statement: exp.Expression) -> exp.Expression:
        """Bare texts in select lists told to be such: else they are "unknown", and can be neither sorted nor joined."""
        lists = [select.expressions for select in statement.find_all(exp.Select)]
        # sqlglot makes selects of these.
        lists += [row.expressions for values in statement.find_all(exp.Values) for row in values.expressions]
        for value in (one.unalias() for columns in lists for one in columns):
            if isinstance(value, exp.Literal) and value.is_string:
                # As wide as it is: memory is set aside by the width that is declared.
                width = exp.DataType.build(f"VARCHAR({max(len(value.name.encode()), 1)})", dialect="redshift")
                value.replace(exp.Cast(this=value.copy(), to=width))
        return statement

    def series(
        self, first: Value, last: Value, step: int, unit: str, column: tuple[str, Type], alias: str
    ) -> Sql | None:
        # GENERATE_SERIES runs on the leader node only, and cannot be joined with tables: numbers are made of digits.
        count = spaces(first, last, step, unit)
        if count < _FEW:
            return None
        name, type_ = column
        places = [f"place_{10**k}" for k in range(len(str(count)))]
        digits = [self.column("digit", place) for place in places]
        number = digits[0]
        for power, digit in enumerate(digits[1:], 1):
            number = self.add(number, self.mul(exp.Literal.number(10**power), digit))
        steps = number if step == 1 else self.mul(exp.Literal.number(step), number.copy())
        said = function("DATEADD", exp.Var(this=unit.upper()), steps, self.literal(first, type_))
        relation = self.selected(self.cast(said, type_), name, alias, self._ten(places[0]))
        query = relation.this
        for place in places[1:]:
            query.append("joins", exp.Join(this=self._ten(place), kind="CROSS"))
        query.set("where", exp.Where(this=self.le(number.copy(), exp.Literal.number(count))))
        return relation

    def _ten(self, alias: str) -> Sql:
        """The digits as a relation."""
        digit = self.identifier("digit")
        rows: exp.Expression = exp.Select(expressions=[exp.Alias(this=exp.Literal.number(0), alias=digit)])
        for value in range(1, 10):
            one = exp.Select(expressions=[exp.Literal.number(value)])
            rows = exp.Union(this=rows, expression=one, distinct=False)
        return exp.Subquery(this=rows, alias=exp.TableAlias(this=self.identifier(alias)))


_JSON_LEVELS = 5
_FEW = 40
"""Labels that are shorter as rows of their own."""


# -- the connection -------------------------------------------------------------------------------------------------

_SESSION = ("SET timezone TO 'UTC'", "SET datestyle TO 'ISO'", "SET extra_float_digits TO 2")
_CONNECT_TIMEOUT = 10
_GRACE = 5
"""Seconds after its own limit in which Redshift should have ended a statement."""
_CONNECTIONS = 8
_PIECE = 10_000
"""Rows of a piece."""
_MOST_ASKED = 500
"""Statements of a session: the driver keeps the text of each."""
_NAMES = {
    16: "boolean", 20: "bigint", 21: "smallint", 23: "integer", 25: "text", 700: "real", 701: "double precision",
    1042: "char", 1043: "varchar", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz", 1266: "timetz",
    1700: "decimal", 3000: "geometry", 3001: "geography", 4000: "super", 6551: "varbyte",
}  # fmt: skip
"""Types by the number that the server tells."""


@dataclass(frozen=True)
class _Target:
    """What a session is opened with. Secrets are read anew for each, since files are renewed."""

    words: Mapping[str, Any]
    secrets: Callable[[], Mapping[str, str]] = field(repr=False)
    session: Sequence[str] = _SESSION
    query_group: str = "metrics-api"
    connect_timeout: int = _CONNECT_TIMEOUT
    statement_timeout: int | None = None

    @property
    def place(self) -> str:
        named = (self.words.get(name) for name in ("host", "cluster_identifier", "serverless_work_group"))
        return str(next((one for one in named if one), ""))


@dataclass
class _Session:
    """One of the driver's connections, which one thread may use at a time."""

    driver: Any
    pid: int
    group: str = ""
    asked: int = 0
    failed: bool = False


class RedshiftWarehouse(Connected):
    """One database, with up to `most` sessions: a statement takes an idle one or opens another, or waits."""

    def __init__(self, target: _Target, *, most: int = _CONNECTIONS) -> None:
        self._target = target
        self._sessions = Pool("Redshift", self._opened, _end, most)

    def __repr__(self) -> str:
        return f"RedshiftWarehouse({self._target.place!r}, {self._target.words.get('database', '')!r})"

    @contextmanager
    def begun(self, sql: str, tag: str, stop: Stop, *, whole: bool) -> Iterator[Stream]:
        limit, over = self._target.statement_timeout, threading.Event()
        with self._taken() as session:
            cancel = self._cancels(session, over)
            with ends(cancel, stop, limit and limit + _GRACE, "Redshift"), session.driver.cursor() as cursor:
                try:
                    self._tagged(session, cursor, tag)
                    yield from self._rows(cursor, sql, whole=whole)
                finally:
                    over.set()

    def _rows(self, cursor: Any, sql: str, *, whole: bool) -> Iterator[Stream]:
        """The one stream of a statement, which is sent before, and left with nothing open."""
        if whole:
            cursor.execute(sql)
            yield Stream(iter([_table(cursor, cursor.fetchall())]))
            return
        # The driver takes all rows at once; a cursor of the server's own gives them in pieces.
        cursor.execute("BEGIN")
        cursor.execute(f"DECLARE stream CURSOR FOR {sql}")
        yield Stream(_pieces(cursor))
        cursor.execute("COMMIT")

    @asked_again
    def estimate(self, sql: str) -> Cost:
        """Rows, and bytes of them, that the planner expects its scans to return."""
        with self._taken() as session, session.driver.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            lines = [str(row[0]) for row in cursor.fetchall()]
        found = [scan for line in lines if (scan := _SCAN.search(line))]
        rows = sum(int(scan["rows"]) for scan in found)
        return Cost(rows, sum(int(scan["rows"]) * int(scan["width"]) for scan in found))

    @asked_again
    def columns(self, table: str) -> tuple[tuple[str, str], ...] | None:
        # Of views without binding and of external tables the catalogs tell less than a statement does.
        named = RedshiftDialect().table(table).sql("redshift")
        try:
            with self._taken() as session, session.driver.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {named} LIMIT 0")  # noqa: S608 - quoted by the dialect
                described = cursor.description or ()
        except _NotThere:
            return None
        return tuple((_name(one[0]), _NAMES.get(one[1], "unknown")) for one in described)

    def check(self) -> None:
        """Open a session, once: whoever has just written the settings is told at once what is wrong."""
        with self._taken():
            return

    def close(self) -> None:
        self._sessions.close()

    @contextmanager
    def _taken(self) -> Iterator[_Session]:
        """A session that nobody else has. One that failed is not used again."""
        with self._sessions.lent(lambda one: not one.failed and one.asked < _MOST_ASKED) as session:
            session.asked += 1
            try:
                yield session
            except BaseException as error:
                session.failed = True
                if _is_drivers(error):
                    raise self._refused(error) from None
                raise

    def _opened(self) -> _Session:
        connector: Any = importlib.import_module("redshift_connector")
        secrets = self._target.secrets()
        driver: Any = None
        try:
            driver = connector.connect(**self._target.words, **secrets)
            driver.autocommit = True
            with driver.cursor() as cursor:
                for statement in self._target.session:
                    cursor.execute(statement)
                cursor.execute("SELECT PG_BACKEND_PID()")
                session = _Session(driver, int(cursor.fetchone()[0]))
            # It was about connecting; what takes long is ended by Redshift, or from here.
            driver._usock.settimeout(None)  # noqa: SLF001 - the driver has no setting for it
        except Exception as error:  # noqa: BLE001 - by IAM there are failures of many libraries
            if driver is not None:
                _end(_Session(driver, 0))
            raise self._refused(error, secrets) from None
        return session

    def _tagged(self, session: _Session, cursor: Any, tag: str) -> None:
        """Let the statement be known by its group, as Redshift's own history shows it."""
        group = shortened(f"{self._target.query_group} {tag}".strip(), _LONGEST_GROUP)
        if session.group != group:
            cursor.execute(f"SET query_group TO {text(group).sql('redshift')}")
            session.group = group

    def _cancels(self, session: _Session, over: threading.Event) -> Callable[[], None]:
        """What ends the statement, by a session of its own: the other one waits for its rows.

        A statement is sent in several messages, and between two of them there is nothing to cancel: it is said again
        until `over`.
        """

        def again(other: _Session) -> None:
            with suppress(Exception):
                while not over.wait(_PATIENCE):
                    _cancelled(other, session.pid)
            _end(other)

        def cancel() -> None:
            other = self._opened()
            _cancelled(other, session.pid)
            threading.Thread(target=again, args=(other,), daemon=True).start()

        return cancel

    def _refused(self, error: BaseException, secrets: Mapping[str, str] | None = None) -> WarehouseError:
        return _refusal(error, self._target, self._target.secrets() if secrets is None else secrets)


_LONGEST_GROUP = 300
_PATIENCE = 0.5
"""Seconds after which a statement that goes on is cancelled again."""
_SCAN = re.compile(r"Scan(?: using \S+)? on .*rows=(?P<rows>\d+) width=(?P<width>\d+)")


def _name(written: object) -> str:
    return written.decode() if isinstance(written, bytes) else str(written)


def _cancelled(by: _Session, pid: int) -> None:
    with by.driver.cursor() as cursor:
        cursor.execute(f"SELECT PG_CANCEL_BACKEND({pid})")


def _end(session: _Session) -> None:
    opened: Any = getattr(session.driver, "_usock", None)
    with suppress(Exception):  # It may be gone already, and says so in many ways.
        session.driver.close()
    with suppress(OSError, AttributeError):  # The driver leaves a socket open that was ended by the other side.
        os.close(opened.detach())


# -- refusals -------------------------------------------------------------------------------------------------------


class _NotThere(WarehouseError):
    """No such table."""


_FIXES: Mapping[str, str] = {
    "28000": "Check `user` and the password of the warehouse.",
    "28P01": "Check `user` and the password of the warehouse.",
    "3D000": "Check `database` of the warehouse.",
    "42P01": "Check `database` and `schema` of the warehouse.",
    "3F000": "Check `schema` of the warehouse.",
    "42501": "Let the user SELECT from the table, and USE its schema.",
}
_PASSING = frozenset(("40001", "53300", "57P01", "57P02", "57P03", "1018", "1023"))
"""A conflict, too many sessions, a server that ends or starts."""
_LATE = re.compile(r"due to statement timeout|statement_timeout", re.IGNORECASE)


def _is_drivers(error: BaseException) -> bool:
    connector: Any = importlib.import_module("redshift_connector")
    return isinstance(error, (connector.Error, OSError, EOFError))


def _refusal(error: BaseException, target: _Target, secrets: Mapping[str, str]) -> WarehouseError:
    """What Redshift or the driver says on one line, and what to do about it, without secrets."""
    told = error.args[0] if error.args else ""
    code = ""
    if isinstance(told, Mapping):
        code, said = str(told.get("C", "")), str(told.get("M", ""))
    else:
        said = _reached(" ".join(str(one) for one in error.args) or type(error).__name__)
    for hidden in secrets.values():
        said = without(hidden, said)
    if target.statement_timeout is not None and _LATE.search(said):
        return too_long("Redshift", target.statement_timeout)
    kind = _NotThere if code == "42P01" else MayPass if not code or code in _PASSING else WarehouseError
    fix = _FIXES.get(code) or ("Check `host` and `port` of the warehouse." if "cannot be reached" in said else None)
    return kind(f"Redshift: {' '.join(said.split())}", fix=fix)


def _reached(said: str) -> str:
    """Why there is no answer, in few words."""
    reasons = {
        "refused": "the connection is refused",
        "Name or service not known": "there is no host of that name",
        "nodename nor servname": "there is no host of that name",
        "timed out": "it does not answer",
        "time out": "it does not answer",
        "Server refuses SSL": "it does not speak TLS",
        "CERTIFICATE_VERIFY_FAILED": "its certificate cannot be verified",
    }
    why = next((words for found, words in reasons.items() if found in said), None)
    return f"the server cannot be reached: {why}" if why else said


# -- rows -------------------------------------------------------------------------------------------------------------


def _table(cursor: Any, rows: Sequence[Sequence[Any]]) -> pa.Table:
    """The rows as Arrow, each column by its type on the server."""
    import pyarrow as pa

    described = cursor.description or ()
    values = zip(*rows, strict=True) if rows else ((),) * len(described)
    arrays = [array(column[1], one) for column, one in zip(described, values, strict=True)]
    return pa.Table.from_arrays(arrays, names=[_name(column[0]) for column in described])


def _pieces(cursor: Any) -> Iterator[pa.Table]:
    rows: Sequence[Any] = (None,) * _PIECE
    while len(rows) == _PIECE:
        cursor.execute(f"FETCH FORWARD {_PIECE} FROM stream")
        rows = cursor.fetchall()
        yield _table(cursor, rows)


# -- settings ---------------------------------------------------------------------------------------------------------


def connect(settings: Mapping[str, object], folder: Path) -> RedshiftWarehouse:
    """Reach the cluster or workgroup at `host` as `user` with a password, or by `iam` with the rights of an AWS user.

    `password_file` is relative to the folder, and read for every session. Raises WarehouseError when Redshift cannot
    be reached or refuses, MissingDriver without the `redshift-connector` package.
    """
    try:
        importlib.import_module("redshift_connector")
    except ImportError:
        raise MissingDriver("redshift-connector", "redshift") from None
    # At this level the driver logs what is sent, and warns that it does.
    logging.getLogger("redshift_connector").setLevel(logging.WARNING)
    most = whole(settings, "connections") if "connections" in settings else _CONNECTIONS
    warehouse = RedshiftWarehouse(_target(settings, folder), most=most)
    warehouse.check()
    return warehouse


_TEXTS = ("host", "database", "user", "sslmode")
_IAM = (
    *("cluster_identifier", "db_user", "region", "profile", "endpoint_url"),
    *("serverless_work_group", "serverless_acct_id"),
)
_KEYS = ("access_key_id", "secret_access_key", "session_token")


def _target(settings: Mapping[str, object], folder: Path) -> _Target:
    by_iam = yes(settings, "iam") if "iam" in settings else False
    _checked(settings, by_iam=by_iam)
    timeout = whole(settings, "statement_timeout") if "statement_timeout" in settings else None
    waiting = whole(settings, "connect_timeout") if "connect_timeout" in settings else _CONNECT_TIMEOUT
    words: dict[str, Any] = {name: str(settings[name]) for name in (*_TEXTS, *_IAM) if name in settings}
    words |= {"timeout": waiting, "application_name": "metrics-api", "max_prepared_statements": 0}
    if "port" in settings:
        words["port"] = whole(settings, "port")
    if "tls" in settings:
        words["ssl"] = yes(settings, "tls")
    if by_iam:
        words |= {"iam": True, "is_serverless": "serverless_work_group" in settings}
    session = [*_SESSION]
    if timeout is not None:
        session.append(f"SET statement_timeout TO {1000 * timeout}")
    if "schema" in settings:
        session.append(
            f"SET search_path TO {exp.Identifier(this=str(settings['schema']), quoted=True).sql('redshift')}"
        )
    return _Target(
        words,
        lambda: _secrets(settings, folder),
        session,
        str(settings.get("query_group", "metrics-api")),
        waiting,
        timeout,
    )


def _checked(settings: Mapping[str, object], *, by_iam: bool) -> None:
    """Raises WarehouseError where it is not said who asks what."""
    given = [name for name in ("password", "password_file") if name in settings]
    if not settings.get("database"):
        raise WarehouseError("`database` of the warehouse is not said")
    if by_iam:
        if given:
            raise WarehouseError(f"`{given[0]}` of the warehouse does not go with `iam`", fix="Keep one of them.")
        if not any(settings.get(name) for name in ("host", "cluster_identifier", "serverless_work_group")):
            raise WarehouseError(
                "the warehouse does not say which Redshift",
                fix="Say `cluster_identifier`, `serverless_work_group` or `host`.",
            )
        return
    for name in ("host", "user"):
        if not settings.get(name):
            raise WarehouseError(f"`{name}` of the warehouse is not said", fix="Or log in by `iam: true`.")
    if len(given) != 1:
        raise WarehouseError("the warehouse is to have one of `password` and `password_file`", fix="Or `iam: true`.")


def _secrets(settings: Mapping[str, object], folder: Path) -> Mapping[str, str]:
    said = {name: str(settings[name]) for name in ("password", *_KEYS) if name in settings}
    if "password_file" in settings:
        said["password"] = secret(folder / str(settings["password_file"]))
    return said


_SETTINGS = (
    *(*_TEXTS, "port", "schema", "password", "password_file", "tls", "iam", *_IAM, *_KEYS),
    *("query_group", "connect_timeout", "statement_timeout", "connections"),
)
ENGINE = Engine("redshift", RedshiftDialect(), connect, _SETTINGS)
