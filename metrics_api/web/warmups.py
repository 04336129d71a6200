"""Warmups over HTTP: what there are, a run begun by whoever asks, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from metrics_api.errors import Code, QueryError
from metrics_api.query.warmups import warmup_named
from metrics_api.serving.service import Service
from metrics_api.serving.stores import Shared
from metrics_api.serving.warmups.schedule import Schedule, is_served, moments, zone_of
from metrics_api.serving.warmups.workers import runner_of
from metrics_api.web.rest.endpoint import Endpoint, Operation, path_parameter
from metrics_api.web.rest.refusals import Refused, Wrong
from metrics_api.web.rest.schemas import MOMENT, TEXT, listed, maybe, shape

PATH = "/v1/warmups"
_COUNT = {"type": "integer", "minimum": 0}
_MAYBE_MOMENT = {"type": ["string", "null"], "format": "date-time"}
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "Warmup": shape(
        {
            "name": TEXT,
            "label": maybe("string"),
            "description": maybe("string"),
            "owner": maybe("string"),
            "schedule": maybe("string"),
            "timezone": TEXT,
            "next": _MAYBE_MOMENT,
            "on_new_data": {"type": "boolean"},
        }
    ),
    "WarmupRun": shape(
        {
            "id": TEXT,
            "warmup": TEXT,
            "state": {"enum": ["waiting", "running", "done", "skipped", "failed", "interrupted"]},
            **dict.fromkeys(("questions", "done", "ready", "failed", "statements"), _COUNT),
            **dict.fromkeys(("rows_read", "bytes_read"), maybe("integer")),
            "begun_at": MOMENT,
            "seconds": {"type": "number"},
            "warm_until": _MAYBE_MOMENT,
            "problems": listed(shape({"question": TEXT, "code": TEXT, "message": TEXT})),
        }
    ),
}


class Warmups:
    """The warmups of one edition: their endpoints, and their schedule from `begin` to `end`."""

    def __init__(self, service: Service, shared: Shared | None) -> None:
        self._service = service
        self._runner = runner_of(service, shared)
        self._schedule: Schedule | None = None

    async def begin(self) -> None:
        if self._service.project.model.warmups:
            self._schedule = Schedule(self._runner)
            self._schedule.start()

    async def end(self) -> None:
        if self._schedule is not None:
            await self._schedule.close()
        await self._runner.close()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        names = list(self._service.project.model.warmups)
        every = Operation(
            "warmups",
            "The warmups",
            "What is asked before people ask it, and when next.",
            {200: {"application/json": shape({"warmups": listed({"$ref": "#/components/schemas/Warmup"})})}},
            (),
            tag="warmups",
        )
        begin = Operation(
            "warm",
            "Begin a warmup",
            "It goes on by itself; `url` tells how far it is.",
            {202: {"application/json": shape({"id": TEXT, "warmup": TEXT, "state": TEXT, "url": TEXT})}},
            (400, 404, 413),
            headers={"location": "Where to ask how far it is."},
            body=shape({"warmup": {"type": "string", **({"enum": names} if names else {})}}),
            tag="warmups",
        )
        one = Operation(
            "warmup_run",
            "How far a run is",
            "For a day, from any of the servers that share a Redis.",
            {200: {"application/json": {"$ref": "#/components/schemas/WarmupRun"}}},
            (404,),
            (path_parameter("id", (), "The id that was told when it began."),),
            tag="warmups",
        )
        return (
            Endpoint(PATH, self._answer, {"get": every, "post": begin}, _SCHEMAS),
            Endpoint(f"{PATH}/{{id}}", self._told, {"get": one}),
        )

    async def _answer(self, request: Request) -> Response:
        return await self._begun(request) if request.method == "POST" else self._listed()

    def _listed(self) -> Response:
        """The warmups with the next moments of their schedules."""
        model, now = self._service.project.model, datetime.now(UTC)
        told = []
        for name, one in model.warmups.items():
            zone = zone_of(one, model)
            runs = one.schedule if is_served(one, self._service) else None
            told.append(
                {
                    **{key: getattr(one, key) for key in ("label", "description", "owner", "on_new_data")},
                    "name": name,
                    "schedule": one.schedule.cron if one.schedule else None,
                    "timezone": zone,
                    "next": next(moments(runs.cron, zone, now)) if runs else None,
                }
            )
        return _json({"warmups": told})

    async def _begun(self, request: Request) -> Response:
        """Begin a run: 202 with its id, and where to ask how far it is."""
        name = _name(await request.body())
        model = self._service.project.model
        try:
            warmup = warmup_named(model, name)
        except QueryError as error:
            raise Refused([Wrong(one) for one in error.problems], 404) from None
        if not is_served(warmup, self._service):
            told = f"warmup `{name}` is for `{warmup.warehouse or warmup.target}`, which is not what is served here"
            raise Refused.of(told, "Ask the server of that, or run `metrics-api warm`.")
        run = self._runner.begin(name)
        place = f"{PATH}/{run.id}"
        return _json({"id": run.id, "warmup": name, "state": run.state, "url": place}, 202, {"location": place})

    async def _told(self, request: Request) -> Response:
        """How far a run is."""
        found = await self._runner.told(request.path_params["id"])
        if found is None:
            told = "there is no such run, or it was more than a day ago"
            raise Refused.of(told, code=Code.UNKNOWN_NAME, status=404)
        shown = {name: value for name, value in found.items() if name != "begun"}
        until = found["warm_until"]
        instants = {"begun_at": _instant(found["begun"]), "warm_until": None if until is None else _instant(until)}
        return _json(shown | instants)


def _name(body: bytes) -> str:
    """The warmup that a request names. Raises Refused."""
    try:
        given = orjson.loads(body)
    except ValueError:
        given = None
    match given:
        case {"warmup": str(name), **rest} if not rest:
            return name[:100]
    raise Refused.of("the body names no warmup", 'Send JSON: `{"warmup": "morning"}`.')


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _json(told: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = orjson.dumps(told, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    return Response(body, status, {**(headers or {}), "cache-control": "no-store"}, "application/json")
