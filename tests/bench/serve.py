"""`make bench-serve`: what the server adds to an answer that is there, against starlette and orjson alone.

Every server is one process with one worker, asked by wrk over kept connections, one after the other in the same run:
the bare one sends the very same bytes, written by orjson from ready dicts for each request. `kept` is a request that
was answered a moment ago; `executed` goes through GraphQL each time, over an answer that is in memory.

    BENCH_SECONDS=4 BENCH_CONNECTIONS=16 python tests/bench/serve.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "16"))
SIZES = (12, 720, 1_000, 10_000)
WHERE = "127.0.0.1"


def query(rows: int) -> str:
    """So many rows of five columns: of a breakdown that has far more."""
    asked = f"time: {{last: {{n: 60, unit: DAY}}}}, by: [TITLE, COUNTRY], limit: {rows}"
    return f"{{ metrics {{ videosWatched({asked}) {{ rows {{ period title country value users }} }} }} }}"


def serve(kind: str, folder: str, port: int) -> None:
    """One of the servers, until it is ended. For `bare` the folder is the file of the answer."""
    import uvicorn

    if kind == "bare":
        app = bare(Path(folder))
    else:
        from metrics_api.serving.project import load_project
        from metrics_api.serving.service import ServiceSettings
        from metrics_api.web.app import create_app

        settings = ServiceSettings(ttl=3_600) if kind == "kept" else ServiceSettings(ttl=3_600, response_bytes=0)
        app = create_app(load_project(folder), settings=settings)
    uvicorn.run(app, host=WHERE, port=port, log_level="warning")


def bare(file: Path) -> object:
    import orjson
    from starlette.applications import Starlette
    from starlette.requests import Request as Asked
    from starlette.responses import Response
    from starlette.routing import Route

    ready = orjson.loads(file.read_bytes())

    async def answer(request: Asked) -> Response:
        orjson.loads(await request.body())
        return Response(orjson.dumps(ready), media_type="application/json")

    return Starlette(routes=[Route("/graphql", answer, methods=["POST"])])


@contextmanager
def server(kind: str, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind((WHERE, 0))
        port = free.getsockname()[1]
    command = [sys.executable, __file__, "serve", kind, str(folder), str(port)]
    with subprocess.Popen(command) as running:
        try:
            for _ in range(600):
                try:
                    socket.create_connection((WHERE, port), 1).close()
                    break
                except OSError:
                    assert running.poll() is None, f"the server `{kind}` has ended"
                    time.sleep(0.1)
            yield f"http://{WHERE}:{port}/graphql"
        finally:
            running.terminate()
            running.wait(20)


def body(rows: int) -> bytes:
    return json.dumps({"query": query(rows)}).encode()


def answer(url: str, rows: int) -> bytes:
    asked = Request(url, body(rows), {"content-type": "application/json"})
    with urlopen(asked, timeout=120) as response:
        found: bytes = response.read()
    told = json.loads(found)
    assert "errors" not in told, told
    assert len(told["data"]["metrics"]["videosWatched"]["rows"]) == rows
    return found


def measured(url: str, rows: int, folder: Path) -> tuple[float, float, float]:
    """Requests a second, and the milliseconds within which half and 99 of 100 are answered."""
    script = folder / f"{rows}.lua"
    script.write_text(
        f"wrk.method = 'POST'\nwrk.body = [==[{body(rows).decode()}]==]\n"
        "wrk.headers['content-type'] = 'application/json'\n",
        "utf-8",
    )
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told and "Socket errors" not in told, told
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    times = [re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)", told) for percent in (50, 99)]
    assert rate and all(times), told
    unit = {"us": 0.001, "ms": 1.0, "s": 1_000.0}
    half, most = (float(one[1]) * unit[one[2]] for one in times if one)
    return float(rate[1]), half, most


def main() -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    from metrics_api.datasets import copy_definitions
    from metrics_api.datasets.streaming import build_streaming

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        copy_definitions("streaming", folder / "demo")
        build_streaming(folder / "demo" / "streaming.duckdb", users=2_000, days=70, seed=5)
        files = {rows: folder / f"{rows}.json" for rows in SIZES}
        found: dict[tuple[str, int], tuple[float, float, float]] = {}
        for kind in ("kept", "executed"):
            with server(kind, folder / "demo") as url:
                for rows, file in files.items():
                    file.write_bytes(answer(url, rows))
                    measured(url, rows, folder)  # Warm.
                    found[kind, rows] = measured(url, rows, folder)
        for rows, file in files.items():
            with server("bare", file) as url:
                measured(url, rows, folder)
                found["bare", rows] = measured(url, rows, folder)
        print(f"One worker, {CONNECTIONS} connections, {SECONDS} s each; p50 and p99 in ms.\n")
        words = ("rows", "kB", *(f"{kind} /s | p50 | p99" for kind in ("bare", "kept", "executed")))
        print(f"| {' | '.join(words)} | kept : bare | bare : executed |")
        print("|" + "---:|" * 13)
        for rows, file in files.items():
            each = [found[kind, rows] for kind in ("bare", "kept", "executed")]
            cells = " | ".join(f"{rate:,.0f} | {half:.1f} | {most:.1f}" for rate, half, most in each)
            ratios = f"{each[1][0] / each[0][0]:.2f} | {each[0][0] / each[2][0]:.2f}"
            print(f"| {rows:,} | {file.stat().st_size / 1000:,.0f} | {cells} | {ratios} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
