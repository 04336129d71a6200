"""`Project`: a loaded folder of definitions and its warehouse; answers questions from Python, the CLI and GraphQL."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from metrics_api.compile.comparison import earlier_dates
from metrics_api.compile.pipeline import Statement, compile_query
from metrics_api.compile.project import load_model
from metrics_api.compile.sharing import SharedStatement, compile_together, groups
from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.warehouses import resolve_environment
from metrics_api.engines import Engine, engine, wrong_warehouse
from metrics_api.engines.warehouse import Stop, Stopped, spoken_by
from metrics_api.errors import Code, DefinitionError, MetricsError, Problem, QueryError, WarehouseError, did_you_mean
from metrics_api.families import families
from metrics_api.plan.explain import story
from metrics_api.query.bind import MEMBERS, BoundQuery, answer_columns, bind
from metrics_api.query.limits import Limits
from metrics_api.query.metric_query import CohortAsOf, MetricQuery
from metrics_api.results import FLAGS, Answer, Info, split, with_completeness
from metrics_api.semantic.model import SemanticModel, Source
from metrics_api.serving import observing
from metrics_api.serving.asking import ask
from metrics_api.serving.finishing import finished, in_order
from metrics_api.serving.freshness import newest
from metrics_api.serving.lineage import ReadTable, lineage, versioned_tables
from metrics_api.serving.missing import explain_failure
from metrics_api.sql.dialect import Dialect

if TYPE_CHECKING:
    import pyarrow as pa

    from metrics_api.engines.warehouse import Execution, Warehouse

Clock = Callable[[], datetime]
V = TypeVar("V")


def utc_now() -> datetime:
    """The clock, as naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class Explained:
    """What `explain` tells: the plan as a story, and the statement of a dialect."""

    metric: str
    dialect: str
    story: str
    sql: str
    fingerprint: str
    conventions: tuple[str, ...]
    lineage: tuple[ReadTable, ...]
    """The tables that the statement reads, with their columns."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A definite question with its statement: all that an answer takes but the warehouse's work."""

    query: MetricQuery
    bound: BoundQuery
    statement: Statement
    key: str
    """Equal for equal answers: of the definitions, the statement with dates and values, and how far data reaches."""
    versions: tuple[tuple[str, str | None], ...] = ()
    """Of the tables that no watermark tells of."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A statement, and what a key needs: a digest of all that is definite, and the tables whose versions it takes."""

    statement: Statement
    digest: str
    versioned: tuple[str, ...]

    def prepared(self, query: MetricQuery, bound: BoundQuery, version: Callable[[str], str | None]) -> Prepared:
        versions = tuple((one, version(one)) for one in self.versioned)
        key = sha256(repr((self.digest, versions)).encode()).hexdigest() if versions else self.digest
        return Prepared(query, bound, self.statement, key, versions)


@dataclass(frozen=True, slots=True)
class Depends:
    """What may change an answer: how far sources reach, versions of tables, and the time."""

    sources: tuple[Source, ...]
    data_through: datetime
    versions: tuple[tuple[str, str | None], ...]
    as_of: datetime | None
    quarter: int


