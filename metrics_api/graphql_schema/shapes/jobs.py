"""`job(id)`: the answer of a question that went on after its request, by one fixed document whatever it asked."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import Any

import strawberry
from strawberry.types.info import Info

from metrics_api.errors import MetricsError
from metrics_api.graphql_schema.context import RequestContext
from metrics_api.graphql_schema.failures import told_of
from metrics_api.graphql_schema.object_types import AnswerInfo, resolved
from metrics_api.graphql_schema.shapes.boards import BoardPart, CardError, parts_of
from metrics_api.serving.jobs import Job as Found
from metrics_api.serving.stores import Kept


@strawberry.enum(description="How far a job is.")
class JobStatus(Enum):
    RUNNING = strawberry.enum_value("RUNNING", description="Its statement still runs.")
    DONE = strawberry.enum_value("DONE", description="There is an answer.")
    FAILED = strawberry.enum_value("FAILED", description="There is none, and `error` says why.")


@strawberry.type(description="A question that takes longer than a request waits.")
class Job:
    id: strawberry.ID = strawberry.field(description="Its id.")
    metric: str = strawberry.field(description="The metric, or cohort, that is asked.")
    status: JobStatus = strawberry.field(description="How far it is.")
    seconds: float = strawberry.field(description="For how long it runs, or ran, since it became a job.")
    parts: list[BoardPart] = strawberry.field(description="The answer; empty where there is none.")
    info: AnswerInfo | None = strawberry.field(description="How the answer came about.")
    error: CardError | None = strawberry.field(description="Why there is no answer.")


def job_field() -> Any:
    """The field of a query that tells of a job."""

    @resolved(
        description="A question that went on after its request; an error QUERY_RUNNING tells its id.", of=Job | None
    )
    async def job(info: Info, id: strawberry.ID) -> dict[str, Any]:  # noqa: A002 - the argument's name
        context: RequestContext = info.context
        context.is_lasting = False
        found = context.service.job(str(id), context.asking.caller)
        told: dict[str, Any] = {
            "id": found.id,
            "metric": found.metric,
            "status": _status(found),
            "seconds": found.seconds,
            "parts": [],
            "info": None,
            "error": None,
        }
        if isinstance(found.found, Kept):
            model = context.project.model
            metric = model.metrics.get(found.metric) or model.cohorts[found.metric]
            work = context.in_thread(partial(parts_of, found.found.answer, metric.type))
            try:
                told |= await work
            except MetricsError as error:  # Numbers that JSON cannot hold.
                told |= {"status": JobStatus.FAILED, "error": _error(error, found, context)}
            return told
        if found.found is not None:
            told["error"] = _error(found.found, found, context)
        return told

    return job


def _status(job: Found) -> JobStatus:
    if job.found is None:
        return JobStatus.RUNNING
    return JobStatus.DONE if isinstance(job.found, Kept) else JobStatus.FAILED


def _error(error: Exception, job: Found, context: RequestContext) -> dict[str, str]:
    message, code = told_of(error, f"job of {job.metric}", context.request_id)
    return {"message": message, "code": code}
