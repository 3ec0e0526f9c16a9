"""The child process that computes sound: `python -m app.dubbing.worker.child`.

NumPy, SciPy and PyAV live here and never in the server: a file that crashes a decoder ends a child, a cancelled job's
memory comes back at once, and the server's event loop shares no GIL with the work. One JSON request on stdin, JSON
lines on stdout: progress, then a result or an error.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_LIMIT
from app.domain.problems.requests import INTERNAL
from app.domain.problems.uploads import DISK_FULL
from app.system.disk_full import is_disk_full
from app.system.heap import keep_freed_memory

# task -> module, function, request type. A function takes (request, report) and returns a Struct or a tuple of them.
TASKS: Final[dict[str, tuple[str, str, str]]] = {
    "probe": ("app.dubbing.probe", "probe_task", "ProbeRequest"),
    "ingest": ("app.dubbing.ingest", "ingest", "IngestRequest"),
    "fit": ("app.dubbing.timing.fit", "place_task", "FitRequest"),
    "separate": ("app.dubbing.separation.background", "separate", "SeparateRequest"),
    "cut": ("app.dubbing.separation.isolated_pieces", "cut", "CutRequest"),
    "find_voice": ("app.dubbing.separation.isolated_pieces", "find", "VoiceRequest"),
    "mix": ("app.dubbing.mixing.mix", "mixdown", "MixRequest"),
    "outline": ("app.dubbing.video.mux_tables", "outline_task", "OutlineRequest"),
    "join_tracks": ("app.dubbing.video.mux_tables", "join_tracks_task", "JoinTracksRequest"),
    "begin_stream": ("app.dubbing.video.mux_streams", "begin_stream_task", "StreamRequest"),
    "finish_stream": ("app.dubbing.video.mux_streams", "finish_stream_task", "StreamRequest"),
    "encode_sound": ("app.dubbing.video.sound_encode", "encode_sound_task", "EncodeSoundRequest"),
    "join": ("app.dubbing.video.burn_join", "join_task", "JoinRequest"),
}
_REPORT_EVERY_S: Final = 0.1


class TaskRequest(msgspec.Struct, frozen=True):
    task: str
    request: dict[str, Any]


def main() -> int:
    # small matrices: threads would only wait for each other, and each takes address space
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a model's threads sleep while they wait
    soft_s, hard_s = resource.getrlimit(resource.RLIMIT_CPU)
    # the hard limit ends us like an out-of-memory kill would; the soft one says what it was
    if hard_s != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_CPU, (max(1, min(soft_s, hard_s) - 1), hard_s))
    keep_freed_memory()
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a library that prints must not speak into the protocol

    def say(**event: Any) -> None:
        out.write(msgspec.json.encode(event) + b"\n")

    asked = msgspec.convert(json.loads(sys.stdin.buffer.readline()), TaskRequest)
    module_name, function_name, request_name = TASKS[asked.task]
    try:
        module = importlib.import_module(module_name)
        request = msgspec.convert(asked.request, getattr(module, request_name))
        say(result=msgspec.to_builtins(getattr(module, function_name)(request, _throttled(say))))
    except DubError as error:
        say(error={"code": error.problem.code, "detail": error.detail, "extra": error.extra})
    except MemoryError:
        say(error={"code": MEDIA_LIMIT.code, "detail": ""})
    except OSError as error:
        traceback.print_exc()
        # EFBIG: our own limit of a file
        problem = MEDIA_LIMIT if error.errno == errno.EFBIG else DISK_FULL if is_disk_full(error) else INTERNAL
        say(error={"code": problem.code, "detail": ""})
    except Exception:  # the boundary of the process: the traceback goes to stderr, and from there to the server's log
        traceback.print_exc()
        say(error={"code": INTERNAL.code, "detail": ""})
    return 0


def _throttled(say: Callable[..., None]) -> Callable[[float], None]:
    last_s = 0.0

    def report(fraction: float) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s >= _REPORT_EVERY_S:
            last_s = now_s
            say(progress=min(max(fraction, 0.0), 1.0))

    return report


if __name__ == "__main__":
    sys.exit(main())
