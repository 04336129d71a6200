"""BigQuery for the tests: its REST protocol, over ZetaSQL, with faults on request; see on_bigquery.py.

    python bigquery_server.py <file for the port> <file of the translated module>

It ends with its standard input. Whoever asks says `Bearer <token>`, or nothing where no token is asked for. `/token`
gives one for whatever a service account has signed. What is below `/tests/` is for the tests alone: tables, faults, and
what came over the wire.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from zetasql_engine import Answer, Refused, Table, ZetaSQL

BYTES_OF_A_CELL = 8
STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}


class Failure(Exception):
    """An error as the protocol has it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    @property
    def one(self) -> dict[str, str]:
        return {"message": self.message, "domain": "global", "reason": self.reason}

    @property
    def body(self) -> dict[str, Any]:
        status = STATUS.get(self.code, "UNAVAILABLE")
        return {"error": {"code": self.code, "message": self.message, "errors": [self.one], "status": status}}


@dataclass
class Job:
    """A statement that was asked for; `answer` and `failure` are known once it is done."""

    reference: dict[str, str]
    configuration: dict[str, Any]
    size: int
    answer: Answer | None = None
    failure: Failure | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def sql(self) -> str:
        return str(self.configuration["query"]["query"])

    @property
    def resource(self) -> dict[str, Any]:
        status: dict[str, Any] = {"state": "DONE" if self.done.is_set() else "RUNNING"}
        if self.done.is_set() and self.failure is not None:
            status |= {"errorResult": self.failure.one, "errors": [self.failure.one]}
        query: dict[str, Any] = {"statementType": "SELECT", "totalBytesProcessed": str(self.size), "cacheHit": False}
        statistics = {"creationTime": "1700000000000", "query": query, "totalBytesProcessed": str(self.size)}
        if self.done.is_set():
            query |= {"totalBytesBilled": str(max(self.size, 10 << 20)), "totalSlotMs": "7"}
            statistics["totalSlotMs"] = "7"
        if self.configuration.get("dryRun"):
            query["schema"] = schema(self.answer.columns if self.answer else [])
        destination = {"projectId": self.reference["projectId"], "datasetId": "_results"}
        configuration = {**self.configuration, "jobType": "QUERY"}
        configuration["query"] = {
            **self.configuration["query"],
            "destinationTable": {**destination, "tableId": self.reference["jobId"]},
        }
        return {
            "kind": "bigquery#job",
            "id": f"{self.reference['projectId']}:{self.reference['location']}.{self.reference['jobId']}",
            "jobReference": self.reference,
            "configuration": configuration,
            "status": status,
            "statistics": statistics,
        }


def schema(columns: list[tuple[str, str]]) -> dict[str, Any]:
    legacy = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
    return {"fields": [{"name": name, "type": legacy.get(type_, type_), "mode": "NULLABLE"} for name, type_ in columns]}


