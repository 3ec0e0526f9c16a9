"""Counters, gauges and histograms of this process. Thread-safe, and cheap enough for any line of code.

Every room may use them; `app.api.metrics` renders them. Labels have few values: names of engines, stages, error codes;
never text that a person typed, a path or an id.
"""

from __future__ import annotations

import bisect
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Final, Self

import msgspec

MOST_SERIES: Final = 500  # label sets of one family; further ones are counted as OTHER
OTHER: Final = "other"
_families: dict[str, Family] = {}


class Family:
    """One name with its labels. `help` is what Prometheus shows."""

    kind = ""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        if name in _families:
            raise ValueError(f"{name} is there twice")
        self.name, self.help, self.labels = name, help, labels
        self._lock = threading.Lock()
        _families[name] = self

    def _bounded(self, values: tuple[str, ...], known: Mapping[tuple[str, ...], object]) -> tuple[str, ...]:
        if len(values) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {len(values)} values")
        return values if values in known or len(known) < MOST_SERIES else (OTHER,) * len(values)


class _Numbers(Family):
    """One number for each set of labels; without labels it is there from the start."""

    def __init__(self, name: str, help: str, *labels: str) -> None:
        super().__init__(name, help, *labels)
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def expect(self, *series: tuple[str, ...]) -> Self:
        """Create these label sets with 0, so that Prometheus sees the first increase."""
        self._values |= dict.fromkeys(series, 0.0)
        return self

    def values(self) -> dict[tuple[str, ...], float]:
        with self._lock:
            return dict(self._values)

    def _change(self, values: tuple[str, ...], by: float) -> None:
        with self._lock:
            values = self._bounded(values, self._values)
            self._values[values] = self._values.get(values, 0.0) + by


class Counter(_Numbers):
    """A number that only grows."""

    kind = "counter"

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Count `amount` more for these values of the labels."""
        self._change(values, amount)


class Gauge(_Numbers):
    """A number that grows and shrinks."""

    kind = "gauge"

    def change(self, *values: str, by: float) -> None:
        self._change(values, by)

    def set(self, *values: str, to: float) -> None:
        with self._lock:
            self._values[self._bounded(values, self._values)] = to


class BucketCounts(msgspec.Struct):
    """Observations of one series: how many fell into each bucket (the last has no upper bound), and their sum."""

    counts: list[int]
    sum: float = 0.0


class Histogram(Family):
    """Observations in buckets; `bounds` are their upper bounds, ascending, in the unit that the name ends with."""

    kind = "histogram"

    def __init__(self, name: str, help: str, *labels: str, bounds: Sequence[float]) -> None:
        super().__init__(name, help, *labels)
        self.bounds = tuple(bounds)
        self._heaps: dict[tuple[str, ...], BucketCounts] = {}

    def observe(self, *values: str, value: float) -> None:
        with self._lock:
            values = self._bounded(values, self._heaps)
            heap = self._heaps.setdefault(values, BucketCounts([0] * (len(self.bounds) + 1)))
            heap.counts[bisect.bisect_left(self.bounds, value)] += 1
            heap.sum += value

    def heaps(self) -> dict[tuple[str, ...], BucketCounts]:
        with self._lock:
            return {values: BucketCounts(list(heap.counts), heap.sum) for values, heap in self._heaps.items()}


def _renew_locks() -> None:
    """Make new locks in a forked child: the thread that held one does not exist there."""
    for family in _families.values():
        family._lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_locks)


def families() -> tuple[Family, ...]:
    """Every declared family, in the order of declaration."""
    return tuple(_families.values())


# ---- the jobs
JOBS_FINISHED: Final = Counter(
    "autodubber_jobs_finished_total",
    (
        "Phases of jobs that ended: phase prepare or render; result done, failed or cancelled; of a failure its stage "
        "and error code."
    ),
    "phase",
    "result",
    "stage",
    "code",
).expect(("prepare", "done", "", ""), ("render", "done", "", ""))
STAGE_SECONDS: Final = Histogram(
    "autodubber_stage_seconds",
    "How long the stages took that were run to their end.",
    "stage",
    bounds=(0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400),
)
STAGES_SKIPPED: Final = Counter(
    "autodubber_stages_skipped_total", "Stages that had nothing to do: their inputs had not changed.", "stage"
)
RECOGNITION_MEDIA_SECONDS: Final = Counter(
    "autodubber_recognition_media_seconds_total", "Seconds of speech track that were recognised.", "model", "device"
)
RECOGNITION_SECONDS: Final = Counter(
    "autodubber_recognition_seconds_total",
    "Seconds that recognition took, loading the model included.",
    "model",
    "device",
)
RECOGNITION_SPEED: Final = Gauge(
    "autodubber_recognition_realtime_factor",
    "Seconds of media per second of recognition, in the last one that ended.",
    "model",
    "device",
)

# ---- the voices
SPEECH_CALLS: Final = Counter(
    "autodubber_speech_calls_total",
    "Lines asked of a voice engine: result ok, or the error's code.",
    "engine",
    "result",
)
SPEECH_SECONDS: Final = Histogram(
    "autodubber_speech_call_seconds",
    "How long a line took, the wait for a place and further tries included.",
    "engine",
    bounds=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 180),
)
SPEECH_RETRIES: Final = Counter(
    "autodubber_speech_retries_total",
    "Calls to a paid service that were tried again, by what went wrong.",
    "engine",
    "code",
)
SPEECH_CHARACTERS: Final = Counter("autodubber_speech_characters_total", "Characters that were spoken.", "engine")
SPEECH_CREDITS: Final = Counter(
    "autodubber_speech_credits_total", "Credits that they cost, as the service tells or the price list says.", "engine"
)
CLIP_LOOKUPS: Final = Counter(
    "autodubber_clip_lookups_total",
    "Lines that were to be spoken: hit was kept from before, miss was spoken.",
    "result",
).expect(("hit",), ("miss",))

# ---- the door
HTTP_REQUESTS: Final = Counter("autodubber_http_requests_total", "Answered requests.", "method", "route", "status")
HTTP_SECONDS: Final = Histogram(
    "autodubber_http_request_seconds",
    "From a request's head to its answer's last byte.",
    "method",
    "route",
    bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
ERRORS: Final = Counter(
    "autodubber_errors_total", "Refusals and failures that a client was told, by code of the catalogue.", "code"
)
UPLOADED_BYTES: Final = Counter(
    "autodubber_uploaded_bytes_total", "Bytes of bodies that came to /api/uploads and /api/jobs."
)
DOWNLOADED_BYTES: Final = Counter(
    "autodubber_downloaded_bytes_total", "Bytes of bodies that /download and /media sent."
)
SOCKETS_OPENED: Final = Counter("autodubber_sockets_opened_total", "WebSockets that were accepted.")
MESSAGES_DROPPED: Final = Counter(
    "autodubber_socket_messages_dropped_total",
    "Messages that a slow client was not sent; it got a new snapshot in their place.",
)

# ---- the process
CHILDREN: Final = Gauge(
    "autodubber_child_processes", "Child processes that run now: FFmpeg, recognition, voices, mixing."
)
CHILDREN_STARTED: Final = Counter("autodubber_child_processes_started_total", "Child processes that were started.")
LOG_LINES: Final = Counter("autodubber_log_lines_total", "Lines written to the log.", "level").expect(
    ("info",), ("warning",), ("error",), ("critical",)
)
