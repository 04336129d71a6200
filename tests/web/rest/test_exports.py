"""Exports: every row, in constant memory, and an end to the statement where nobody reads."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pytest

from graphql_schema.asking import project_of, streaming
from metrics_api.cli.written import as_csv
from metrics_api.engines.warehouse import Stop, Stopped, Stream
from metrics_api.errors import WarehouseError
from metrics_api.query.limits import Limits
from metrics_api.serving.asking import ask
from metrics_api.serving.exports import export, exporting
from metrics_api.serving.project import Project
from metrics_api.web.app import create_app
from metrics_api.web.rest.exports import ExportLimits
from tests.web.rest.asking import get, refusals, running

# -- what is in them ---------------------------------------------------------------------------------------------------

HOURS = {"last": "20 days", "grain": "hour", "by": "country,platform"}
WEEKS = {"last": "4 weeks", "grain": "week", "compare": "previous_period", "order": "-value"}
EXPORTS: list[tuple[str, str, dict[str, Any]]] = [
    ("videos_watched", "last=20 days&grain=hour&by=country,platform", HOURS),
    ("app_opens", "last=4 weeks&grain=week&compare=previous_period&order=-value", WEEKS),
    ("app_opens", "part=overall&by=country", {"parts": "overall", "by": "country"}),
    ("activation", "", {}),
    ("weekly_retention", "last=5 weeks", {"last": "5 weeks"}),
    ("watch_frequency", "by=country&last=2 weeks", {"by": "country", "last": "2 weeks"}),
    ("rhythm", "part=curve", {"parts": "curve"}),
    ("what_makes_power_users", "", {}),
    ("engaged_users", "last=1 week&grain=day", {"last": "1 week", "grain": "day"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "words", "asked"), EXPORTS, ids=[f"{name}?{words}" for name, words, _ in EXPORTS])
def test_an_export_is_the_answer(name: str, words: str, asked: dict[str, Any]) -> None:
    answer = streaming()[0].answer(ask(name, limit=50_000, **asked))
    expected = next(iter(answer.parts.values()))
    assert expected.num_rows
    assert not answer.info.truncated
    response = get(f"/v1/exports/{name}.csv?{words}")
    assert response.text == as_csv(expected)
    whole = get(f"/v1/metrics/{name}.csv?{words}&limit=50000")
    told = (
        "content-type",
        "content-disposition",
        "metrics-as-of",
        "metrics-data-through",
        "metrics-from",
        "metrics-to",
        "metrics-timezone",
    )
    assert [response.headers[one] for one in told] == [whole.headers[one] for one in told]
    table = pa.ipc.open_stream(get(f"/v1/exports/{name}.arrow?{words}").content).read_all()
    of_whole = pa.ipc.open_stream(get(f"/v1/metrics/{name}.arrow?{words}&limit=50000").content).read_all()
    assert table.equals(of_whole)
    info = json.loads(table.schema.metadata[b"info"])
    assert info["conventions"] == list(answer.info.conventions)
    assert not {"row_count", "truncated"} & info.keys()


def test_an_export_is_not_cut() -> None:
    few = Limits(rows=3, most_rows=5, most_members=4)
    base = streaming()[0]
    project = Project(base.model, base.definitions, base.folder, clock=base.clock, limits=few)
    app = create_app(project)
    by_day = "/v1/{}/app_opens.csv?last=30 days&by=country"
    cut = get(by_day.format("metrics"), app=app)
    assert (cut.headers["metrics-rows"], cut.headers["metrics-truncated"]) == ("3", "true")
    whole = get(by_day.format("exports"), app=app).text.splitlines()
    assert len(whole) > 100
    assert whole[:4] == cut.text.splitlines()
    some = get(f"{by_day.format('exports')}&limit=7", app=app).text.splitlines()
    assert some == whole[:8]
    people = get("/v1/exports/watch_frequency.csv?part=members&attributes=plan", app=app).text
    pages = pa.concat_tables(streaming()[0].members("watch_frequency", attributes="plan"))
    assert people == as_csv(pages)
    assert pages.num_rows > 10
    project.close()


def test_head_asks_for_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    project = streaming()[0]
    project.answer(ask("app_opens", last="1 day"))
    monkeypatch.setattr(project.warehouse(), "stream", None)
    response = get("/v1/exports/app_opens.csv?last=3 days", method="HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["metrics-to"] == "2025-11-03"


@pytest.mark.parametrize(
    ("url", "status", "told"),
    [
        ("/v1/exports/app_opens", 404, "the address says no format. The endings are `.csv` and `.arrow`."),
        ("/v1/exports/app_opens.parquet", 404, "this is not written as `.parquet`."),
        ("/v1/exports/app_open.csv", 404, "there is no metric `app_open`. Did you mean `app_opens`?"),
        ("/v1/exports/app_opens.csv?first=3", 400, "there is no parameter `first`."),
        ("/v1/exports/app_opens.csv?by=contry", 400, "app_opens: there is no property `contry` to break down by."),
        ("/v1/exports/app_opens.csv?limit=0", 400, "limit: 0; it can be 1 to 100,000,000,000,000,000"),
    ],
)
def test_exports_are_refused(url: str, status: int, told: str) -> None:
    response = get(url)
    assert response.status_code == status
    assert refusals(response)[0][2].startswith(told)


def test_one_part_is_exported() -> None:
    with pytest.raises(Exception, match="an export is of one part of an answer"):
        exporting(streaming()[0], ask("app_opens", parts="rows,overall"))


# -- large ones --------------------------------------------------------------------------------------------------------

LARGE = """
project: {name: large, as_of: 2026-01-07, warehouses: {main: {type: duckdb, path: large.duckdb}}}
sources:
  events: {table: events, time: occurred_at, identity: {user: user_id}, properties: {code: string}}
