"""What the workers that serve one project need to warm it together."""

from __future__ import annotations

from metrics_api.query.metric_query import MetricQuery
from metrics_api.serving.redis_store import RedisStore
from metrics_api.serving.service import Caller, Service
from metrics_api.serving.stores import Shared
from metrics_api.serving.warmups.asked import Asked
from metrics_api.serving.warmups.ledger import Ledger, RedisLedger, file_ledger
from metrics_api.serving.warmups.running import WARMER, Runner


def runner_of(service: Service, shared: Shared | None) -> Runner:
    """What runs the warmups of a service, and counts what people ask of it where some warmup replays that.

    Its workers tell each other through Redis, or else through a file.
    """
    project = service.project
    ledger: Ledger
    if isinstance(shared, RedisStore):
        ledger = RedisLedger(shared, f"{project.model.project.name}:{project.warehouse_name}")
    else:
        ledger = file_ledger(project.folder, project.warehouse_name)
    asked = Asked(ledger)

    def heard(query: MetricQuery, caller: Caller) -> None:
        if caller.name != WARMER:
            asked.note(query, caller.policy)

    if any(one.replay for one in project.model.warmups.values()):
        service.heard = heard
    return Runner(service, ledger, asked, shares_answers=shared is not None)
