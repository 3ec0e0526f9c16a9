"""A server to be measured: started as `autodubber serve` on a free port and a fresh data folder, stopped at the end."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil


class Server:
    """A running server; `started_s` is from the start of the process to the first 200."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started_s: float, data: Path) -> None:
        self.process, self.port, self.started_s, self.data = process, port, started_s, data
        self.url = f"http://127.0.0.1:{port}"

    def memory_bytes(self) -> int:
        """Private memory and a fair share of the shared, over all processes of the server (PSS)."""
        top = psutil.Process(self.process.pid)
        return sum(process.memory_full_info().pss for process in [top, *top.children(recursive=True)])

    def cpu_s(self) -> float:
        """The processor seconds of all processes of the server so far."""
        top = psutil.Process(self.process.pid)
        return sum(sum(process.cpu_times()[:2]) for process in [top, *top.children(recursive=True)])

    def modules(self, *names: str) -> list[str]:
        """Which of the shared libraries' names are mapped by the server's processes."""
        top = psutil.Process(self.process.pid)
        maps = "".join(
            Path(f"/proc/{process.pid}/maps").read_text() for process in [top, *top.children(recursive=True)]
        )
        return [name for name in names if name in maps]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(
    path: str = "/health/live", data: Path | None = None, checkout: Path | None = None, **environment: str
) -> Iterator[Server]:
    """Start a server and wait until `path` answers 200; `checkout` names another source folder, whose program is
    run."""
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        where = data or Path(folder) / "data"
        port = free_port()
        program = checkout / ".venv/bin/autodubber" if checkout else Path(sys.executable).with_name("autodubber")
        env = {**os.environ, "AUTODUBBER_DATA": str(where), "AUTODUBBER_PORT": str(port), **environment}
        log = (Path(folder) / "log").open("w+b")
        started = time.perf_counter()
        process = subprocess.Popen([program, "serve"], env=env, stdout=log, stderr=log)
        try:
            while True:
                if process.poll() is not None or time.perf_counter() - started > 60:
                    log.seek(0)
                    raise SystemExit(f"the server did not start:\n{log.read().decode(errors='replace')[-4000:]}")
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                try:
                    connection.request("GET", path)
                    if connection.getresponse().status == 200:
                        break
                except OSError:
                    time.sleep(0.005)
                finally:
                    connection.close()
            yield Server(process, port, time.perf_counter() - started, where)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
