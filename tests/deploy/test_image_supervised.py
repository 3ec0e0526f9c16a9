"""The real supervisord with the image's own configuration, over the real server: crashes, a server that cannot start,
stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integration.running import Running

ROOT = Path(__file__).resolve().parents[2]
BACK_WITHIN_S = 5.0


class Supervised(Running):
    """The server as the container runs it, outside a container."""

    def begin(self) -> Supervised:
        path = f"{Path(sys.executable).parent}:{self.environ['PATH']}"
        with self.log.open("ab") as log:
            command = [
                sys.executable,
                "-m",
                "app.server.supervisor",
                "--nodaemon",
                "--configuration",
                str(ROOT / "supervisord.conf"),
            ]
            command += ["--pidfile", str(self.data.parent / "supervisord.pid")]
            self.process = subprocess.Popen(
                command, env=self.environ | {"PATH": path}, stdout=log, stderr=log, start_new_session=True
            )
        return self

    def ready(self, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            assert self.process is not None and self.process.poll() is None, self.logged()
            try:
                if self.client.get("/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.logged())

    def server(self) -> psutil.Process:
        """The process that supervisord started, as soon as there is one."""
        assert self.process is not None
        top = psutil.Process(self.process.pid)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if children := top.children():
                return children[0]
            time.sleep(0.01)
        raise AssertionError(self.logged())


@pytest.fixture
def supervised(tmp_path: Path, whisper_checkpoint: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def begin(**environ: str) -> Supervised:
        made = Supervised(
            tmp_path / "data", AUTODUBBER_MODEL=str(whisper_checkpoint), AUTODUBBER_THREADS="1", **environ
        )
        started.append(made)
        return made.begin()

    yield begin
    for one in started:
        one.close()


def test_a_crash_of_the_server_or_of_its_worker_is_mended_and_a_stop_ends_all_with_status_0(
    supervised: Callable[..., Supervised],
) -> None:
    place = supervised()
    place.ready()
    worker = max(place.server().children(), key=lambda child: child.memory_info().rss)
    worker.kill()
    worker.wait(10)
    place.ready()
    parent = place.server()
    parent.kill()
    killed = time.time()
    psutil.wait_procs([parent], timeout=10)
    again = place.server()
    assert again.pid != parent.pid
    assert again.create_time() - killed < BACK_WITHIN_S
    place.ready()
    family = place.family()
    assert place.process is not None
    assert place.stop() < 10
    assert place.process.returncode == 0, place.logged()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def test_a_server_that_can_never_start_ends_supervisord_with_the_servers_status(
    supervised: Callable[..., Supervised],
) -> None:
    place = supervised(AUTODUBBER_LOG_LEVEL="loud")
    assert place.process is not None
    assert place.process.wait(60) == 2
    logged = place.logged()
    assert logged.count("AUTODUBBER_LOG_LEVEL: expected one of") == 4  # the first start and three more
    assert "the server cannot be started; the container ends with status 2" in logged


def test_a_stop_between_two_attempts_is_a_stop(supervised: Callable[..., Supervised]) -> None:
    place = supervised(AUTODUBBER_LOG_LEVEL="loud")
    assert place.process is not None
    while "expected one of" not in place.logged():
        assert place.process.poll() is None
        time.sleep(0.02)
    os.kill(place.process.pid, signal.SIGTERM)
    assert place.process.wait(20) == 0