class Project:
    """A folder of definitions, ready to be asked. Safe to use from several threads."""

    def __init__(
        self,
        model: SemanticModel,
        definitions: Definitions,
        folder: Path,
        warehouse: str | None = None,
        *,
        clock: Clock = utc_now,
        limits: Limits | None = None,
        freshness_seconds: float = 10.0,
        share_scans: bool | None = None,
    ) -> None:
        self.model = model
        self.folder = folder
        self.limits = limits or Limits()
        self.clock = clock
        self.warehouse_name = warehouse or model.project.usual_warehouse
        self._definitions = definitions
        self._engine = self._engine_of(self.warehouse_name)
        self.share_scans = share_scans
        """Whether questions are put together in one statement where they can be; None: where that is cheaper."""
        self.listeners: dict[str, Callable[[Execution], None]] = {}
        """Told of every statement of a tag, from the thread that it ran in."""
        self._warehouse: Warehouse | None = None
        self._connecting = threading.Lock()
        self._statements: _Recent[_Known] = _Recent(2_048)
        self._connected_by: Mapping[str, object] | None = None
        self._users = _Users()
        self._shared: _Recent[SharedStatement] = _Recent(256)
        self._reached: dict[Source, tuple[float, datetime, datetime]] = {}
        self._versions: dict[str, tuple[float, str | None]] = {}
        self._asking: defaultdict[Source | str, threading.Lock] = defaultdict(threading.Lock)
        self._freshness_seconds = freshness_seconds

    def __repr__(self) -> str:
        return f"<Project {self.model.project.name!r}: {len(self.model.metrics)} metrics, on {self.warehouse_name}>"

    @property
    def definitions(self) -> Definitions:
        """What is written in the folder, with its places."""
        return self._definitions

    @property
    def dialect(self) -> Dialect:
        """How the warehouse says things."""
        return spoken_by(self._warehouse, self._engine.dialect)

    # -- asking -------------------------------------------------------------------------------------------------------

    def query(self, metric: str, **words: Any) -> pa.Table:
        """The rows (or a funnel's steps) of one metric. For the keywords see `metrics_api.serving.asking.ask`.

        Raises QueryError for a question that cannot be answered, WarehouseError when the warehouse fails.
        """
        answer = self.answer(ask(metric, **words))
        return next(iter(answer.parts.values()))

    def answer(self, query: MetricQuery) -> Answer:
        """All selected parts of the answer, and how it came about. Raises as `query` does."""
        return self._answered(self.prepared(query), "", None)

    def members(self, metric: str, **words: Any) -> Iterator[pa.Table]:
        """The people behind a metric's number or in a cohort, a page at a time in order of their ids (`id`).

        All pages tell the same moment, and a page costs a page, however many people there are. `members` chooses them
        (`{"tier": "power"}`), `first` is the size of a page, `attributes` are told of them; for the other keywords see
        `metrics_api.serving.asking.ask`. Raises as `query` does.
        """
        query = ask(metric, **{"members": {}, "first": self.limits.most_members, **words})
        more = True
        while more:
            answer = self.answer(query)
            page = answer.parts[MEMBERS]
            yield page
            if more := answer.info.truncated:
                after = replace(query.members, after=page["id"][-1].as_py())
                query = replace(query, members=after, as_of=answer.info.as_of)

    def answers(self, queries: Sequence[MetricQuery]) -> list[Answer | MetricsError]:
        """The answer of each question, or why there is none; equal to what `answer` says of each.

        Questions that count events of the same sources over overlapping ranges are one statement (RULES 35), where
        that is cheaper (`Dialect.shares_scans`) or asked for (`share_scans`).
        """
        prepared, found = self._each_prepared(queries)
        places = list(prepared)
        for batch in self.put_together(list(prepared.values())):
            some = [places[one] for one in batch]
            answers = self.answered([prepared[place] for place in some])
            found |= dict(zip(some, answers, strict=True))
        return [found[place] for place in range(len(queries))]

    def batches(self, queries: Sequence[MetricQuery]) -> list[tuple[int, ...]]:
        """The places of the questions, those together that one statement is to answer. A wrong question is alone."""
        prepared, wrong = self._each_prepared(queries)
        places = list(prepared)
        batches = self.put_together(list(prepared.values()))
        return sorted([*((place,) for place in wrong), *(tuple(places[one] for one in batch) for batch in batches)])

    def put_together(self, prepared: Sequence[Prepared]) -> list[tuple[int, ...]]:
        """The places of those that one statement is to answer."""
        if not (self.dialect.shares_scans if self.share_scans is None else self.share_scans):
            return [(place,) for place in range(len(prepared))]
        return groups([one.bound for one in prepared])

    def _each_prepared(
        self, queries: Sequence[MetricQuery]
    ) -> tuple[dict[int, Prepared], dict[int, Answer | MetricsError]]:
        """By place: those that can be asked, and what is wrong with the others."""
        prepared: dict[int, Prepared] = {}
        wrong: dict[int, Answer | MetricsError] = {}
        for place, query in enumerate(queries):
            try:
                prepared[place] = self.prepared(query)
            except MetricsError as error:
                wrong[place] = error
        return prepared, wrong

    def answered(
        self, prepared: Sequence[Prepared], *, tag: str = "", stop: Stop | None = None
    ) -> list[Answer | MetricsError]:
        """The answers to a batch from one statement, or where that fails, each from its own.

        A failure may be the matter of one of the questions: asked by itself each tells its own. `tag` names the
        request in the warehouse's history, after the metric; `stop` ends the statement from another thread.
        """
        if len(prepared) > 1 and (together := self._together(prepared, tag, stop)) is not None:
            return list(together)
        found: list[Answer | MetricsError] = []
        for one in prepared:
            try:
                found.append(self._answered(one, tag, stop))
            except MetricsError as error:
                found.append(error)
        return found

    def _answered(self, prepared: Prepared, tag: str, stop: Stop | None) -> Answer:
        bound, statement = prepared.bound, prepared.statement
        begun = time.perf_counter()
        table = self._run(statement.sql, [bound], tag, stop)
        try:
            parts = split(table, statement.parts)
        except OverflowError as error:
            raise WarehouseError(f"{bound.metric.name}: {error}") from None
        return self._shaped(bound, statement, parts, begun)

    def _together(self, prepared: Sequence[Prepared], tag: str, stop: Stop | None) -> Sequence[Answer] | None:
        """The answers from one statement; None where it fails."""
        bound = [one.bound for one in prepared]
        try:
            key = tuple(one.key for one in prepared)
            if (shared := self._shared.get(key)) is None:
                with observing.observer().span("compile", {"metrics_api.questions": len(bound)}):
                    shared = compile_together(bound, self.dialect)
                self._shared.put(key, shared)
            begun = time.perf_counter()
            tables = shared.split(self._run(shared.sql, bound, tag, stop))
        except Stopped:
            raise
        except (MetricsError, OverflowError):
            return None
        return [
            self._shaped(one, statement, parts, begun)
            for one, statement, parts in zip(bound, shared.each, tables, strict=True)
        ]

    def _shaped(self, bound: BoundQuery, statement: Statement, parts: Mapping[str, pa.Table], begun: float) -> Answer:
        """The answer of what came back: in order, cut, and with what is known of its completeness."""
        parts = {name: in_order(bound, part) for name, part in finished(bound, parts).items()}
        truncated = any(part.num_rows > bound.limit for part in parts.values())
        parts = {name: part.slice(0, bound.limit) for name, part in parts.items()}
        rows = next(iter(parts.values()))
        family = families()[bound.metric.type]
        for name in [name for name in parts if family.is_flagged(name)]:
            parts[name] = with_completeness(
                parts[name],
                bound.periods,
                partial(family.is_complete, bound),
                data_through=bound.data_through,
                late=bound.late_arrival,
            )
        info = Info(
            metric=bound.metric.name,
            as_of=bound.as_of,
            data_through=bound.data_through,
            first=bound.first,
            last=bound.last,
            timezone=bound.calendar.timezone,
            conventions=self.conventions(bound),
            sql=statement.sql,
            fingerprint=statement.fingerprint,
            row_count=rows.num_rows,
            truncated=truncated,
            seconds=time.perf_counter() - begun,
        )
        columns = answer_columns(bound, family)
        described = {name: (*columns[name], *(FLAGS if family.is_flagged(name) else ())) for name in parts}
        return Answer(parts, info, described)

    def data_through(self, metric: str) -> datetime:
        """How far the data of a metric reaches, in naive UTC. Raises WarehouseError, and QueryError for no metric."""
        found = self.model.metrics.get(metric) or self.model.cohorts.get(metric)
        if found is None:
            fix = did_you_mean(metric, [*self.model.metrics, *self.model.cohorts], what="metrics and cohorts")
            raise QueryError(Problem(f"there is no metric `{metric}`", fix=fix, code=Code.UNKNOWN_NAME))
        as_of = self.model.as_of or self.clock()
        return min((self._data_through(source, as_of) for source in found.sources), default=as_of)

    def sql(self, metric: str, *, dialect: str | None = None, **words: Any) -> str:
        """The statement that would answer; asks the warehouse nothing. Raises UnsupportedByEngine, QueryError."""
        return self.explain(metric, dialect=dialect, **words).sql

    def explain(self, metric: str, *, dialect: str | None = None, **words: Any) -> Explained:
        """The plan as a story and the statement, without asking the warehouse: the data is taken to reach as-of."""
        bound = bind(ask(metric, **words), self.model, families(), now=self.clock(), limits=self.limits)
        chosen = engine(dialect) if dialect else self._engine
        statement = compile_query(bound, chosen.dialect if dialect else self.dialect)
        return Explained(
            metric=metric,
            dialect=chosen.name,
            story=story(statement.plan),
            sql=statement.sql,
            fingerprint=statement.fingerprint,
            conventions=self.conventions(bound),
            lineage=lineage(statement.plan, self.model),
        )

    def conventions(self, bound: BoundQuery) -> tuple[str, ...]:
        """How the numbers were counted, in words: every answer says it."""
        zone = f"Days of {bound.calendar.timezone}; weeks start on {bound.calendar.week_start.capitalize()}."
        left_out = {source.exclude_text for source in bound.metric.sources if source.exclude_text}
        excluded = tuple(f"Left out: events with {text}." for text in sorted(left_out))
        rest = tuple(
            f"`{one.name}`: the {one.top} greatest of the range; all others are `(other)`, counted together."
            for one in bound.by
            if one.top is not None
        )
        of_bucket = bound.cohort_as_of is CohortAsOf.BUCKET_END
        when = "as of the end of each bucket; overall, of the range" if of_bucket else "as of the end of the range"
        cohorts = tuple(f"Cohort `{one.name}`: {when}." for one in bound.cohorts)
        earlier: tuple[str, ...] = ()
        if bound.compare is not None:
            first, last = earlier_dates(bound)
            earlier = (f"Compared with {first} to {last}, bucket by bucket.",)
        return (
            zone,
            *excluded,
            *rest,
            *cohorts,
            *earlier,
            *families()[bound.metric.type].conventions(bound.metric, bound.within),
        )

    # -- the way there ------------------------------------------------------------------------------------------------

    def prepared(self, query: MetricQuery, *, fresh: bool = False) -> Prepared:
        """The definite question and its statement; asks the warehouse how far the data reaches, at most every few
        seconds, or again where it must be `fresh`. Raises QueryError, WarehouseError.
        """
        bound = self._bound(query, self.clock(), fresh=fresh)
        key = (query, bound.first, bound.last, bound.data_through)
        if (found := self._statements.get(key)) is None:
            statement = self._statement(bound)
            found = _Known(
                statement, self._digest(query, bound, statement), versioned_tables(statement.plan, self.model)
            )
            self._statements.put(key, found)
        for table in found.versioned:
            self._ask_version(table, fresh=fresh)
        return found.prepared(query, bound, self._version_of)

    def check(self, query: MetricQuery) -> None:
        """Raises QueryError with all that is wrong with a question; asks the warehouse nothing."""
        bind(query, self.model, families(), now=self.clock(), limits=self.limits)

    def ready(self, query: MetricQuery) -> Prepared | None:
        """As `prepared`, where that takes no time: all is known and compiled. None otherwise, also for wrong ones."""
        try:
            bound = bind(query, self.model, families(), now=self.clock(), limits=self.limits)
        except MetricsError:
            return None
        reached = [self._known(source, bound.as_of) for source in bound.sources]
        known = [one for one in reached if one is not None]
        if len(known) < len(reached):
            return None
        bound = bound.known_through(min(known, default=bound.as_of))
        found = self._statements.get((query, bound.first, bound.last, bound.data_through))
        if found is None or not all(self._is_known(one) for one in found.versioned):
            return None
        return found.prepared(query, bound, self._version_of)

    def depends(self, prepared: Prepared) -> Depends:
        """On what the answer depends besides the definitions, as far as it is known without asking again."""
        bound = prepared.bound
        as_of = prepared.query.as_of or self.model.as_of
        return Depends(bound.sources, bound.data_through, prepared.versions, as_of, self._quarter())

    def still_holds(self, depends: Depends) -> bool:
        """Whether the same question is known to have the same answer now; asks the warehouse nothing."""
        if depends.quarter != self._quarter():
            return False
        if not all(self._is_known(table) and self._version_of(table) == one for table, one in depends.versions):
            return False
        as_of = depends.as_of or self.clock()
        reached = [self._known(source, as_of) for source in depends.sources]
        return bool(reached) and all(reached) and min(one for one in reached if one) == depends.data_through

    def known_for(self, depends: Depends) -> float:
        """For how many seconds it is not asked again whether that holds."""
        until = [self._reached[one][0] + self._freshness_seconds for one in depends.sources if one in self._reached]
        return max(0.0, min(until, default=0.0) - time.monotonic()) if len(until) == len(depends.sources) else 0.0

    def _quarter(self) -> int:
        """Of an hour, counted: days begin with one in every zone, and within one no relative range moves."""
        return int(self.clock().replace(tzinfo=UTC).timestamp() // 900)

    def _digest(self, query: MetricQuery, bound: BoundQuery, statement: Statement) -> str:
        """What an answer depends on: the statement's text has the dates and values; the rest says how it is shaped."""
        depends = (
            *(self._definitions.hash, self.warehouse_name, self.dialect.name, bound.metric.name),
            *(bound.data_through.isoformat(), bound.first.isoformat(), bound.last.isoformat()),
            *(repr(query.order), repr(bound.limit), repr(list(statement.parts)), bound.calendar.timezone),
            statement.sql,
        )
        return sha256("\0".join(map(str, depends)).encode()).hexdigest()

    def _bound(self, query: MetricQuery, now: datetime, *, fresh: bool = False) -> BoundQuery:
        """The definite question. A wrong one is refused before the warehouse is asked."""
        as_of = query.as_of or self.model.as_of
        if as_of is not None and not 1900 <= as_of.year < 2200:  # Beyond, the local date may not exist.
            raise QueryError(f"as of {as_of.year:04}: the years 1900 to 2199 are answered")
        bound = bind(query, self.model, families(), now=now, limits=self.limits)
        if fresh:
            for source in bound.sources:
                self._reached.pop(source, None)
        each = (self._data_through(source, bound.as_of) for source in bound.sources)
        return bound.known_through(min(each, default=bound.as_of))

    def _statement(self, bound: BoundQuery) -> Statement:
        with observing.observer().span("compile", {"metrics_api.metric": bound.metric.name}):
            return compile_query(bound, self.dialect)

    def _run(self, sql: str, bound: Sequence[BoundQuery], tag: str, stop: Stop | None) -> pa.Table:
        warehouse = self.warehouse()
        first, more = bound[0].metric.name, len(bound) - 1
        what, metric = (f"{first} and {more} more", observing.SEVERAL) if more else (first, first)
        words = {"engine": self._engine.name, "what": what, "metric": metric, "request_id": tag}
        try:
            execution = observing.run(warehouse, sql, **words, stop=stop)
        except Stopped:
            raise
        except WarehouseError as error:
            raise explain_failure(error, bound[0].sources, warehouse, self.dialect) from None
        if (listener := self.listeners.get(tag)) is not None:
            listener(execution)
        return execution.table

    def _known(self, source: Source, as_of: datetime) -> datetime | None:
        """How far the source's data reaches, if that was asked a moment ago."""
        known = self._reached.get(source)
        if known and time.monotonic() - known[0] < self._freshness_seconds and known[1] <= as_of <= known[2]:
            return known[1]
        return None

    def _data_through(self, source: Source, as_of: datetime) -> datetime:
        """How far the source's data reaches, asked at most every few seconds, by one of those who want to know."""
        if (known := self._known(source, as_of)) is not None:
            return known
        with self._asking[source]:
            if (known := self._known(source, as_of)) is not None:
                return known
            warehouse = self.warehouse()
            try:
                reached = newest(source, warehouse, self.dialect, as_of)
            except WarehouseError as error:
                raise explain_failure(error, [source], warehouse, self.dialect) from None
            # Until it is asked again the answer holds for the moments since, and for none before.
            until = as_of + timedelta(seconds=self._freshness_seconds)
            self._reached[source] = (time.monotonic(), reached, until)
            return reached

    def _is_known(self, table: str) -> bool:
        """Whether the table's version was asked a moment ago."""
        known = self._versions.get(table)
        return known is not None and time.monotonic() - known[0] < self._freshness_seconds

    def _version_of(self, table: str) -> str | None:
        return self._versions[table][1]

    def _ask_version(self, table: str, *, fresh: bool) -> None:
        """Know the version of a table as it is now, or was a moment ago."""
        with self._asking[table]:
            if fresh or not self._is_known(table):
                asked = time.monotonic()
                version: str | None = f"not told at {asked}"
                with suppress(WarehouseError):  # The question is answered all the same, and by nothing that is kept.
                    version = self.warehouse().version(table)
                self._versions[table] = (asked, version)

    def warehouse(self) -> Warehouse:
        """The connection, made at first use. Raises WarehouseError, MissingDriver, or what a setting lacks."""
        with self._connecting:
            if self._warehouse is None:
                if self._engine.connect is None:
                    raise QueryError(
                        f"this release compiles for {self._engine.name} but does not connect to it yet",
                        fix="Use `explain --dialect`, or a warehouse of another type.",
                    )
                settings = self._settings()
                self._warehouse = self._engine.connect(settings, self.folder)
                self._users, self._connected_by = _Users(), settings
            return self._warehouse

    def share_warehouse_of(self, other: Project) -> bool:
        """Use the other project's connection where it was made by the same settings; the last that is closed ends it.

        False where there is none, or it is to another place. Raises DefinitionError as `warehouse` does.
        """
        settings = self._settings()
        with other._connecting:
            alike = (other._engine.name, other._connected_by, other.folder) == (
                self._engine.name,
                settings,
                self.folder,
            )
            if other._warehouse is None or not alike:
                return False
            other._users.join()
            self._warehouse, self._users, self._connected_by = other._warehouse, other._users, settings
            return True

    def _settings(self) -> dict[str, object]:
        """What the warehouse is reached by. Raises DefinitionError with all that is wrong with it."""
        if self.warehouse_name is None:
            return {}
        if problems := wrong_warehouse(self._definitions, self.warehouse_name):
            raise DefinitionError(problems)
        return dict(resolve_environment(self.model.project.warehouses[self.warehouse_name], os.environ))

    def close(self) -> None:
        with self._connecting:
            warehouse, self._warehouse = self._warehouse, None
        if warehouse is not None and self._users.leave():
            warehouse.close()

    def _engine_of(self, warehouse: str | None) -> Engine:
        if warehouse is None:
            return engine("duckdb")
        known = self.model.project.warehouses
        if warehouse not in known:
            raise QueryError(
                f"there is no warehouse `{warehouse}`", fix=did_you_mean(warehouse, known, what="warehouses")
            )
        return engine(known[warehouse].type)


class _Users:
    """How many projects use a connection."""

    def __init__(self) -> None:
        self._number = 1
        self._changing = threading.Lock()

    def join(self) -> None:
        with self._changing:
            self._number += 1

    def leave(self) -> bool:
        """One less; whether it was the last."""
        with self._changing:
            self._number -= 1
            return self._number <= 0


class _Recent(Generic[V]):
    """The most recently used values by key, up to a number of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: V) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._size:
                self._values.popitem(last=False)


def load_project(
    path: str | Path, warehouse: str | None = None, target: str | None = None, *, clock: Clock = utc_now
) -> Project:
    """Read and check a folder of definitions. Raises DefinitionError with every problem of every file.

    `warehouse` and `target` are names of the project's, instead of its defaults.
    """
    folder = Path(path)
    model, definitions = load_model(folder, target=target)
    return Project(model, definitions, folder if folder.is_dir() else folder.parent, warehouse, clock=clock)
