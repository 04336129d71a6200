"""Started by tests/on_snowflake.py with the Python of fakesnow's own environment: its server, closer to Snowflake.

What the fake leaves out and the product depends on is put in here: whoever logs in is checked (password, key pair,
tokens), a statement ends at its timeout or when it is aborted, a null timestamp stays null, a sum of decimals is one.
`/tests/...` lets the tests see what came over the wire and break things.

python fakesnow_server.py PORT_FILE USERS_JSON
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.cursor
import fakesnow.server as fake
import fakesnow.transforms
import jwt
import pyarrow as pa
import pyarrow.compute as pc
import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from snowflake.connector.errors import ProgrammingError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

USERS: dict[str, dict[str, str]] = {}
"""By upper-case name: `password`, `public_key`, `oauth` and `pat`, whichever the user has."""
SEEN: list[dict[str, Any]] = []
"""Every login: the user, the place and the session's parameters, without secrets."""
STATEMENTS: list[str] = []
BROKEN: list[dict[str, Any]] = []
"""What the next statements get instead of an answer: `status` of HTTP, or `code` and `message` of Snowflake."""
ENDS_LATE = {"statements": True}
"""Whether statements end at their timeout; where not, it is the driver's to abort them."""


# -- nulls ------------------------------------------------------------------------------------------------------------


def _with_nulls(timestamps: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(timestamps, pa.ChunkedArray):
        timestamps = timestamps.combine_chunks()
    whole = _struct_of(pc.fill_null(timestamps, pa.scalar(0, timestamps.type)))
    return pa.StructArray.from_arrays(
        [whole.field(k) for k in range(whole.type.num_fields)],
        fields=[whole.type.field(k) for k in range(whole.type.num_fields)],
        mask=timestamps.is_null(),
    )


_struct_of = fakesnow.arrow.timestamp_to_sf_struct
fakesnow.arrow.timestamp_to_sf_struct = _with_nulls


# -- sums -------------------------------------------------------------------------------------------------------------

# The fake makes doubles of whatever is added up, for the sake of texts: there decimals are not exact any more.
fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression

# -- logging in -------------------------------------------------------------------------------------------------------


async def body_of(request: Request) -> dict[str, Any]:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body)


def refused(code: str, message: str) -> JSONResponse:
    return JSONResponse({"data": {}, "code": code, "message": message, "success": False})


def wrong_with(data: dict[str, Any]) -> JSONResponse | None:
    """Snowflake's own answer to credentials that do not hold, or None."""
    user = USERS.get(str(data.get("LOGIN_NAME", "")).upper(), {})
    match data.get("AUTHENTICATOR"):
        case "SNOWFLAKE_JWT":
            if not _is_signed(data, user.get("public_key")):
                return refused("390144", "JWT token is invalid. [00000000-0000-0000-0000-000000000000]")
        case "OAUTH":
            if data.get("TOKEN") not in {one.get("oauth") for one in USERS.values()} - {None}:
                return refused("390303", "Invalid OAuth access token. [00000000-0000-0000-0000-000000000000]")
        case "PROGRAMMATIC_ACCESS_TOKEN":
            if data.get("TOKEN") != user.get("pat"):
                return refused("394400", "Programmatic access token is invalid.")
        case _:
            if "password" not in user or data.get("PASSWORD") != user["password"]:
                return refused("390100", "Incorrect username or password was specified.")
    return None


def _is_signed(data: dict[str, Any], pem: str | None) -> bool:
    if pem is None:
        return False
    key = load_pem_public_key(pem.encode())
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    print_ = base64.b64encode(hashlib.sha256(der).digest()).decode()
    try:
        claims = jwt.decode(data["TOKEN"], key, algorithms=["RS256"])
    except jwt.InvalidTokenError:
        return False
    qualified = f"{data['ACCOUNT_NAME'].upper()}.{data['LOGIN_NAME'].upper()}"
    return claims["sub"] == qualified and claims["iss"] == f"{qualified}.SHA256:{print_}"


async def login(request: Request) -> Response:
    data = (await body_of(request))["data"]
    if problem := wrong_with(data):
        return problem
    kept = {key: data.get(key) for key in ("LOGIN_NAME", "ACCOUNT_NAME", "AUTHENTICATOR", "SESSION_PARAMETERS")}
    environment = data["CLIENT_ENVIRONMENT"]
    SEEN.append({**kept, "APPLICATION": environment["APPLICATION"], **request.query_params})
    answer = json.loads((await fake.login_request(request)).body)
    token = answer["data"]["token"]
    answer["data"] |= {"masterToken": f"master of {token}", "validityInSeconds": 3600, "sessionId": len(SEEN)}
    limit = data["SESSION_PARAMETERS"].get("STATEMENT_TIMEOUT_IN_SECONDS")
    fake.sessions[token].limit = float(limit) if limit else None
    fake.sessions[token].turn = asyncio.Lock()  # The fake has one result for each session.
    return JSONResponse(answer)


