"""AutoDubber: re-voice and dub videos on a machine of your own."""

import os

# ONNX Runtime's published builds report to Microsoft unless this is set before they are imported (its Privacy.md).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
