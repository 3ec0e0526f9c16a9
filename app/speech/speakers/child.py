"""The child that tells speakers apart: `python -m app.speech.speakers.child`.

One JSON line on stdin is a request (`Request`). On stdout, one JSON object a line: {"done": lines} as it goes, then
{"groups": [...]}, or {"error": "damaged" | "memory" | "unreadable"}.
"""

from __future__ import annotations

import contextlib
import sys
import wave
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from app.speech.speakers.clustering import grouped
from app.speech.speakers.embedding import RATE_HZ, SIZE, Encoder, Floats

_LONGEST_S = 20.0  # of one line that is listened to


class Request(msgspec.Struct, frozen=True):
    """`speech` is a 16 kHz mono s16 WAV, `spans` the lines (start_s, end_s). `resume_file` gets the vectors as they
    are made: a killed run goes on after them."""

    weights: str
    speech: str
    spans: list[tuple[float, float]]
    count: int | None
    resume_file: str
    threads: int


def vectors_of(request: Request, tell: Any) -> Floats:
    """(n, 256) float32. What an earlier run has kept is not computed again."""
    resume_file = Path(request.resume_file)
    row_bytes = SIZE * 4
    whole = min(resume_file.stat().st_size // row_bytes if resume_file.exists() else 0, len(request.spans))
    with resume_file.open("r+b" if resume_file.exists() else "w+b") as file:
        file.truncate(whole * row_bytes)
        file.seek(0, 2)
        tell(done=whole)
        if whole < len(request.spans):
            encoder = _encoder(request)
            with wave.open(request.speech) as speech:
                for number in range(whole, len(request.spans)):
                    file.write(encoder.embed(_sound(speech, *request.spans[number])).tobytes())
                    file.flush()
                    tell(done=number + 1)
        file.seek(0)
        return np.frombuffer(file.read(), np.float32).reshape(-1, SIZE)


def _encoder(request: Request) -> Encoder:
    try:
        return Encoder(Path(request.weights), request.threads)
    except MemoryError:
        raise
    except Exception as error:  # torch has no common class for what a wrong file makes it raise
        raise _DamagedWeights from error


class _DamagedWeights(Exception):
    pass


def _sound(speech: wave.Wave_read, start_s: float, end_s: float) -> Floats:
    first = min(max(round(start_s * RATE_HZ), 0), speech.getnframes())
    speech.setpos(first)
    data = speech.readframes(round(min(end_s - start_s, _LONGEST_S) * RATE_HZ))
    return np.asarray(np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), np.float32)


def main() -> int:
    # under memory pressure the kernel kills this process before the server; not on every system
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")

    def tell(**event: Any) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
        sys.stdout.buffer.flush()

    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    try:
        seconds = np.array([end_s - start_s for start_s, end_s in request.spans], np.float64)
        tell(groups=grouped(vectors_of(request, tell), seconds, request.count).tolist())
    except _DamagedWeights:
        tell(error="damaged")
    except MemoryError:
        tell(error="memory")
    except (wave.Error, EOFError):
        tell(error="unreadable")
    return 0


if __name__ == "__main__":
    sys.exit(main())