events: {opened: {source: events}}
metrics:
  opens: {type: usage, event: opened}
"""
ROWS = 1_000_000
QUESTION = "opens.csv?from=2026-01-05&to=2026-01-05&by=code&measures=value"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("large")
    with duckdb.connect(str(folder / "large.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT TIMESTAMP '2026-01-05' + INTERVAL (i % 80000) SECOND AS occurred_at, "
            f"'u' || i AS user_id, printf('%010d', i) || repeat('-', 120) AS code FROM range({ROWS}) t(i)"
        )
    project = project_of(LARGE, folder)
    yield project
    project.close()


class Watched:
    """A warehouse whose streams are watched: what ends them, and whether they were left."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stops: list[Stop] = []
        self.left: list[BaseException | None] = []
        warehouse = project.warehouse()
        stream = warehouse.stream

        @contextmanager
        def watched(sql: str, *, tag: str = "", stop: Stop | None = None) -> Iterator[Stream]:
            assert stop is not None
            self.stops.append(stop)
            try:
                with stream(sql, tag=tag, stop=stop) as pieces:
                    yield pieces
            except BaseException as error:
                self.left.append(error)
                raise
            self.left.append(None)

        monkeypatch.setattr(warehouse, "stream", watched)


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that happens in another thread; fails when it does not."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4_096


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
def test_a_large_export_takes_constant_memory(large: Project) -> None:
    lines = sent = most = 0
    at_first = None
    with (
        running(create_app(large)) as url,
        httpx.stream("GET", f"{url}/v1/exports/{QUESTION}", timeout=120) as response,
    ):
        assert response.status_code == 200
        for piece in response.iter_raw():
            lines += piece.count(b"\n")
            sent += len(piece)
            if at_first is None and lines > 200_000:  # All that is allocated once has been by then.
                at_first = resident()
            most = max(most, resident())
    assert at_first is not None
    assert lines == ROWS + 1
    assert sent > 150_000_000
    # What the database sorted is in this process as well, but does not grow while it is read.
    assert most - at_first < 64_000_000


