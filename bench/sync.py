"""How far placed clips are from where they belong, read from the finished file: noise bursts at known times through the
real mix and mux.

    python -m bench.sync [--minutes 60] [--lines 700] [--kinds mp4 mkv ts vfr webm] [--threads 2]

Prints one table. "lag" is where a burst fits best (cross-correlation), "onset" where it is first heard (a tenth of its
loudest), both against the time that was asked for, on the finished file's own clock, decoded by the ffmpeg program;
"picture" is how far any frame has moved.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import av
import msgspec
import numpy as np

from app.domain.dub_options import AudioCodec, Background, Container
from app.domain.media import MediaInfo
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video import mux
from app.dubbing.video.containers import choose
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import Ingested, IngestRequest, MixClip, MixReport, MixRequest, ProbeRequest
from app.media.ffmpeg import tool
from app.system.children import NO_LIMITS

RATE_HZ = 48_000
CLIP_HZ = 24_000  # what most voices give
BURST_S = 0.06
_WINDOW_S = 0.1  # how far from its place a burst is looked for
LIMIT_MS = 5.0

KINDS = ("mp4", "mkv", "ts", "vfr", "webm")


class Row(msgspec.Struct, frozen=True):
    """The worst and the usual error of one kind of file, in ms; `length_ms` is the finished file's length minus the
    source's."""

    kind: str
    finished: str
    bursts: int
    lag_worst_ms: float
    lag_median_ms: float
    onset_worst_ms: float
    picture_ms: float
    length_ms: float


