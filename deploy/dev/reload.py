"""Runs a program and starts it again whenever a Python file under a folder has changed: `python reload.py FOLDER --
PROGRAM [ARGUMENT]...`.

For development (compose.dev.yaml). It looks at the files twice a second instead of waiting for events, which do not
cross the border to a virtual machine; two hundred files cost it 2 ms. A program that ended by itself (a syntax error)
is started again at the next change. Standard library only.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

LOOK_EVERY_S = 0.5
STOP_WITHIN_S = 12.0  # the server's own limit is 10


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Every Python file with its time and size. One that vanishes meanwhile is not there."""
    found = {}
    for path in folder.rglob("*.py"):
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found[str(path)] = (state.st_mtime_ns, state.st_size)
    return found


def stop(program: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and see that it did."""
    program.terminate()
    try:
        program.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def main(folder: Path, command: list[str]) -> int:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    before, program = seen(folder), subprocess.Popen(command)  # noqa: S603
    while not ended.wait(LOOK_EVERY_S):
        now = seen(folder)
        if now == before:
            continue
        changed = sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))
        print(
            f"reload: {changed[0]}{f' and {len(changed) - 1} more' if len(changed) > 1 else ''}",
            file=sys.stderr,
            flush=True,
        )
        stop(program)
        before, program = now, subprocess.Popen(command)  # noqa: S603
    stop(program)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[2] != "--":
        sys.exit("usage: python reload.py FOLDER -- PROGRAM [ARGUMENT]...")
    sys.exit(main(Path(sys.argv[1]), sys.argv[3:]))
