"""Renders metrics in Prometheus' text format. The client library is imported with the first request.

There are two kinds: counts of this process since its start (`app.observability.metrics`), and gauges that are read when
requested. docs/monitoring.md lists every name; a test compares.
"""

from __future__ import annotations

import hmac
import os
import platform
import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.api.health import Health, HealthReport
from app.backup.last_backup import Record, Unreadable, read
from app.domain.job import JobState
from app.observability import metrics

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4"


class Gauges(msgspec.Struct, frozen=True):
    """Gauges that are read when requested. Everything blocks for milliseconds.

    `queues` is the number of waiting jobs by queue, `waits_s` the wait of the first one; `worst_blocks_s` is
    `LoopWatch.take`; `blob_bytes` the bytes on disk by kind. `data` is the data folder, `floor_bytes` the minimum of
    free space.
    """

    health: Health
    queues: Callable[[], Mapping[str, int]]
    waits_s: Callable[[], Mapping[str, float]]
    blob_bytes: Callable[[], Mapping[str, int]]
    worst_blocks_s: Callable[[], tuple[float, float]]
    data: Path
    floor_bytes: int


class Metrics:
    """Every metric."""

    def __init__(self, standing: Gauges, version: str) -> None:
        self._standing, self._version = standing, version
        self._registry: Any = None

    def collect(self) -> Iterator[Metric]:
        """The current figures; called by the registry."""
        yield from _counted()
        report = self._standing.health.report()
        yield from self._server(report)
        if any(check.ok for check in report.checks if check.name == "database"):
            yield from self._work(report)
        yield from _disk(self._standing.data, self._standing.floor_bytes)
        yield from _backup(self._standing.data)

    def _server(self, report: HealthReport) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily

        about = {"version": self._version, "python": platform.python_version()}
        yield _gauge("build_info", "Always 1; the labels are what counts.", {tuple(about.values()): 1.0}, *about)
        yield _gauge("ready", "1 when work can be taken.", float(report.ready))
        yield _gauge(
            "check_ok",
            "1 when this condition of readiness holds.",
            {(c.name,): float(c.ok) for c in report.checks},
            "check",
        )
        yield _gauge("uptime_seconds", "Since the start of the server.", report.uptime_s)
        yield _gauge("sockets", "Open WebSockets that get events.", report.sockets)
        worst_s, own_s = self._standing.worst_blocks_s()
        yield _gauge(
            "event_loop_worst_block_seconds", "The longest time nobody was answered, since the last look.", worst_s
        )
        yield _gauge(
            "event_loop_worst_own_block_seconds", "The same, but only while the server itself was computing.", own_s
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        yield CounterMetricFamily(
            "autodubber_child_cpu_seconds",
            "Processor time of child processes that have ended.",
            value=used.ru_utime + used.ru_stime,
        )

    def _work(self, report: HealthReport) -> Iterator[Metric]:
        yield _gauge("jobs", "Jobs by state.", {(state,): report.jobs.get(state, 0) for state in JobState}, "state")
        queues, waits_s = self._standing.queues(), self._standing.waits_s()
        yield _gauge(
            "queue_length",
            "Jobs that wait, by queue.",
            {(name,): count for name, count in sorted(queues.items())},
            "queue",
        )
        oldest: dict[tuple[str, ...], float] = {(name,): waits_s.get(name, 0.0) for name in sorted(queues)}
        blob_bytes: dict[tuple[str, ...], float] = {(kind,): size for kind, size in self._standing.blob_bytes().items()}
        yield _gauge("kept_bytes", "What is on the disk, by kind.", blob_bytes, "kind")
        yield _gauge(
            "queue_oldest_seconds", "How long the oldest of them has waited; 0 when none waits.", oldest, "queue"
        )

    def text(self) -> bytes:
        """All metrics as text, including those of the process."""
        from prometheus_client import (
            CollectorRegistry,
            GCCollector,
            PlatformCollector,
            ProcessCollector,
            generate_latest,
        )

        if self._registry is None:
            registry = CollectorRegistry()
            registry.register(self)
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)
            GCCollector(registry=registry)
            self._registry = registry
        return bytes(generate_latest(self._registry))


def may_read(token: str, authorization: str | None) -> bool:
    """Whether the header holds the token; compared in constant time."""
    scheme, _, given = (authorization or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("latin-1", "replace"), token.encode()
    )


def _gauge(name: str, help: str, value: float | Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    if not isinstance(value, Mapping):
        return GaugeMetricFamily(f"autodubber_{name}", help, value=value)
    family = GaugeMetricFamily(f"autodubber_{name}", help, labels=labels)
    for values, number in value.items():
        family.add_metric(values, number)
    return family


def _counted() -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    for family in metrics.families():
        if isinstance(family, metrics.Histogram):
            shown = HistogramMetricFamily(family.name, family.help, labels=family.labels)
            for values, heap in family.heaps().items():
                shown.add_metric(values, *_buckets(family.bounds, heap))
            yield shown
        elif isinstance(family, metrics.Counter | metrics.Gauge):
            kind = CounterMetricFamily if isinstance(family, metrics.Counter) else GaugeMetricFamily
            plain = kind(family.name, family.help, labels=family.labels)
            for values, number in family.values().items():
                plain.add_metric(values, number)
            yield plain


def _buckets(bounds: tuple[float, ...], heap: metrics.BucketCounts) -> tuple[list[tuple[str, float]], float]:
    """Cumulative buckets, as Prometheus expects."""
    total, cumulative = 0, []
    for bound, count in zip((*(str(float(bound)) for bound in bounds), "+Inf"), heap.counts, strict=True):
        total += count
        cumulative.append((bound, float(total)))
    return cumulative, heap.sum


def _disk(data: Path, floor_bytes: int) -> Iterator[Metric]:
    disk = os.statvfs(data)
    yield _gauge("disk_free_bytes", "Free on the data folder's disk.", disk.f_bavail * disk.f_frsize)
    yield _gauge("disk_size_bytes", "Size of the data folder's disk.", disk.f_blocks * disk.f_frsize)
    yield _gauge("disk_floor_bytes", "Below this much free, new work is refused.", floor_bytes)


def _backup(data: Path) -> Iterator[Metric]:
    """The last backup: nothing before the first one. An unreadable record counts as a failed backup."""
    try:
        last = read(data)
    except Unreadable:
        last = Record(at=0.0)
    if last is None:
        return
    yield _gauge("backup_last_timestamp_seconds", "When the last backup ended, in Unix seconds.", last.at)
    yield _gauge("backup_last_success", "1 when the last backup succeeded, else 0.", float(last.ok))
    yield _gauge("backup_last_duration_seconds", "How long the last backup took.", last.seconds)
    yield _gauge("backup_last_size_bytes", "What the last backup holds.", last.bytes)