def make_source(folder: Path, kind: str, minutes: float) -> Path:
    """A small film with sound: half a minute, looped without being encoded again. "ts" starts at 1234 s, "vfr" has
    frames of all lengths."""
    unit, seconds = folder / f"unit-{kind}.{'webm' if kind == 'webm' else 'mp4'}", minutes * 60
    vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"]
    h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "50", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    drop = (
        ["-vf", r"select='not(mod(n\,3))*lt(mod(n\,200)\,90)+gte(mod(n\,200)\,90)'", "-fps_mode", "vfr"]
        if kind == "vfr"
        else []
    )
    sound = ["-f", "lavfi", "-i", "sine=f=220:r=48000:d=30"]
    _ffmpeg(
        "-f", "lavfi", "-i", "testsrc=s=160x120:r=25:d=30", *sound, *drop, *(vp9 if kind == "webm" else h264), str(unit)
    )
    out = folder / f"source-{kind}.{'mp4' if kind == 'vfr' else kind}"
    offset = ["-output_ts_offset", "1234"] if kind == "ts" else []
    _ffmpeg(
        "-stream_loop", str(int(seconds // 30)), "-i", str(unit), "-c", "copy", "-t", str(seconds), *offset, str(out)
    )
    return out


def make_burst(path: Path) -> np.ndarray:
    """A burst of noise as a voice's clip; returns it at 48 kHz, as it should be heard."""
    from scipy.signal import resample_poly

    samples = np.random.default_rng(7).uniform(-0.5, 0.5, round(BURST_S * CLIP_HZ))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(CLIP_HZ)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return np.asarray(resample_poly(samples, RATE_HZ // CLIP_HZ, 1))


async def measure(kind: str, folder: Path, minutes: float, lines: int, threads: int) -> Row:
    """Dub one film with bursts at random times and look for them in the finished file."""
    source, burst = make_source(folder, kind, minutes), make_burst(folder / "burst.wav")
    info = await run_task("probe", ProbeRequest(str(source)), MediaInfo, report=_silent, limits=NO_LIMITS)
    request = IngestRequest(
        path=str(source), out=str(folder), audio_track=0, max_duration_s=1e6, size_bytes=info.size_bytes
    )
    duration_s = (await run_task("ingest", request, Ingested, report=_silent, limits=NO_LIMITS)).duration_s
    # The first and the last moment of the film belong to it; in between, times that no block, frame or chunk begins at.
    slots = np.linspace(0, duration_s - BURST_S - 0.5, lines)
    times = np.sort(
        slots + np.random.default_rng(3).uniform(0.0, min(0.4, slots[1] / 2), lines) * (np.arange(lines) > 0)
    )
    codec = AudioCodec.OPUS if kind == "webm" else AudioCodec.AAC
    track = folder / f"track.{'opus' if codec == AudioCodec.OPUS else 'm4a'}"
    clips = tuple(MixClip(str(folder / "burst.wav"), float(at_s), BURST_S, 1.0, 0.0, 0.0) for at_s in times)
    mix = MixRequest(
        source=None,
        source_id="",
        audio_track=0,
        duration_s=duration_s,
        clips=clips,
        background=Background.REPLACE,
        energies=None,
        chunk_cache=str(folder / f"cache-{codec}"),
        out=str(track),
        threads=threads,
        codec=codec,
    )
    await run_task("mix", mix, MixReport, report=_silent, limits=NO_LIMITS)
    wished = {"mkv": Container.MKV, "webm": Container.WEBM}.get(kind, Container.AUTO)
    assert info.video is not None
    out = folder / f"finished-{kind}.{choose(wished, info.video.codec, is_opus=codec == AudioCodec.OPUS)}"
    cues = tuple(Cue(float(at_s), float(at_s) + BURST_S, "burst") for at_s in times)
    asked = mux.MuxRequest(
        source=source,
        out=out,
        info=info,
        duration_s=duration_s,
        dubs=(mux.DubbedTrack(track, codec.value, "en"),),
        work=folder,
        lines=(mux.CueTrack(cues, "en", "Dub"),),
    )
    await mux.mux(asked, _silent)
    lags_ms, onsets_ms = _errors_ms(out, burst, times, folder / "decoded.raw")
    made = await run_task("probe", ProbeRequest(str(out)), MediaInfo, report=_silent, limits=NO_LIMITS)
    moved_ms = 1000 * float(np.abs(picture_times(source) - picture_times(out)).max())
    return Row(
        kind,
        out.suffix[1:],
        lines,
        _worst(lags_ms),
        float(np.median(np.abs(lags_ms))),
        _worst(onsets_ms),
        moved_ms,
        1000 * (made.duration_s - duration_s),
    )


def _errors_ms(path: Path, burst: np.ndarray, times: np.ndarray, raw: Path) -> tuple[np.ndarray, np.ndarray]:
    """(lags, onsets) of every burst, ms later than asked for."""
    _ffmpeg(
        "-i",
        str(path),
        "-map",
        "0:a:0",
        "-af",
        "aresample=async=1:first_pts=0",
        "-ac",
        "1",
        "-ar",
        str(RATE_HZ),
        "-f",
        "s16le",
        str(raw),
    )
    heard = np.memmap(raw, "<i2", "r")
    pad_n = round(_WINDOW_S * RATE_HZ)
    reference = np.flatnonzero(np.abs(burst) > 0.1 * np.abs(burst).max())[0]
    lags, onsets = [], []
    for at_s in times:
        at_n = round(at_s * RATE_HZ)
        first_n = max(0, at_n - pad_n)
        part = heard[first_n : at_n + len(burst) + pad_n].astype(np.float64)
        lag_n = int(np.correlate(part, burst, "valid").argmax()) + first_n
        onset_n = int(np.flatnonzero(np.abs(part) > 0.1 * np.abs(part).max())[0]) + first_n - int(reference)
        lags.append(lag_n / RATE_HZ - at_s)
        onsets.append(onset_n / RATE_HZ - at_s)
    return 1000 * np.array(lags), 1000 * np.array(onsets)


def picture_times(path: Path) -> np.ndarray:
    """When each frame is shown, in seconds from the file's beginning."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / 1e6
        packets = container.demux(container.streams.video[0])
        return np.array(
            sorted(
                float(p.pts * p.time_base) - start_s for p in packets if p.pts is not None and p.time_base is not None
            )
        )


def _worst(errors_ms: np.ndarray) -> float:
    return float(np.abs(errors_ms).max())


def _silent(_: float) -> None:
    pass


def _ffmpeg(*words: str) -> None:
    subprocess.run([tool(), "-v", "error", "-nostdin", "-y", *words], check=True)


async def measure_all(kinds: Sequence[str], minutes: float, lines: int, threads: int) -> list[Row]:
    """Measure one kind after the other; every row of the table is printed when it is known."""
    print(f"{minutes:g} min, {lines} bursts; milliseconds")
    print(
        f"{'source':8}{'finished':>10}{'lag worst':>11}{'median':>8}{'onset worst':>13}{'picture':>9}{'length':>8}",
        flush=True,
    )
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench-sync-") as folder:
        for kind in kinds:
            row = await measure(kind, Path(folder), minutes, lines, threads)
            print(
                f"{row.kind:8}{row.finished:>10}{row.lag_worst_ms:11.3f}{row.lag_median_ms:8.3f}{row.onset_worst_ms:13.3f}{row.picture_ms:9.3f}"
                f"{row.length_ms:8.1f}",
                flush=True,
            )
            rows.append(row)
    return rows


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--minutes", "0.2", "--lines", "4", "--kinds", "mp4", "--threads", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--lines", type=int, default=700)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    rows = asyncio.run(measure_all(asked.kinds, asked.minutes, asked.lines, asked.threads))
    worst_ms = max(max(row.lag_worst_ms, row.onset_worst_ms) for row in rows)
    print(f"worst: {worst_ms:.2f} ms; the limit is {LIMIT_MS:g} ms: {'held' if worst_ms <= LIMIT_MS else 'BROKEN'}")


if __name__ == "__main__":
    main()