@pytest.mark.slow
def test_a_reader_who_leaves_ends_the_statement(large: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(large, monkeypatch)
    with running(create_app(large)) as url:
        with httpx.stream("GET", f"{url}/v1/exports/{QUESTION}", timeout=120) as response:
            next(response.iter_raw())
        until(lambda: len(watched.left) == 1)
        assert watched.stops[0].is_said
        # Also one who does not wait for the first row.
        with asked(url, f"/v1/exports/{QUESTION}&where=code%20like%20'%25-'"):
            until(lambda: len(watched.stops) == 2)
        until(lambda: len(watched.left) == 2)
        assert watched.stops[1].is_said
        assert get_rows(url) == 5
    assert all(one is None or isinstance(one, Stopped) for one in watched.left[:2])


@pytest.mark.slow
def test_who_leaves_before_an_answer_ends_its_statement(large: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = large.warehouse()
    run = warehouse.run
    begun: list[str] = []
    ended: list[Stopped] = []

    def watched(sql: str, *, tag: str = "", stop: Stop | None = None) -> object:
        begun.append(sql)
        try:
            return run(sql, tag=tag, stop=stop)
        except Stopped as error:
            ended.append(error)
            raise

    large.answer(ask("opens", start="2026-01-05", end="2026-01-05"))  # How far the data reaches is known now.
    monkeypatch.setattr(warehouse, "run", watched)
    with running(create_app(large)) as url:
        with asked(url, f"/v1/metrics/{QUESTION}&where=code%20like%20'%25-'"):
            until(lambda: any("LIKE" in one for one in begun))
        until(lambda: len(ended) == 1)
        assert httpx.get(f"{url}/v1/metrics/{QUESTION}&where=code = 'x'", timeout=120).status_code == 200
    assert len(ended) == 1


@contextmanager
def asked(url: str, target: str) -> Iterator[socket.socket]:
    """A connection on which something is asked, and closed at the end without an answer."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        yield connection


def get_rows(url: str) -> int:
    """What is still answered afterwards."""
    return len(httpx.get(f"{url}/v1/exports/{QUESTION}&limit=5", timeout=120).text.splitlines()) - 1


@pytest.mark.slow
def test_a_reader_who_does_not_read_ends_the_statement(large: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(large, monkeypatch)
    app = create_app(large, export=ExportLimits(at_once=1, patience=0.5))
    with running(app) as url, asked(url, f"/v1/exports/{QUESTION}") as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        until(lambda: len(watched.left) == 1)
        assert watched.stops[0].is_said
        assert get_rows(url) == 5  # Its turn was given back.


def test_exports_wait_for_their_turn_and_beyond_are_refused() -> None:
    limits = ExportLimits(at_once=0, waiting=0)
    response = get("/v1/exports/app_opens.csv?last=1 day", app=create_app(streaming()[0], export=limits))
    assert response.status_code == 429
    assert refusals(response)[0][0] == "TOO_BUSY"
    assert response.headers["retry-after"] == "5"


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_statement_that_fails_at_once_is_answered_with_its_error(tmp_path: Path) -> None:
    (tmp_path / "project.yml").touch()
    app = create_app(project_of(LARGE, tmp_path))
    response = get(f"/v1/exports/{QUESTION}", app=app)
    assert response.status_code == 502
    assert refusals(response)[0][0] == "WAREHOUSE_ERROR"


@pytest.mark.slow
def test_a_statement_that_fails_on_the_way_is_no_whole_answer(large: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = large.warehouse()
    stream = warehouse.stream

    @contextmanager
    def interrupted(sql: str, *, tag: str = "", stop: Stop | None = None) -> Iterator[Stream]:
        def some(pieces: Iterator[pa.Table]) -> Iterator[pa.Table]:
            yield next(pieces)
            raise WarehouseError("the connection was lost")

        with stream(sql, tag=tag, stop=stop) as found:
            yield Stream(some(iter(found)))

    monkeypatch.setattr(warehouse, "stream", interrupted)
    with running(create_app(large)) as url:
        read = io.BytesIO()
        with (
            pytest.raises(httpx.RemoteProtocolError),
            httpx.stream("GET", f"{url}/v1/exports/{QUESTION}", timeout=120) as response,
        ):
            assert response.status_code == 200
            for piece in response.iter_raw():
                read.write(piece)
    assert read.getvalue().count(b"\n") > 10_000


def test_stopping_between_two_pieces(large: Project) -> None:
    of = exporting(large, ask("opens", start="2026-01-05", end="2026-01-05", by="code", measures="value"))
    stop = Stop()
    with pytest.raises(Stopped), export(large, of, stop=stop) as pieces:
        next(pieces)
        stop.now()
        for _ in pieces:
            pass
