"""The server as processes: it stops when told, dies whole, and comes back."""

from __future__ import annotations

import signal
import time

import httpx
import psutil
from websockets.sync.client import connect

from app.system import data_lock
from tests.integration.running import Running


def worker_of(server: Running) -> psutil.Process:
    assert server.process is not None
    pid = data_lock.owner(server.data)
    assert pid, "the worker owns the data folder"
    return psutil.Process(int(pid))


def test_an_open_socket_does_not_hold_a_stop_up(server: Running) -> None:
    assert server.process is not None
    with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
        socket.recv(timeout=10)
        assert server.stop() < 15
    assert server.process.returncode == 0
    assert "Traceback" not in server.logged()


def test_the_worker_dies_with_the_server_and_the_folder_is_free(server: Running) -> None:
    assert server.process is not None
    worker = worker_of(server)
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    worker.wait(timeout=5)
    assert data_lock.owner(server.data) is None
    server.start()
    assert worker_of(server).pid != worker.pid


def test_a_worker_that_dies_is_replaced(server: Running) -> None:
    assert server.process is not None
    first = worker_of(server)
    first.kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if (data_lock.owner(server.data) or str(first.pid)) != str(first.pid) and server.client.get(
                "/health/ready"
            ).status_code == 200:
                break
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    assert worker_of(server).pid != first.pid and server.process.poll() is None


def test_the_address_is_told_when_it_answers(server: Running) -> None:
    while f"answers on {server.url} after" not in server.logged():
        time.sleep(0.02)
    assert str(server.data) in server.logged()
