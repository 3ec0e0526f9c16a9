"""One server for one data folder: the lock, who holds it, and when it goes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import main as cli
from app.server import granian
from app.system import data_lock, exit_status

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the folder."""
    claim = f"from app.system import data_lock; data_lock.claim(pathlib.Path({str(tmp_path)!r}))"
    code = f"import pathlib, sys; {claim}; print('mine', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_is_owned_by_one_process_which_is_named(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    assert data_lock.owner(tmp_path) == str(holder.pid)
    with pytest.raises(data_lock.InUse, match=f"process {holder.pid}"):
        data_lock.claim(tmp_path)


def test_a_killed_owner_owns_nothing(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert data_lock.owner(tmp_path) is None
    data_lock.claim(tmp_path)
    assert data_lock.owner(tmp_path) == str(os.getpid())
    data_lock.claim(tmp_path)  # again: ours already


def test_asking_for_the_owner_makes_nothing(tmp_path: Path) -> None:
    assert data_lock.owner(tmp_path / "absent") is None
    assert list(tmp_path.iterdir()) == []


def test_a_second_server_on_the_folder_is_refused_in_one_line(
    holder: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODUBBER_DATA", str(tmp_path))
    assert cli.main(["serve"]) == exit_status.ENVIRONMENT
    err = capsys.readouterr().err
    assert str(holder.pid) in err and "--data" in err and err.count("\n") == 1


def test_a_taken_port_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODUBBER_DATA", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("AUTODUBBER_PORT", str(taken.getsockname()[1]))
        assert cli.main(["serve"]) == exit_status.ENVIRONMENT
    err = capsys.readouterr().err
    assert "--port" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("dub.home", "http://dub.home:80"),
    ],
)
def test_the_address_to_open_is_one_that_a_browser_takes(host: str, url: str) -> None:
    assert granian.url_of(host, 80) == url


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_worker_dies_with_its_starter() -> None:
    script = """
import os, sys, time
from app.system import data_lock
parent = os.getpid()
if os.fork() == 0:
    data_lock.die_with(parent)
    print(os.getpid(), flush=True)
    time.sleep(60)
time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    assert int(starter.stdout.readline()) != starter.pid
    starter.kill()
    starter.wait()
    assert starter.stdout.read() == "", "the pipe ends when the last holder, the worker, is dead"


def test_a_worker_whose_starter_is_already_gone_ends_at_once() -> None:
    code = "from app.system import data_lock; data_lock.die_with(1 << 30); print('still here')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL and done.stdout == ""
