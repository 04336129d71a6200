"""`/v1/metrics/{name}`: a metric's answer, in the format of the address's ending or of the `Accept` header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from metrics_api.query.bind import MEMBERS
from metrics_api.serving.service import Served
from metrics_api.web.accept import liked
from metrics_api.web.rest.asked import Rest, asking, metric_named, question, unknown_ending
from metrics_api.web.rest.endpoint import Endpoint, Operation, path_parameter, query_parameters
from metrics_api.web.rest.formats import Format, Told, moment, written
from metrics_api.web.rest.kept import Body
from metrics_api.web.rest.refusals import Refused
from metrics_api.web.rest.schemas import ANSWER

_MEANT: Mapping[str, str] = {
    **{one.media_type: one.value for one in Format},
    "text/json": "json",
    "text/*": "csv",
    "application/*": "json",
    "*/*": "json",
}
HEADERS: Mapping[str, str] = {
    "metrics-as-of": "The instant that was taken for now.",
    "metrics-data-through": "How far the data reaches: no later event counts.",
    "metrics-from": "The first local date of the range, as it was widened to whole buckets.",
    "metrics-to": "Its last local date.",
    "metrics-timezone": "Whose days are counted.",
    "metrics-rows": "The number of rows.",
    "metrics-truncated": "`true` where there are more rows than were asked for.",
    "metrics-complete": "`true` where all data of the range is there.",
    "metrics-cache": "Where the answer is from: `hit`, `stale`, `miss`, `joined` or `bypass`.",
    "age": "Seconds since the answer was made.",
    "etag": "Equal for equal bytes.",
}


def endpoints(rest: Rest) -> list[Endpoint]:
    """The four endings, and the address without one."""
    path = "/v1/metrics/{name}"
    ending = [
        Endpoint(f"{path}.{one}", partial(_answer, rest, one), {"get": _operation(rest, (one,), ending=one)})
        for one in Format
    ]
    negotiated = Endpoint(
        path, partial(_negotiated, rest), {"get": _operation(rest, tuple(Format), ending=None)}, {"Answer": ANSWER}
    )
    return [*ending, negotiated]


async def _negotiated(rest: Rest, request: Request) -> Response:
    name = request.path_params["name"]
    if "." in name:
        raise unknown_ending(name, list(Format))
    accepted = request.headers.get("accept", "").strip()
    chosen = liked(accepted, _MEANT) if accepted else "json"
    if chosen is None:
        offered = ", ".join(one.media_type for one in Format)
        raise Refused.of(f"answers are {offered}, and `{accepted[:200]}` accepts none of them", status=406)
    response = await _answer(rest, Format(chosen), request)
    response.headers["vary"] = "accept"
    return response


async def _answer(rest: Rest, format_: Format, request: Request) -> Response:
    metric = metric_named(rest, request.path_params["name"])
    query, given = question(request, rest, metric, rest.answer_words)
    served = await rest.service.answer(query, asking(request, given))
    told = Told.of(served.answer)
    if (body := rest.bodies.get(served.answer, format_)) is None:
        body = await rest.service.in_thread(lambda: Body.of(written(told, format_)))
        rest.bodies.put(served.answer, format_, body)
    headers = {**_headers(told, served), "content-disposition": saved_as(metric.name, told.part, format_)}
    if told.part == MEMBERS and told.info.truncated:
        headers["link"] = f'<{_next_page(request, told)}>; rel="next"'
    return answered(request, body, format_.content_type, headers)


def answered(request: Request, body: Body, content_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """The bytes; 304 for who has them already."""
    headers = {
        "etag": body.etag,
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        **(headers or {}),
    }
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {body.etag, "*"}:
        return Response(status_code=304, headers=headers)
    response = Response(body.data, headers=headers)
    response.headers["content-type"] = content_type
    return response


def _headers(told: Told, served: Served) -> dict[str, str]:
    info = told.info
    return {
        "metrics-as-of": moment(info.as_of),
        "metrics-data-through": moment(info.data_through),
        "metrics-from": info.first.isoformat(),
        "metrics-to": info.last.isoformat(),
        "metrics-timezone": info.timezone,
        "metrics-rows": str(told.rows.num_rows),
        "metrics-truncated": str(info.truncated).lower(),
        "metrics-complete": str(told.complete).lower(),
        "metrics-cache": served.status.value.lower(),
        "age": str(int(served.age)),
    }


def saved_as(name: str, part: str, format_: Format) -> str:
    """What is saved by a browser is named; JSON is shown."""
    kind = "inline" if format_ is Format.JSON else "attachment"
    of = f"{name}-{part}" if part not in ("rows", "steps", "cells") else name
    return f'{kind}; filename="{of}.{format_}"'


def _next_page(request: Request, told: Told) -> str:
    """The same question, of the same moment, from behind the last of these people."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("after", "as_of")]
    pairs = [*kept, ("after", told.rows["id"][-1].as_py()), ("as_of", moment(told.info.as_of))]
    return f"{quote(request.scope['path'])}?{urlencode(pairs)}"


# -- OpenAPI ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Texts:
    id: str
    summary: str
    description: str


def _operation(rest: Rest, formats: tuple[Format, ...], *, ending: Format | None) -> Operation:
    texts = (
        _Texts("answer", "A metric's answer, as `Accept` says", "JSON where any will do.")
        if ending is None
        else _Texts(f"answer_{ending}", f"A metric's answer as {_KINDS[ending]}", "`Accept` makes no difference here.")
    )
    return Operation(
        id=texts.id,
        summary=texts.summary,
        description=f"One part of the answer, the usual one unless `part` says. {texts.description}",
        responses={200: {one.media_type: _content(one) for one in formats}},
        refusals=(400, 404, *((406,) if ending is None else ()), 414, 429, 500, 501, 502, 503, 504),
        parameters=(
            path_parameter("name", list(rest.named), "The metric or cohort, as in the definitions."),
            *query_parameters(rest.answer_words),
        ),
        headers=HEADERS,
    )


_KINDS: Mapping[Format, str] = {
    Format.CSV: "CSV",
    Format.JSON: "JSON",
    Format.ARROW: "an Arrow IPC stream",
    Format.PARQUET: "Parquet",
}


def _content(format_: Format) -> Mapping[str, Any]:
    if format_ is Format.JSON:
        return {"$ref": "#/components/schemas/Answer"}
    return {"type": "string"} if format_ is Format.CSV else {"type": "string", "format": "binary"}
