"""No library reports home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPORTS = """
import app, socket, sys
from app.speech.whisper.vad import silero_path
import onnxruntime
session = onnxruntime.InferenceSession(str(silero_path()), providers=["CPUExecutionProvider"])
"""


def test_onnx_runtime_makes_no_identifier_and_no_reporter(tmp_path: Path) -> None:
    """With its reports it writes a session file into the folder for temporary files when it is imported."""
    clean = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    places = {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", REPORTS], env=clean | places, check=True)
    assert list(tmp_path.rglob("*")) == []
