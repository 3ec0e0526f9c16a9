"""Puts many files through the tasks that read a stranger's file, each in a process of its own with the limits of the
real one.

usage: python -m tests.hostile.mill OUT   (a JSON list of `Case` on stdin; a JSON list of `Fate` on stdout)

Starting Python and its libraries a thousand times would be most of the work: everything is imported once, and every
file gets a fork of that.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

import app.dubbing.ingest
import app.dubbing.mixing.mix
import app.dubbing.probe
from app.domain.dub_options import Background, Container
from app.domain.errors import DubError
from app.domain.media import MediaInfo
from app.domain.problems.media import MEDIA_TOO_LONG
from app.dubbing.subtitles.srt_vtt import Cue
from app.dubbing.video.burn import BurnRequest, burn
from app.dubbing.video.containers import choose
from app.dubbing.video.mux import CueTrack, DubbedTrack, MuxRequest, mux
from app.dubbing.worker import client
from app.dubbing.worker.tasks import IngestRequest, MixRequest, ProbeRequest
from app.system.children import Limits

MAX_DURATION_S = 6 * 3600.0  # the default of the settings
HANG_S = 30
BUSY = 4  # a machine that does other things as well may take so many times longer
MEMORY_BYTES = 1 << 30
_CUES = (Cue(0.5, 1.5, "A line."),)
AT_ONCE = min(2, os.cpu_count() or 1)


class Case(msgspec.Struct, frozen=True):
    """A file, and whether it goes on to the mix and the mux (and to the burning of subtitles) when it can be ingested.
    `track` is a dub to mux, AAC in MP4.
    """

    path: str
    renders: bool
    burns: bool
    track: str


class Fate(msgspec.Struct, frozen=True):
    """How it ended: "done", or a catalogue code, or "signal N", or "hang"; in which stage, and what it took of its
    process (and ffmpeg's)."""

    path: str
    end: str
    stage: str
    detail: str
    wall_s: float
    cpu_s: float
    peak_bytes: int


def main() -> int:
    cases = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Case])
    out = Path(sys.argv[1])
    running: dict[int, tuple[Case, Path, float]] = {}
    fates: list[Fate] = []
    for number, case in enumerate(cases):
        folder = out / f"{number}"
        folder.mkdir()
        pid = os.fork()
        if pid == 0:
            _live(case, folder)
        running[pid] = (case, folder, time.monotonic())
        if len(running) >= AT_ONCE:
            fates.append(_reap(running))
    while running:
        fates.append(_reap(running))
    sys.stdout.buffer.write(msgspec.json.encode(fates))
    return 0


def _reap(running: dict[int, tuple[Case, Path, float]]) -> Fate:
    pid, status, usage = os.wait4(-1, 0)
    case, folder, began_s = running.pop(pid)
    code = os.waitstatus_to_exitcode(status)
    said = folder / "fate"
    stage, end, detail = (said.read_text(errors="replace").split("\n", 2) if said.exists() else ["start", "", ""])[:3]
    if code < 0:
        end = "hang" if code == -signal.SIGALRM else f"signal {-code}"
    elif code or not end:
        end = f"exit {code}"
    shutil.rmtree(folder)
    return Fate(
        case.path,
        end,
        stage,
        detail,
        time.monotonic() - began_s,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
    )


def _live(case: Case, folder: Path) -> None:
    """In the fork: the stages one after the other, and what became of them in the file `fate`. Never returns."""
    signal.setitimer(signal.ITIMER_REAL, BUSY * HANG_S)  # SIGALRM ends us, whatever C is doing
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    stage = "probe"

    def tell(end: str, detail: str = "") -> None:
        (folder / "fate").write_text(f"{stage}\n{end}\n{detail}")

    try:
        limits = client.limits_of(ProbeRequest(case.path), Limits())
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 5))
        tell("")
        info = app.dubbing.probe.probe_task(ProbeRequest(case.path), lambda _: None)
        if not info.audio and info.video is None:
            raise AssertionError("described, and nothing in it")
        msgspec.json.encode(info)
        if info.duration_s > MAX_DURATION_S:  # as `pipeline.probe` does
            raise DubError(MEDIA_TOO_LONG)
        stage = "ingest"
        tell("")
        request = IngestRequest(case.path, str(folder), 0, MAX_DURATION_S, info.size_bytes)
        limits = client.limits_of(request, Limits())
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.output_bytes, limits.output_bytes))
        sound = app.dubbing.ingest.ingest(request, lambda _: None)
        if case.renders:
            stage = "mix"
            tell("")
            _mix(case, folder, info, sound.duration_s)
            if info.video is not None:
                stage = "mux"
                tell("")
                _mux(case, folder, info, info.video.codec, sound.duration_s)
                if case.burns:
                    stage = "burn"
                    tell("")
                    _burn(case, folder, info, sound.duration_s)
        tell("done", f"{sound.duration_s:.1f} s")
    except DubError as error:
        tell(error.problem.code, error.detail)
    except MemoryError:
        tell("media_limit")
    except BaseException:
        tell("internal", traceback.format_exc())
    os._exit(0)


def _mix(case: Case, folder: Path, info: MediaInfo, duration_s: float) -> None:
    request = MixRequest(
        source=case.path if info.audio else None,
        source_id="x",
        audio_track=0,
        duration_s=min(duration_s, 120.0),  # encoding hours of silence is no test of anything
        clips=(),
        background=Background.KEEP,
        energies=str(folder / "energies.f32"),
        chunk_cache=str(folder / "cache"),
        out=str(folder / "track.m4a"),
        threads=1,
    )
    app.dubbing.mixing.mix.mixdown(request, lambda _: None)


def _mux(case: Case, folder: Path, info: MediaInfo, codec: str, duration_s: float) -> None:
    request = MuxRequest(
        source=Path(case.path),
        out=folder / f"video.{choose(Container.AUTO, codec, is_opus=False)}",
        info=info,
        duration_s=duration_s,
        dubs=(DubbedTrack(Path(case.track), "aac", "en"),),
        work=folder,
        lines=(CueTrack(_CUES, "en", "Dub"),),
        original=info.audio[0] if info.audio else None,
        limits=Limits(memory_bytes=MEMORY_BYTES, cpu_s=HANG_S),
    )
    asyncio.run(mux(request, lambda _: None))


def _burn(case: Case, folder: Path, info: MediaInfo, duration_s: float) -> None:
    request = BurnRequest(
        source=Path(case.path),
        out=folder / "burned.mp4",
        info=info,
        duration_s=duration_s,
        cues=_CUES,
        work=folder,
        threads=1,
        limits=Limits(memory_bytes=MEMORY_BYTES, cpu_s=HANG_S),
    )
    asyncio.run(burn(request, lambda _: None))


if __name__ == "__main__":
    sys.exit(main())
