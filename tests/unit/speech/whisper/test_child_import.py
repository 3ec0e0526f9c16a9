"""openai-whisper is imported without numba and LLVM, on every machine alike."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from app.speech.whisper.child_process import leave_numba_out
leave_numba_out()
import whisper
import whisper.timing
assert not [name for name in sys.modules if name.startswith(("numba.", "llvmlite"))]
for function in (whisper.timing.dtw_cpu, whisper.timing.backtrace):
    try:
        function(None)
    except NotImplementedError as error:
        print(error)
"""


def test_whisper_is_imported_without_numba_and_a_function_that_needs_it_says_so() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["whisper.timing.dtw_cpu needs numba", "whisper.timing.backtrace needs numba"]
