"""What Prometheus is told. Labels are routes, statuses, verdicts: never names of images or keys."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from authentiscan.analysis.report import Report

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "authentiscan_requests",
            "Requests answered.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "authentiscan_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._images = Counter(
            "authentiscan_images",
            "Images judged, by verdict; failed: those that could not be judged.",
            ["verdict", "way"],
            registry=self.registry,
        )
        self._crops = Histogram(
            "authentiscan_batch_crops",
            "Crops in one call of the network.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )
        self._callers = Histogram(
            "authentiscan_batch_images",
            "Images whose crops share one call of the network.",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def judged(self, report: Report, way: str) -> None:
        """An image has been judged. way: ``request`` or ``job``."""
        self._images.labels("failed" if report.verdict is None else report.verdict.value, way).inc()

    def batch(self, crops: int, callers: int) -> None:
        """The network was called."""
        self._crops.observe(crops)
        self._callers.observe(callers)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A figure that is asked for when the metrics are read."""
        Gauge(f"authentiscan_{name}", text, registry=self.registry).set_function(value)

    def watch_jobs(self, counts: Callable[[], dict[str, int]]) -> None:
        """The number of jobs by status."""
        self.registry.register(_Jobs(counts))

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Jobs(Collector):
    def __init__(self, counts: Callable[[], dict[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> list[Metric]:
        """The gauge as it is now."""
        found = GaugeMetricFamily("authentiscan_jobs", "Jobs kept, by status.", labels=["status"])
        counts = self._counts()
        for status in ("queued", "running", "finished"):
            found.add_metric([status], counts.get(status, 0))
        return [found]
