"""`/v1/exports/{name}`: every row of an answer, streamed as the warehouse tells it, in constant memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from metrics_api.engines.warehouse import Stop
from metrics_api.errors import MetricsError
from metrics_api.serving.exports import Exporting, export, exporting
from metrics_api.serving.project import Project
from metrics_api.serving.turns import Turns
from metrics_api.web.connected import cancelled, left
from metrics_api.web.requests import request_id_of
from metrics_api.web.rest.asked import Rest, caller_of, metric_named, question, unknown_ending
from metrics_api.web.rest.endpoint import Endpoint, Operation, path_parameter, query_parameters
from metrics_api.web.rest.formats import Format, about, as_utc, check_finite, csv_header, csv_rows, moment, with_info
from metrics_api.web.rest.metrics import HEADERS, saved_as
from metrics_api.web.rest.refusals import refused, response_of

T = TypeVar("T")
_log = logging.getLogger("metrics_api.web")

FORMATS = (Format.CSV, Format.ARROW)
"""What can be written piece by piece and read so as well."""


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """How many answers are streamed at once, and how long a reader may take."""

    at_once: int = 4
    waiting: int = 20
    """Exports that may wait for their turn; further ones are refused."""
    patience: float = 60.0
    """Seconds within which a reader takes a piece; after that the statement is ended."""


def endpoints(rest: Rest, limits: ExportLimits) -> list[Endpoint]:
    """Both endings; and an address without one, which is refused."""
    turns = Turns(limits.at_once, limits.waiting)
    path = "/v1/exports/{name}"
    found = [
        Endpoint(f"{path}.{one}", partial(_export, rest, limits, turns, one), {"get": _operation(rest, one)})
        for one in FORMATS
    ]
    return [*found, Endpoint(path, _no_format, {})]


async def _no_format(request: Request) -> Response:
    raise unknown_ending(request.path_params["name"], FORMATS)


async def _export(rest: Rest, limits: ExportLimits, turns: Turns, format_: Format, request: Request) -> Response:
    metric = metric_named(rest, request.path_params["name"])
    query, _ = question(request, rest, metric, rest.export_words)
    of = await rest.service.in_thread(partial(exporting, rest.project, query))
    headers = _headers(of, format_)
    if request.method == "HEAD":
        return Response(headers=headers)
    writing = _Writing(rest.project, of, format_, request_id_of(request.scope))
    return Streamed(writing, headers, limits, turns.turn(caller_of(request).name))


def _headers(of: Exporting, format_: Format) -> dict[str, str]:
    info = of.info
    return {
        "content-type": format_.content_type,
        "content-disposition": saved_as(info.metric, of.part, format_),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "metrics-as-of": moment(info.as_of),
        "metrics-data-through": moment(info.data_through),
        "metrics-from": info.first.isoformat(),
        "metrics-to": info.last.isoformat(),
        "metrics-timezone": info.timezone,
        "metrics-complete": str(of.complete).lower(),
    }


class _Writing:
    """The bytes of an export, a piece at a time. All of it happens in one thread, as some drivers want it."""

    def __init__(self, project: Project, of: Exporting, format_: Format, request_id: str) -> None:
        self.stop = Stop()
        self._project, self._of, self._format, self._request_id = project, of, format_, request_id
        self._thread = ThreadPoolExecutor(1, "metrics-api-export")
        self._held = ExitStack()
        self._pieces: Iterator[bytes] = iter(())

    @property
    def name(self) -> str:
        return f"{self._of.info.metric}.{self._format}"

    async def piece(self) -> bytes | None:
        """The next one; None after the last. Raises MetricsError."""
        return await self._in_thread(lambda: next(self._pieces, None))

    async def begin(self) -> bytes | None:
        """Send the statement; what comes first. Raises MetricsError."""

        def begun() -> bytes | None:
            rows = self._held.enter_context(export(self._project, self._of, tag=self._request_id, stop=self.stop))
            self._pieces = self._encoded(rows)
            return next(self._pieces, None)

        return await self._in_thread(begun)

    async def end(self) -> None:
        """End the statement if it still runs, and leave nothing open."""
        self.stop.now()
        try:
            await self._in_thread(self._held.close)
        except MetricsError:
            pass  # It was ended; that is what is told here.
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _encoded(self, pieces: Iterator[pa.Table]) -> Iterator[bytes]:
        if self._format is Format.CSV:
            yield csv_header(self._of.columns)
            for rows in pieces:
                check_finite(rows)
                if rows.num_rows:
                    yield csv_rows(rows)
            return
        sink = _Taken()
        info = {"part": self._of.part, **about(self._of.info), "complete": self._of.complete}
        for unknown in ("row_count", "truncated"):
            del info[unknown]
        stream: Any = None
        for rows in pieces:
            check_finite(rows)
            if stream is None:
                schema = with_info(rows.schema, info)
                stream = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema)
            stream.write_table(as_utc(rows))
            yield sink.taken()
        stream.close()
        yield sink.taken()


class _Taken:
    """A file whose bytes are taken out of it."""

    closed = False

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        return

    def taken(self) -> bytes:
        found, self._written = b"".join(self._written), []
        return found


class Streamed(Response):
    """Sends pieces as fast as the reader takes them, one ahead. A reader who is gone, or too slow, ends the statement.

    Until the first piece is there a failure is answered as any other; later the connection is closed without an end, so
    that a reader knows that rows are missing.
    """

    def __init__(
        self,
        writing: _Writing,
        headers: Mapping[str, str],
        limits: ExportLimits,
        turn: AbstractAsyncContextManager[object],
    ) -> None:
        super().__init__(headers=dict(headers))
        del self.headers["content-length"]
        self._writing, self._limits, self._turn = writing, limits, turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._sent(scope, receive, send))
        leaving = asyncio.ensure_future(left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(leaving)
            if not sending.done():
                self._writing.stop.now()
                await cancelled(sending)
            await asyncio.shield(self._writing.end())
        if sending.done() and not sending.cancelled():
            sending.result()

    async def _sent(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope)
        try:
            async with self._turn:
                first = await self._writing.begin()
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                await self._pieces_sent(first, send, request_id)
        except MetricsError as error:
            await response_of(refused(error), request_id)(scope, receive, send)

    async def _pieces_sent(self, first: bytes | None, send: Send, request_id: str) -> None:
        piece = first
        while piece is not None:
            coming = asyncio.ensure_future(self._writing.piece())
            try:
                async with asyncio.timeout(self._limits.patience):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                _log.warning("request %s: nobody reads %s; it is ended", request_id, self._writing.name)
                self._writing.stop.now()
                await cancelled(coming)
                return
            try:
                piece = await coming
            except MetricsError as error:
                _log.warning("request %s: %s ends early: %s", request_id, self._writing.name, error)
                return
        await send({"type": "http.response.body", "body": b""})


_UNTOLD = ("metrics-rows", "metrics-truncated", "metrics-cache", "age", "etag")
"""Of a stream's headers: not known when it begins."""


def _operation(rest: Rest, format_: Format) -> Operation:
    content = {"type": "string"} if format_ is Format.CSV else {"type": "string", "format": "binary"}
    return Operation(
        id=f"export_{format_}",
        summary=f"All rows of a metric's answer, streamed as {'CSV' if format_ is Format.CSV else 'Arrow IPC'}",
        description=(
            "For answers beyond the row cap of `/v1/metrics`: nothing is cut or kept, and rows come in the order of "
            "the answer as the warehouse tells them. Where it fails on the way, the connection is closed without an "
            "end."
        ),
        responses={200: {format_.media_type: content}},
        refusals=(400, 404, 414, 429, 500, 501, 502, 503),
        parameters=(
            path_parameter("name", list(rest.named), "The metric or cohort, as in the definitions."),
            *query_parameters(rest.export_words),
        ),
        headers={name: words for name, words in HEADERS.items() if name not in _UNTOLD},
        tag="exports",
    )
