"""Jobs: questions whose answer takes longer than a request waits. Their statement goes on, and delivers later."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from metrics_api.errors import Code, Problem, QueryError
from metrics_api.serving.flights import Flight, Flights
from metrics_api.serving.stores import Kept

MOST = 500
"""Jobs that are known; beyond, the oldest one is forgotten."""


class QueryRunning(QueryError):
    """There is no answer yet; `job` is by which it will be asked for."""

    def __init__(self, metric: str, job: str, seconds: float) -> None:
        told = f"{metric}: the statement still runs after {seconds:g} seconds"
        fix = f'Ask for its answer with `job(id: "{job}")`.'
        super().__init__(Problem(told, fix=fix, code=Code.QUERY_RUNNING))
        self.job = job


@dataclass(eq=False)
class Job:
    """A question that goes on by itself."""

    id: str
    metric: str
    caller: str
    """The name and policy of who asked: nobody else is told."""
    key: str
    begun: float = field(default_factory=time.time)
    """In seconds since 1970."""
    ended: float | None = None
    found: Kept | Exception | None = None

    @property
    def seconds(self) -> float:
        """For how long it runs, or ran."""
        return (self.ended or time.time()) - self.begun


class Jobs:
    """The jobs of a service, running or done. For one event loop."""

    def __init__(self, flights: Flights[Kept | Exception]) -> None:
        self._flights = flights
        self._jobs: dict[str, Job] = {}

    def get(self, id_: str, caller: str) -> Job | None:
        """A job by its id; None where there is none, or it is another's."""
        job = self._jobs.get(id_)
        return job if job is not None and job.caller == caller else None

    def begin(self, metric: str, key: str, flight: Flight[Kept | Exception], caller: str, seconds: float | None) -> Job:
        """A job for one of a flight's keys, which lasts so many seconds at most; the one there is, where there is."""
        for job in self._jobs.values():
            if job.key == key and job.caller == caller and job.ended is None:
                return job
        job = Job(secrets.token_urlsafe(16), metric, caller, key)
        self._jobs[job.id] = job
        while len(self._jobs) > MOST:
            del self._jobs[next(iter(self._jobs))]

        def landed(found: Mapping[str, Kept | Exception] | Exception) -> None:
            job.ended = time.time()
            job.found = found if isinstance(found, Exception) else found[key]

        self._flights.hold(flight, landed, seconds)
        return job
