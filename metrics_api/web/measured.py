"""What a server tells of its work: Prometheus's counters at `/metrics`, and spans for OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from metrics_api import __version__
from metrics_api.engines.warehouse import Cost
from metrics_api.serving.observing import Attributes, Observer
from metrics_api.serving.service import Service

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider
    from prometheus_client.metrics_core import Metric

    from metrics_api.web.live import Live

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Measured(Observer):
    """Counts, in a registry of its own; and traces, where `provider` or the process has an SDK of OpenTelemetry."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.registry = CollectorRegistry()
        self.services: WeakSet[Service] = WeakSet()
        """Whose queues are told: those of all editions that still answer."""
        self.tracer = _tracer(provider)
        self.requests = self._counter("http_requests", "Requests, by the template of their path.", "method path status")
        self.seconds = self._histogram("http_request_seconds", "Seconds of a request.", _FAST, "path")
        self.open = Gauge("metrics_api_http_requests_open", "Requests under way.", registry=self.registry)
        self._statements = self._counter("statements", "Statements at the warehouse.", "metric engine outcome")
        self._statement_seconds = self._histogram("statement_seconds", "Seconds of a statement.", _SLOW, "engine")
        self._rows = self._counter("rows_read", "Rows that statements read, where the warehouse tells.", "engine")
        self._bytes = self._counter("bytes_read", "Bytes that statements read, where the warehouse tells.", "engine")
        self._lookups = self._counter("cache_lookups", "Looks into a tier of the cache.", "tier outcome")
        self._answers = self._counter("answers", "Questions, by where their answer is from.", "cache")
        self._waits = self._histogram("queue_wait_seconds", "Seconds of waiting for a turn.", _FAST)
        self._reloads = self._counter("definitions_reloads", "Times the definitions were read again.", "outcome")
        self._warmups = self._counter("warmup_runs", "Runs of warmups.", "warmup outcome")
        self._warmup_seconds = self._histogram("warmup_seconds", "Seconds of a warmup's run.", _SLOW, "warmup")
        self.registry.register(_Queues(self.services))
        Info("metrics_api", "The running server.", registry=self.registry).info({"version": __version__})
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def _counter(self, name: str, told: str, labels: str = "") -> Counter:
        return Counter(f"metrics_api_{name}", told, labels.split(), registry=self.registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...], labels: str = "") -> Histogram:
        return Histogram(f"metrics_api_{name}", told, labels.split(), buckets=buckets, registry=self.registry)

    def of(self, live: Live) -> None:
        """Tell of the definitions that are served."""
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "broken": ("1 while the definitions on disk are broken.", lambda: live.broken is not None),
            "behind": ("1 while newer definitions cannot be fetched.", lambda: live.behind is not None),
            "loaded_timestamp_seconds": ("When they were read.", lambda: _loaded(live)),
            "metrics": ("Metrics that are served.", lambda: len(live.now.project.model.metrics)),
        }
        for name, (told, value) in gauges.items():
            Gauge(f"metrics_api_definitions_{name}", told, registry=self.registry).set_function(value)

    # -- what is observed ---------------------------------------------------------------------------------------------

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[object]:
        if self.tracer is None:
            return nullcontext()
        return self.tracer.start_as_current_span(f"metrics_api.{name}", attributes=attributes)

    def ran(self, metric: str, engine: str, outcome: str, seconds: float, read: Cost) -> None:
        self._statements.labels(metric, engine, outcome).inc()
        self._statement_seconds.labels(engine).observe(seconds)
        if read.rows is not None:
            self._rows.labels(engine).inc(read.rows)
        if read.bytes is not None:
            self._bytes.labels(engine).inc(read.bytes)

    def waited(self, seconds: float) -> None:
        self._waits.observe(seconds)

    def looked_up(self, tier: str, outcome: str) -> None:
        self._lookups.labels(tier, outcome).inc()

    def answered(self, status: str) -> None:
        self._answers.labels(status).inc()

    def reloaded(self, *, worked: bool) -> None:
        self._reloads.labels("loaded" if worked else "broken").inc()

    def warmed(self, name: str, outcome: str, seconds: float) -> None:
        self._warmups.labels(name, outcome).inc()
        self._warmup_seconds.labels(name).observe(seconds)

    # -- what is told -------------------------------------------------------------------------------------------------

    async def endpoint(self, request: Request) -> Response:
        """`/metrics`, in the form that the caller accepts: Prometheus's text, or OpenMetrics."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"content-type": content_type, "cache-control": "no-store"})

    @contextmanager
    def server_span(self, method: str, headers: Mapping[str, str], attributes: Attributes) -> Iterator[Any]:
        """The span of a request, below the caller's `traceparent`; None where nothing is traced."""
        if self.tracer is None:
            yield None
            return
        from opentelemetry import propagate, trace

        # Where a library before us has begun the request's span, ours is inside.
        outside = trace.get_current_span().get_span_context().is_valid
        context = None if outside else propagate.extract(headers)
        kind = trace.SpanKind.INTERNAL if outside else trace.SpanKind.SERVER
        with self.tracer.start_as_current_span(method, context, kind, attributes=attributes) as span:
            yield span


def _tracer(provider: TracerProvider | None) -> Tracer | None:
    """Who makes spans; None where nobody would have them, so that they cost nothing."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    provider = provider or trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return provider.get_tracer("metrics_api", __version__)


def _loaded(live: Live) -> float:
    return live.now.loaded_at.timestamp()


class _Queues(Collector):
    """How many statements run and wait, when somebody asks."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        turns = [one.turns for one in self._services]
        of = "questions at the warehouse"
        yield GaugeMetricFamily("metrics_api_queue_running", f"Turns of {of}.", sum(one.running for one in turns))
        yield GaugeMetricFamily("metrics_api_queue_waiting", f"In line for {of}.", sum(one.waiting for one in turns))
