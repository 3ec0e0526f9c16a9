"""Mixes placed clips and the background into one track: in chunks, at broadcast loudness, below -1 dBTP, in the chosen
formats.

Levels are set before the first sample is mixed, from energies alone (`levels`): every line gets the same loudness, the
background is lowered to a set distance under it, and one gain brings the whole to the target. Where the limiter has
taken more than was foreseen, the gain is corrected once by what was measured. Memory does not grow with the length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.dub_options import AudioCodec, AudioFormat
from app.dubbing.mixing import levels
from app.dubbing.mixing.backgrounds import Sources
from app.dubbing.mixing.chunk_encode import CODED_CEILING_DBTP
from app.dubbing.mixing.chunk_plan import Chunk, PlacedClip, plan
from app.dubbing.mixing.chunk_store import ChunkStore, Made, Mix, make
from app.dubbing.mixing.clip_cache import ClipCache, Cut, MeasuredClip, StoredClip
from app.dubbing.mixing.levels import ClipLevels, Levels, MixChoices
from app.dubbing.mixing.loudness import ENERGY_N, SAMPLE_RATE_HZ, SILENT_LUFS, integrated_lufs
from app.dubbing.mixing.true_peak import dbtp
from app.dubbing.worker.tasks import MixReport, MixRequest
from app.media.packets import AAC, OPUS, PacketCodec, packet_file
from app.media.sound_writer import sound_file
from app.system.heap import give_freed_memory_back

_PREPARING: Final = 0.2  # the share of the work that is done when every clip is ready
_MIXED: Final = 0.98  # and when every chunk is
_PACKETS_OF: Final = {AudioFormat.M4A: AAC, AudioFormat.OPUS: OPUS}
_MISSED_LU: Final = 0.2  # from here on the gain is corrected
_CORRECTIONS: Final = 3
# the last three: of an earlier version
_OWN: Final = (".clip", ".levels", ".packets", ".sound", ".energies", ".spans", ".part", ".tmp", ".aac", ".clip.npz")

Report = Callable[[float], None]


def mixdown(request: MixRequest, report: Report) -> MixReport:
    """Mix and encode; when it returns, `out` and `audio_out` are complete and last `duration_s` to the sample. `report`
    gets 0..1: first, in one word, what an earlier run has left, then what is made.

    A source that ends early, has no sound or is None is silence from there on, and so is a stem; without `energies` the
    source is measured first. Raises speech_failed, not_media, audio_track_missing, media_damaged, no_audio.
    """
    total_n = max(1, round(request.duration_s * SAMPLE_RATE_HZ))
    folder = Path(request.chunk_cache)
    folder.mkdir(parents=True, exist_ok=True)
    report = _growing(report)
    clip_cache, chunk_store = ClipCache(folder), ChunkStore(folder)
    measured = _clips(request, clip_cache, lambda done: report(_PREPARING * done))
    clips = [clip.stored for clip in measured]
    with Sources(request, folder) as sources:
        chosen = levels.choose(
            _wishes(request),
            *sources.energies(-(-total_n // ENERGY_N)),
            _voices(request, measured),
            CODED_CEILING_DBTP,
        )
        del measured  # it grows with the film, and so does what was freed
        give_freed_memory_back()
        track = _Track(request, total_n, chosen, clips, sources, clip_cache, chunk_store)
        chunks, made = track.at_target(lambda done: report(_PREPARING + (_MIXED - _PREPARING) * done))
    for path, codec in _packet_files(request):
        with packet_file(codec, path, total_n) as writer:
            for chunk in chunks:
                writer.write(chunk_store.packets(chunk, codec) or [])
    _forget(folder, clip_cache.used | chunk_store.used | sources.used)
    report(1.0)
    loudness = _loudness(made)
    peak = max(chunk.peak for chunk in made.levels)
    return MixReport(
        total_n / SAMPLE_RATE_HZ, _finite(loudness), _finite(dbtp(peak)), len(clips), made.made, made.found
    )


class _Track:
    """The chunks at one gain, and at another where the first has missed the target."""

    def __init__(
        self,
        request: MixRequest,
        total_n: int,
        chosen: Levels,
        clips: list[StoredClip],
        sources: Sources,
        clip_cache: ClipCache,
        store: ChunkStore,
    ) -> None:
        self._request, self._total_n, self._chosen, self._sources, self._clip_cache, self._store = (
            request,
            total_n,
            chosen,
            sources,
            clip_cache,
            store,
        )
        self._codecs = [codec for _, codec in _packet_files(request)]
        self._layers = sources.layers(chosen)
        self._placed = [
            PlacedClip(clip, round(asked.start_s * SAMPLE_RATE_HZ), voice_db)
            for asked, clip, voice_db in zip(request.clips, clips, chosen.voices_db, strict=True)
        ]

    def at_target(self, report: Report) -> tuple[list[Chunk], Made]:
        """Every chunk made, and `audio_out` written, at the gain that reaches the target."""
        gain_db = self._chosen.gain_db
        tried: list[tuple[float, float]] = []
        while True:
            chunks = plan(self._total_n, self._layers, self._placed, gain_db, CODED_CEILING_DBTP)
            # measure first: the gain will be corrected, so encoding now would be wasted
            measure_only = self._missed_before(chunks)
            made = self._make(chunks, gain_db, report, measure_only=measure_only)
            tried.append((gain_db, _loudness(made)))
            better_db = _corrected(self._request.target_lufs, tried, self._chosen.most_db)
            if better_db == gain_db:
                if measure_only:
                    made = self._make(chunks, gain_db, report)
                return chunks, made
            self._store.forget_packets(chunks, self._codecs)
            gain_db = better_db

    def _missed_before(self, chunks: Sequence[Chunk]) -> bool:
        """Whether an earlier run has measured these and then not kept their packets."""
        return any(self._store.measured_only(chunk, self._codecs[0]) for chunk in chunks)

    def _make(self, chunks: list[Chunk], gain_db: float, report: Report, *, measure_only: bool = False) -> Made:
        mix = Mix(self._layers, gain_db, CODED_CEILING_DBTP)
        self._sources.rewind()
        everything = self._store, self._clip_cache, self._sources.hear, self._request.threads
        path, wished = self._request.audio_out, self._request.audio_format
        if measure_only:
            return make(chunks, mix, self._codecs[:1], *everything, measure_only=True, report=report)
        if path is None or wished in _PACKETS_OF:
            return make(chunks, mix, self._codecs, *everything, report=report)
        with sound_file(Path(path), wished) as writer:
            return make(chunks, mix, self._codecs, *everything, sink=writer.write, report=report)


def _wishes(request: MixRequest) -> MixChoices:
    return MixChoices(
        request.background,
        request.ducking,
        request.keep_db,
        request.original_spans,
        request.target_lufs,
        request.gentle,
    )


def _clips(request: MixRequest, cache: ClipCache, report: Report) -> list[MeasuredClip]:
    """Every clip made ready and measured, several at once. `report` hears first how many an earlier run has left, and
    nothing when that is all."""
    cuts = [
        Cut(clip.path, clip.trim_start_s, clip.trim_end_s, max(1, round(clip.duration_s * SAMPLE_RATE_HZ)))
        for clip in request.clips
    ]
    ready = []
    with ThreadPoolExecutor(max(1, request.threads)) as pool:
        names = list(pool.map(cache.name, cuts))
        lacking = [not cache.has(name) for name in names]
        done = len(cuts) - sum(lacking)
        if done and any(lacking):
            report(done / len(cuts))
        for clip, is_new in zip(pool.map(cache.clip, cuts, names), lacking, strict=True):
            ready.append(clip)
            if is_new:
                done += 1
                report(done / len(cuts))
    return ready


def _voices(request: MixRequest, clips: list[MeasuredClip]) -> list[ClipLevels]:
    return [
        ClipLevels(
            round(asked.start_s * SAMPLE_RATE_HZ),
            clip.stored.cut.length_n,
            clip.energies,
            clip.peaks,
            asked.level_db,
            asked.line,
        )
        for asked, clip in zip(request.clips, clips, strict=True)
    ]


def _packet_files(request: MixRequest) -> list[tuple[Path, PacketCodec]]:
    """The files that are made of cached packets."""
    files = [(Path(request.out), OPUS if request.codec == AudioCodec.OPUS else AAC)]
    if request.audio_out is not None and request.audio_format in _PACKETS_OF:
        files.append((Path(request.audio_out), _PACKETS_OF[request.audio_format]))
    return files


def _corrected(target_lufs: float | None, tried: list[tuple[float, float]], most_db: float) -> float:
    """A gain that comes nearer to the target than the last one; that one, where nothing better is known."""
    gain_db, loudness = tried[-1]
    if (
        target_lufs is None
        or loudness == SILENT_LUFS
        or abs(target_lufs - loudness) <= _MISSED_LU
        or len(tried) > _CORRECTIONS
    ):
        return gain_db
    slope = 1.0  # LU per dB; less where the limiter takes some of it
    if len(tried) > 1 and tried[-2][0] != gain_db:
        slope = min(max((loudness - tried[-2][1]) / (gain_db - tried[-2][0]), 0.25), 1.0)
    return min(levels.rounded(gain_db + (target_lufs - loudness) / slope, levels.GAIN_STEP_DB), max(most_db, gain_db))


def _loudness(made: Made) -> float:
    return integrated_lufs(np.concatenate([chunk.energies for chunk in made.levels]))


def _growing(report: Report) -> Report:
    """Never back: a second attempt only takes longer."""
    most = 0.0

    def forward(done: float) -> None:
        nonlocal most
        most = max(most, done)
        report(most)

    return forward


def _forget(folder: Path, used: set[str]) -> None:
    """Delete what this run has not used: chunks and clips from before the last edit, and leftovers of killed runs."""
    for file in folder.iterdir():
        if file.name not in used and file.name.endswith(_OWN):
            file.unlink(missing_ok=True)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
