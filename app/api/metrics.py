"""Figures for Prometheus, in its text format. The client library is imported when first asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from app.api.health import Health

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4"


class Metrics:
    """`stages` tells, per stage, how many have finished and the seconds they took; `queues` how many jobs wait in each.

    `worst_blocks_s` is `LoopWatch.take`.
    """

    def __init__(
        self,
        health: Health,
        stages: Callable[[], Mapping[str, tuple[int, float]]],
        queues: Callable[[], Mapping[str, int]],
        worst_blocks_s: Callable[[], tuple[float, float]],
    ) -> None:
        self._health, self._stages, self._queues, self._worst_blocks_s = health, stages, queues, worst_blocks_s
        self._registry: Any = None

    def collect(self) -> Iterator[Metric]:
        """The figures as they are now; called by the registry."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        report = self._health.report()
        yield GaugeMetricFamily("autodubber_ready", "1 when work can be taken.", value=float(report.ready))
        yield GaugeMetricFamily("autodubber_uptime_seconds", "Since the start of the server.", value=report.uptime_s)
        yield GaugeMetricFamily("autodubber_sockets", "Open WebSockets.", value=report.sockets)
        yield GaugeMetricFamily("autodubber_disk_free_bytes", "Free on the data folder's disk.", value=report.disk_free_bytes)
        worst_s, own_s = self._worst_blocks_s()
        yield GaugeMetricFamily(
            "autodubber_event_loop_worst_block_seconds", "The longest time nobody was answered, since the last look.", value=worst_s
        )
        yield GaugeMetricFamily(
            "autodubber_event_loop_worst_own_block_seconds", "The same, but only while the server itself was computing.", value=own_s
        )
        jobs = GaugeMetricFamily("autodubber_jobs", "Jobs by state.", labels=["state"])
        for state, count in sorted(report.jobs.items()):
            jobs.add_metric([state], count)
        yield jobs
        queues = GaugeMetricFamily("autodubber_queue_length", "Jobs that wait, by queue.", labels=["queue"])
        for queue, count in sorted(self._queues().items()):
            queues.add_metric([queue], count)
        yield queues
        done = CounterMetricFamily("autodubber_stages_finished", "Finished stages of the jobs that are kept.", labels=["stage"])
        seconds = CounterMetricFamily("autodubber_stage_seconds", "Seconds spent in finished stages of the jobs that are kept.", labels=["stage"])
        for stage, (count, spent) in sorted(self._stages().items()):
            done.add_metric([stage], count)
            seconds.add_metric([stage], spent)
        yield done
        yield seconds

    def text(self) -> bytes:
        """Everything, the process's own figures included."""
        from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest

        if self._registry is None:
            self._registry = CollectorRegistry()
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
            GCCollector(registry=self._registry)
        return bytes(generate_latest(self._registry))
