"""A child for tests of `WarmChild`: `python -m tests.doubles.answering_child`. It answers with its process id."""

from __future__ import annotations

import json
import os
import sys
import time

for line in sys.stdin.buffer:
    asked = json.loads(line)
    if asked == "die":
        sys.exit("as it was told")
    if asked == "sleep":
        time.sleep(600)
    answer = {"pid": os.getpid(), "bytes": 3}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\nabc")
    sys.stdout.buffer.flush()