class Service:
    """What there is: tables, jobs, who may ask, and what is to go wrong next."""

    def __init__(self, engine: ZetaSQL) -> None:
        self.engine = engine
        self.project, self.dataset = "project", "dataset"
        self.tables: dict[str, Table] = {}
        self.changes: Counter[str] = Counter()
        self.jobs: dict[str, Job] = {}
        self.tokens: list[str] = []
        self.faults: list[dict[str, Any]] = []
        self.heard: list[dict[str, Any]] = []
        self.changing = threading.Lock()

    def put(self, body: dict[str, Any]) -> None:
        tables = {name: Table([tuple(one) for one in of["columns"]], of["rows"]) for name, of in body["tables"].items()}
        with self.changing:
            self.project, self.dataset = body["project"], body["dataset"]
            self.tables.update(tables)
            self.changes.update(tables.keys())
            self.engine.put(self.tables)

    def fault(self, on: str) -> dict[str, Any] | None:
        """The next thing that is to go wrong with a call of this kind."""
        with self.changing:
            found = next((one for one in self.faults if one["on"] == on), None)
            if found is not None:
                self.faults.remove(found)
        return found

    def spelled(self, sql: str) -> str:
        """A statement with the tables' names alone, as the engine has them."""
        project, dataset = (f"(?:`{re.escape(one)}`|{re.escape(one)})" for one in (self.project, self.dataset))
        return re.sub(rf"(?<![\w`.])(?:{project}\.)?{dataset}\.(?=[\w`])", "", sql)

    def size(self, sql: str) -> int:
        """Bytes of the tables that a statement names."""
        named = (table for name, table in self.tables.items() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sql))
        return sum(len(table.rows) * len(table.columns) * BYTES_OF_A_CELL for table in named)

    def insert(self, project: str, body: dict[str, Any]) -> dict[str, Any]:
        reference = {**body["jobReference"], "projectId": project}
        reference.setdefault("location", "US")
        configuration = body["configuration"]
        sql = self.spelled(configuration["query"]["query"])
        job = Job(reference, configuration, self.size(sql))
        with self.changing:
            if reference["jobId"] in self.jobs:
                raise Failure(409, "duplicate", f"Already Exists: Job {project}:US.{reference['jobId']}")
        if configuration.get("dryRun"):
            job.answer = Answer(said(lambda: self.engine.check(sql)), [])
            job.done.set()
            return job.resource
        said(lambda: self.engine.check(sql))
        with self.changing:
            self.jobs[reference["jobId"]] = job
        fault = self.fault("job")
        if fault is not None and fault.get("hangs"):
            self.hang(job)
        elif fault is not None:
            finish(job, Failure(fault.get("code", 400), fault["reason"], fault["message"]))
        else:
            self.execute(job, sql)
        return job.resource

    def execute(self, job: Job, sql: str) -> None:
        limit = job.configuration["query"].get("maximumBytesBilled")
        if limit is not None and int(limit) < job.size:
            words = f"Query exceeded limit for bytes billed: {limit}. {job.size} or higher required."
            finish(job, Failure(400, "bytesBilledLimitExceeded", words))
            return
        try:
            job.answer = said(lambda: self.engine.run(sql))
        except Failure as failure:
            job.failure = failure
        job.done.set()

    def hang(self, job: Job) -> None:
        """Nothing comes of it until it is cancelled, or its own time is up."""
        limit = job.configuration.get("jobTimeoutMs")
        if limit is not None:
            late = Failure(400, "stopped", "Job execution was cancelled: Job timed out after 0.0s")
            timer = threading.Timer(int(limit) / 1000, finish, [job, late])
            timer.daemon = True
            timer.start()

    def job(self, name: str) -> Job:
        if name not in self.jobs:
            raise Failure(404, "notFound", f"Not found: Job {self.project}:US.{name}")
        return self.jobs[name]

    def results(self, name: str, query: dict[str, str]) -> dict[str, Any]:
        job = self.job(name)
        job.done.wait(min(int(query.get("timeoutMs", "10000")), 10_000) / 1000)
        found = {"kind": "bigquery#getQueryResultsResponse", "jobReference": job.reference}
        if not job.done.is_set():
            return {**found, "jobComplete": False}
        if job.failure is not None:
            raise job.failure
        assert job.answer is not None
        rows = job.answer.rows
        first = int(query.get("pageToken", query.get("startIndex", "0")))
        last = min(first + int(query.get("maxResults", "100000")), len(rows))
        page: dict[str, Any] = {
            "jobComplete": True,
            "schema": schema(job.answer.columns),
            "totalRows": str(len(rows)),
            "totalBytesProcessed": str(job.size),
            "cacheHit": False,
        }
        if last > first:
            page["rows"] = [{"f": [{"v": cell} for cell in row]} for row in rows[first:last]]
        if last < len(rows):
            page["pageToken"] = str(last)
        return {**found, **page}

    def table(self, project: str, dataset: str, name: str) -> dict[str, Any]:
        if (project, dataset) != (self.project, self.dataset) or name not in self.tables:
            raise Failure(404, "notFound", f"Not found: Table {project}:{dataset}.{name}")
        table, reference = self.tables[name], {"projectId": project, "datasetId": dataset, "tableId": name}
        # A table that is said to be so is in partitions by the day its rows arrived.
        partitioned = {"timePartitioning": {"type": "DAY"}} if name.endswith("_by_arrival") else {}
        return {
            "kind": "bigquery#table",
            "type": "VIEW" if name.endswith("_view") else "TABLE",
            "creationTime": "1700000000000",
            "lastModifiedTime": str(1_700_000_000_000 + self.changes[name]),
            "numRows": str(len(table.rows)),
            # What streams in is in none of these numbers until it is written.
            **({"streamingBuffer": {"estimatedRows": "3"}} if name.endswith("_streaming") else {}),
            "tableReference": reference,
            "schema": schema(list(table.columns)),
            **partitioned,
        }


