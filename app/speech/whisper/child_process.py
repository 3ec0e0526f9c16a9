"""What the child processes of recognition share: events on stdout, failures as catalogue codes, packages left out."""

from __future__ import annotations

import contextlib
import sys
import threading
import types
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from app.system.disk_full import is_disk_full

_writing = threading.Lock()


class WhisperFailure(Exception):
    """A catalogue code and its detail, for the parent."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def emit(**event: Any) -> None:
    """Write one event; may be called from any thread."""
    with _writing:
        sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """The child's work: what is known to go wrong in it leaves as a "failed" event."""
    # not on every system: under memory pressure the kernel kills this process before the server
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        yield
    except WhisperFailure as failure:
        emit(event="failed", code=failure.code, detail=failure.detail)
    except MemoryError:
        emit(event="failed", code="out_of_memory", detail="")
    except (wave.Error, EOFError) as error:
        emit(event="failed", code="recognition_failed", detail=f"The recognition track cannot be read: {error}.")
    except OSError as error:
        if not is_disk_full(error):
            raise
        emit(event="failed", code="disk_full", detail="")
    except RuntimeError as error:
        if not is_memory(error):
            raise
        emit(event="failed", code="out_of_memory", detail="On the graphics card." if "CUDA" in str(error) else "")


def is_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(
        sign in str(error).lower() for sign in ("out of memory", "not enough memory", "can't allocate memory")
    )


def leave_numba_out() -> None:
    """Before `import whisper`: it compiles two functions for word times with numba, which is 200 MB with LLVM.

    They stay uncompiled; one that is called says so. `app.speech.whisper.word_alignment` is used in their place.
    """

    def jit(**_: Any) -> Any:
        def refuse(function: Any) -> Any:
            def missing(*_arguments: Any) -> Any:
                raise NotImplementedError(f"whisper.timing.{function.__name__} needs numba")

            return missing

        return refuse

    sys.modules.setdefault("numba", types.SimpleNamespace(jit=jit))  # type: ignore[arg-type]  # all that whisper takes of it
