"""The thousand damaged files: which, and what became of them."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.hostile.mill import Case, Fate
from tests.hostile.mutate import mutant
from tests.unit.media.samples import sample

_PICTURES = (
    "plain.mp4 fragmented.mp4 front.mp4 pcm.mov turned.mp4 covered.mp4 av1.mp4 plain.3gp plain.mkv two_languages.mkv "
    "ac3.mkv hevc.mkv plain.webm "
    "vp9.webm plain.avi h264.avi plain.ts offset.ts plain.flv h264.flv plain.wmv plain.mpg theora.ogv plain.mxf "
    "short.dv"
)
_SOUNDS = (
    "plain.mp3 covered.mp3 plain.wav plain.flac plain.m4a plain.ogg plain.opus plain.aac plain.wma plain.caf plain.amr"
)
BASES = (*_PICTURES.split(), *_SOUNDS.split())
COUNT = 1_000
RENDERED_SHARE = 8  # of every eight, one goes on to the mix and the mux
BURNED_SHARE = 24  # and of three of those, one gets its subtitles burned into the picture


def damaged(number: int) -> tuple[str, bytes]:
    """File `number` of the thousand: its name and its bytes."""
    base = BASES[number % len(BASES)]
    return f"{number}-{base}", mutant(_bytes(base), number)


@functools.cache
def _bytes(base: str) -> bytes:
    return sample(base).read_bytes()


def grind(folder: Path, numbers: range, track: Path, timeout_s: float) -> list[Fate]:
    """Put these files through the mill."""
    files, out = folder / "files", folder / "out"
    files.mkdir()
    out.mkdir()
    cases = []
    for number in numbers:
        name, data = damaged(number)
        (files / name).write_bytes(data)
        turn = number // len(BASES)
        cases.append(Case(str(files / name), turn % RENDERED_SHARE == 0, turn % BURNED_SHARE == 0, str(track)))
    command = [sys.executable, "-m", "tests.hostile.mill", str(out)]
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # a process with threads cannot be forked safely
    ran = subprocess.run(
        command, input=msgspec.json.encode(cases), stdout=subprocess.PIPE, timeout=timeout_s, env=environ, check=True
    )
    return msgspec.json.decode(ran.stdout, type=list[Fate])
