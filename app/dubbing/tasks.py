"""What travels between the server and `app.dubbing.child`: requests and results, as JSON. Paths are strings, times seconds on the video's timeline.

Nothing heavy is imported here: the server builds these, the child's modules take and give them.
"""

from __future__ import annotations

import msgspec

from app.domain.job import Background


class ProbeRequest(msgspec.Struct, frozen=True):
    path: str


class IngestRequest(msgspec.Struct, frozen=True):
    """`out` is an existing folder; see `app.dubbing.ingest` for what is put there. `size_bytes` is the source's."""

    path: str
    out: str
    audio_track: int
    max_duration_s: float
    size_bytes: int


class Ingested(msgspec.Struct, frozen=True):
    """`duration_s` is the true one (what decodes); `loudness_lufs` of the original, None when it is silent."""

    duration_s: float
    loudness_lufs: float | None


class Line(msgspec.Struct, frozen=True):
    """A line to place: its slot, and its clip (mono WAV). `speed` is what the wished speed still asks of us (1.0: nothing)."""

    segment_id: str
    start_s: float
    end_s: float
    speaker: str
    clip: str
    speed: float


class FitRequest(msgspec.Struct, frozen=True):
    lines: tuple[Line, ...]
    video_end_s: float


class MixClip(msgspec.Struct, frozen=True):
    """A placed clip; see `app.domain.segment.Placement`."""

    path: str
    start_s: float
    duration_s: float
    rate: float
    trim_start_s: float
    trim_end_s: float


class MixRequest(msgspec.Struct, frozen=True):
    """One dubbed track. `source` is None for a silent video; `energies` are ingest's 100 ms K-weighted mean squares (float32);
    `target_lufs` None leaves the level; `chunk_cache` is a folder of this job's own: what a run does not use is deleted; `out` is an .m4a.
    `kept` are spans (start_s, end_s) in which the original stays although the background is replaced: skipped lines.
    """

    source: str | None
    audio_track: int
    duration_s: float
    clips: tuple[MixClip, ...]
    background: Background
    energies: str | None
    chunk_cache: str
    out: str
    threads: int
    target_lufs: float | None = -16.0
    kept: tuple[tuple[float, float], ...] = ()


class MixReport(msgspec.Struct, frozen=True):
    """What was made: LUFS and dBTP (None when silent), chunks encoded now and taken from the cache."""

    duration_s: float
    loudness_lufs: float | None
    true_peak_db: float | None
    clips: int
    encoded_chunks: int
    cached_chunks: int
