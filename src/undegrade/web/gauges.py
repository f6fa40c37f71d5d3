"""What the service tells Prometheus about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)  # upper ends of the histogram's classes


class Gauges:
    """Counters and gauges in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "undegrade_requests", "Requests answered.", ("method", "path", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "undegrade_request_seconds", "From the head of a request to the end of its answer.", ("path",),
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._deaths = Counter(
            "undegrade_worker_deaths", "Workers that died or were replaced.", ("model", "why"), registry=self._registry
        )
        self._line = Gauge("undegrade_line", "Pictures at work or waiting.", registry=self._registry)
        self._jobs = Gauge("undegrade_jobs", "Jobs by state.", ("state",), registry=self._registry)

    def count(self, method: str, path: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def bury(self, model: str, why: str) -> None:
        """A worker died, or was ended."""
        self._deaths.labels(model or "degrade", why).inc()

    def text(self, line: int, jobs: dict[str, int]) -> bytes:
        """All of them in Prometheus' text format.

        Args:
            line: pictures at work or waiting.
            jobs: how many there are in each state.
        """
        self._line.set(line)
        for state, count in jobs.items():
            self._jobs.labels(state).set(count)
        return generate_latest(self._registry)