def finish(job: Job, failure: Failure) -> None:
    if not job.done.is_set():
        job.failure = failure
        job.done.set()


def said(ask: Callable[[], Any]) -> Any:
    """What the engine answers; a refusal is one of BigQuery's."""
    try:
        return ask()
    except Refused as refusal:
        words = str(refusal)
        missing = re.match(r"Table not found: (\S+?);?(?= |$)", words)
        if missing:
            raise Failure(404, "notFound", f"Not found: Table {missing[1]} was not found in location US") from None
        raise Failure(400, "invalidQuery", words) from None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # An answer goes out as a whole, and at once.
    disable_nagle_algorithm = True
    service: Service

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        self.answer_with({})

    def do_POST(self) -> None:
        written = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"
        if self.path == "/token":
            self.answer_with({name: values[-1] for name, values in parse_qs(written.decode()).items()})
        else:
            self.answer_with(json.loads(written))

    def answer_with(self, body: dict[str, Any]) -> None:
        url = urlsplit(self.path)
        path = [unquote(one) for one in url.path.strip("/").split("/")]
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        try:
            found, code = self.found(path, query, body), 200
        except Failure as failure:
            found, code = failure.body, failure.code
        if found is None:  # The connection is to break.
            self.close_connection = True
            return
        written = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def found(self, path: list[str], query: dict[str, str], body: Any) -> Any:
        match path[0]:
            case "tests":
                return self.control(path[1:], body)
            case "token":
                self.service.heard.append({"on": "token", "body": body})
                return {
                    "access_token": f"token-of-{len(body['assertion'])}",
                    "expires_in": 3600,
                    "token_type": "Bearer",
                }
        return self.api(path, query, body)

    def control(self, path: list[str], body: Any) -> Any:
        service = self.service
        match path:
            case ["tables"]:
                service.put(body)
            case ["faults"]:
                service.faults[:] = body["faults"]
            case ["tokens"]:
                service.tokens[:] = body["tokens"]
            case ["heard"]:
                return service.heard
            case ["rows", name]:
                answer = service.job(name).answer
                assert answer is not None
                return {"columns": answer.columns, "rows": answer.rows}
            case ["forget"]:
                service.heard.clear()
        return {}

    def api(self, path: list[str], query: dict[str, str], body: dict[str, Any]) -> dict[str, Any] | None:
        service = self.service
        match path[2:]:
            case ["projects", project, "jobs"]:
                on, ask = "insert", lambda: service.insert(project, body)
            case ["projects", _, "jobs", name, "cancel"]:
                on, ask = "cancel", lambda: self.cancel(name)
            case ["projects", _, "jobs", name]:
                on, ask = "get", lambda: service.job(name).resource
            case ["projects", _, "queries", name]:
                on, ask = "results", lambda: service.results(name, query)
            case ["projects", project, "datasets", dataset, "tables", name]:
                on, ask = "table", lambda: service.table(project, dataset, name)
            case _:
                raise Failure(404, "notFound", f"there is no {'/'.join(path)}")
        service.heard.append({"on": on, "authorization": self.headers.get("Authorization"), "body": body, **query})
        fault = service.fault(on)
        if fault is not None:
            if fault.get("after"):  # It is done, and its answer is lost.
                ask()
            if fault.get("drops"):
                return None
            raise Failure(fault["code"], fault["reason"], fault["message"])
        if service.tokens and self.headers.get("Authorization") not in [f"Bearer {one}" for one in service.tokens]:
            words = "Request had invalid authentication credentials. Expected OAuth 2 access token."
            raise Failure(401, "authError", words)
        return ask()

    def cancel(self, name: str) -> dict[str, Any]:
        job = self.service.job(name)
        finish(job, Failure(400, "stopped", "Job execution was cancelled: User requested cancellation"))
        return {"kind": "bigquery#jobCancelResponse", "job": job.resource}


def main(port: Path, kept: Path) -> None:
    Handler.service = Service(ZetaSQL(kept))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    written = port.with_suffix(".new")
    written.write_text(str(server.server_address[1]), encoding="utf-8")
    written.replace(port)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