# -- statements -------------------------------------------------------------------------------------------------------

_execute = fakesnow.cursor.FakeSnowflakeCursor._execute


def _told(self: Any, *args: Any, **words: Any) -> None:
    """What the fake cannot do is an error of Snowflake's kind, not of HTTP's, which the driver would try again."""
    try:
        _execute(self, *args, **words)
    except duckdb.InterruptException:
        raise ProgrammingError(msg="SQL execution canceled", errno=604, sqlstate="57014") from None
    except (duckdb.Error, AssertionError) as error:
        raise ProgrammingError(msg=f"SQL execution error: {error}", errno=603, sqlstate="XX000") from None


fakesnow.cursor.FakeSnowflakeCursor._execute = _told

EXPLAINS = "EXPLAIN USING JSON "
_execute_text = fakesnow.cursor.FakeSnowflakeCursor.execute


def _explained(self: Any, command: str, *args: Any, **words: Any) -> Any:
    """It has no micro-partitions: whether the statement holds is what can be found out."""
    if not command.startswith(EXPLAINS):
        return _execute_text(self, command, *args, **words)
    _execute_text(self, command.removeprefix(EXPLAINS), *args, **words)
    told = {"GlobalStats": {"partitionsTotal": 8, "partitionsAssigned": 2, "bytesAssigned": 4096}}
    return _execute_text(self, f"SELECT '{json.dumps(told)}' AS content")


fakesnow.cursor.FakeSnowflakeCursor.execute = _explained
running: dict[str, Any] = {}
"""The sessions that are at a statement, by the id of its request."""


async def query(request: Request) -> Response:
    try:
        session = fake.to_conn(fake.to_token(request))
    except fake.ServerError:
        return refused("390111", "Session no longer exists. New login required to access the service.")
    STATEMENTS.append((await body_of(request))["sqlText"])
    if BROKEN:
        wanted = BROKEN.pop(0)
        if "status" in wanted:
            return Response(status_code=wanted["status"])
        return refused(wanted["code"], wanted["message"])
    number = request.query_params["requestId"]
    running[number] = session
    late = threading.Event()

    def end() -> None:
        late.set()
        session._duck_conn.interrupt()

    timer = threading.Timer(session.limit or 1e6, end)
    async with session.turn:
        if session.limit and ENDS_LATE["statements"]:
            timer.start()
        try:
            answer = await fake.query_request(request)
        finally:
            timer.cancel()
            del running[number]
    if late.is_set() and not json.loads(answer.body)["success"]:
        what = f"Statement reached its statement or warehouse timeout of {session.limit:g} second(s) and was canceled."
        return refused("000630", what)
    return answer


async def abort(request: Request) -> Response:
    session = running.get((await body_of(request))["requestId"])
    if session is not None:
        session._duck_conn.interrupt()
    return JSONResponse({"success": True})


# -- what the tests ask for -------------------------------------------------------------------------------------------


async def seen(request: Request) -> Response:
    return JSONResponse(
        {"logins": SEEN, "statements": STATEMENTS[-9:], "asked": len(STATEMENTS), "running": len(running)}
    )


async def break_next(request: Request) -> Response:
    BROKEN[:] = await body_of(request)
    return JSONResponse({})


async def end_late(request: Request) -> Response:
    ENDS_LATE["statements"] = await body_of(request)
    return JSONResponse({})


async def forget_sessions(request: Request) -> Response:
    fake.sessions.clear()
    return JSONResponse({})


OWN = {
    "/session/v1/login-request": login,
    "/queries/v1/query-request": query,
    "/queries/v1/abort-request": abort,
    "/tests/seen": seen,
    "/tests/break": break_next,
    "/tests/end-late": end_late,
    "/tests/forget": forget_sessions,
}
routes = [Route(path, endpoint, methods=["GET", "POST"]) for path, endpoint in OWN.items()]
app = Starlette(routes=[*routes, *(route for route in fake.routes if route.path not in OWN)])


class Announcing(uvicorn.Server):
    """Tells its port, which the system chose, once it listens."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        told = Path(sys.argv[1])
        told.with_suffix(".new").write_text(str(port), "utf-8")
        told.with_suffix(".new").replace(told)


def end_with_parent() -> None:
    """Standard input is a pipe that nobody writes to: it ends when whoever started this has ended."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    USERS |= json.loads(Path(sys.argv[2]).read_text("utf-8"))
    threading.Thread(target=end_with_parent, daemon=True).start()
    Announcing(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")).run()
