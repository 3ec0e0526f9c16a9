"""Placements and the original's sound -> one track: mixed block by block, at broadcast loudness, under -1 dBTP, as M4A.

Levels are set before the first sample is mixed, from energies alone: every line gets the same loudness, the original is lowered to a set
distance under it, and one gain brings the whole to the target. They are rounded, so that an edited line moves no other line's samples
and its neighbours' encoded chunks stay valid. Memory does not grow with the length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from app.domain.job import Background
from app.dubbing import ducking, levels
from app.dubbing.clips import ClipCache
from app.dubbing.encode import ChunkedEncoder
from app.dubbing.levels import Voice
from app.dubbing.limiter import DELAY_N, Limiter, PeakMeter
from app.dubbing.loudness import ENERGY_N, SAMPLE_RATE_HZ, Doubles, Floats, KMeter, integrated_lufs, linear
from app.dubbing.tasks import MixClip, MixReport, MixRequest
from app.media.decode import audio_blocks, open_input
from app.media.encode import M4aWriter

CEILING_DBTP = -1.0
_AAC_OVERSHOOT_DB = 1.0  # what lossy coding adds to peaks (EBU R 128 s1 advises the same margin)
_BLOCK_N = SAMPLE_RATE_HZ
_PREPARING = 0.25  # the share of the work that is done when every clip is ready

Report = Callable[[float], None]


class _Placed(msgspec.Struct, frozen=True):
    """A clip in samples, with the factor that it is mixed with."""

    clip: MixClip
    start_n: int
    length_n: int
    gain: float


def mixdown(request: MixRequest, report: Report) -> MixReport:
    """Mix and encode; when it returns, `out` is complete and lasts `duration_s` to the sample. `report` gets 0..1.

    A source that ends early, has no sound or is None is silence from there on; without `energies` the source is measured first.
    Raises speech_failed, not_media, audio_track_missing, media_damaged.
    """
    total_n = round(request.duration_s * SAMPLE_RATE_HZ)
    folder = Path(request.chunk_cache)
    folder.mkdir(parents=True, exist_ok=True)
    cache = ClipCache(folder)
    voices = _voices(request, cache, lambda done: report(_PREPARING * done))
    spans = [(clip.start_s, clip.start_s + clip.duration_s) for clip in request.clips]
    source = _audible_source(request)
    energies = _source_energies(request, source, -(-total_n // ENERGY_N))
    chosen = levels.choose(request.background, energies, voices, spans, request.kept, request.target_lufs)
    gain = linear(chosen.gain_db)
    clips = [
        _Placed(clip, voice.start_n, voice.length_n, linear(voice_db) * gain)
        for clip, voice, voice_db in zip(request.clips, voices, chosen.voices_db, strict=True)
    ]
    background = _background(source, request.audio_track, total_n, chosen.background, gain)
    meter, peaks = KMeter(), PeakMeter()
    with M4aWriter(Path(request.out), total_n) as writer, ChunkedEncoder(writer, folder, request.threads) as encoder:
        done_n = 0
        for block in _limited(_with_voices(background, clips, cache), CEILING_DBTP - _AAC_OVERSHOOT_DB):
            meter.push(block)
            peaks.push(block)
            encoder.push(block)
            done_n += len(block)
            report(_PREPARING + (1 - _PREPARING) * min(done_n / max(total_n, 1), 1.0))
        encoder.finish()
    _forget(folder, cache.used | encoder.used)
    loudness = integrated_lufs(meter.energies())
    return MixReport(total_n / SAMPLE_RATE_HZ, _finite(loudness), _finite(peaks.dbtp), len(clips), encoder.encoded, encoder.cached)


def _voices(request: MixRequest, cache: ClipCache, report: Report) -> list[Voice]:
    """Every clip made ready and measured."""
    voices = []
    for index, clip in enumerate(request.clips):
        length_n = max(1, round(clip.duration_s * SAMPLE_RATE_HZ))
        energies = cache.energies(Path(clip.path), clip.trim_start_s, clip.trim_end_s, length_n)
        voices.append(Voice(round(clip.start_s * SAMPLE_RATE_HZ), length_n, energies))
        report((index + 1) / len(request.clips))
    return voices


def _audible_source(request: MixRequest) -> Path | None:
    """The source, if it has sound and any of it stays."""
    if request.source is None or (request.background == Background.REPLACE and not request.kept):
        return None
    with open_input(Path(request.source)) as container:
        return Path(request.source) if len(container.streams.audio) else None


def _source_energies(request: MixRequest, source: Path | None, count: int) -> Doubles:
    """The source's energies, exactly `count` of them: silence where it has ended."""
    if source is None:
        return np.zeros(count)
    if request.energies is not None:
        energies = np.fromfile(request.energies, "<f4").astype(np.float64)
    else:
        meter = KMeter()
        for block in audio_blocks(source, request.audio_track):
            meter.push(block)
        energies = meter.energies()
    return np.pad(energies[:count], (0, max(0, count - len(energies))))


def _background(source: Path | None, track: int, total_n: int, shape: ducking.Gain, gain: float) -> Iterator[tuple[int, Floats]]:
    """(position, block) from 0 to `total_n`: the original at its level of the moment, silence after its end. Blocks may be written to."""
    at_n = 0
    blocks = audio_blocks(source, track, block_n=_BLOCK_N) if source is not None else iter(())
    while at_n < total_n:
        block = next(blocks, None)
        count_n = min(_BLOCK_N, total_n - at_n)
        out = np.zeros((count_n, 2), np.float32)
        if block is not None:
            heard_n = min(len(block), count_n)
            out[:heard_n] = block[:heard_n] * (shape.block(at_n, heard_n) * np.float32(gain))
        yield at_n, out
        at_n += count_n


def _with_voices(background: Iterator[tuple[int, Floats]], clips: list[_Placed], cache: ClipCache) -> Iterator[Floats]:
    """The blocks with every clip added at its place; only the clips that sound now are in memory."""
    coming = sorted(clips, key=lambda placed: placed.start_n, reverse=True)
    sounding: list[tuple[int, Floats]] = []
    for at_n, block in background:
        end_n = at_n + len(block)
        while coming and coming[-1].start_n < end_n:
            placed = coming.pop()
            samples = cache.samples(Path(placed.clip.path), placed.clip.trim_start_s, placed.clip.trim_end_s, placed.length_n)
            sounding.append((placed.start_n, samples * np.float32(placed.gain)))
        for start_n, samples in sounding:
            first_n, last_n = max(start_n, at_n), min(start_n + len(samples), end_n)
            block[first_n - at_n : last_n - at_n] += samples[first_n - start_n : last_n - start_n, None]
        sounding = [(start_n, samples) for start_n, samples in sounding if start_n + len(samples) > end_n]
        yield block


def _limited(blocks: Iterator[Floats], ceiling_dbtp: float) -> Iterator[Floats]:
    """The same number of samples at the same positions, limited."""
    limiter = Limiter(ceiling_dbtp)
    skip_n = DELAY_N
    for block in blocks:
        out = limiter.push(block)
        yield out[skip_n:]
        skip_n = max(0, skip_n - len(out))
    yield limiter.flush()[skip_n:]


def _forget(folder: Path, used: set[str]) -> None:
    """Delete what this run has not used: chunks and clips from before the last edit, and leftovers of killed runs."""
    for file in folder.iterdir():
        if file.name not in used and file.name.endswith((".aac", ".clip.npz", ".tmp")):
            file.unlink(missing_ok=True)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
