"""Nobody else on the machine can read what the data folder has, under any umask, after everything that writes there has
run."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.system import file_modes
from tests.integration.running import Running
from tests.integration.speech import spoken_video

SRT = "1\n00:00:01,000 --> 00:00:02,500\nWelcome to the workshop.\n"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> dict[str, str]:
    """What others may do anything with, below the folder and the folder itself."""
    walk = os.walk(folder)  # which passes over a folder that is deleted meanwhile
    below = [Path(parent, name) for parent, folders, files in walk for name in (*folders, *files)]
    paths = [path for path in (folder, *below) if not path.is_symlink()]
    assert len(paths) >= 5
    found: dict[str, int] = {}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # deleted or rotated between the list and the look
            found[str(path.relative_to(folder))] = stat.S_IMODE(path.stat().st_mode)
    return {name: oct(mode) for name, mode in found.items() if mode & 0o077}


def command(running: Running, *arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", *map(str, arguments)],
        env=running.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_data_folder_is_closed_after_a_job_and_all_commands(
    serve: Callable[..., Running], spoken_mp4: Path, tmp_path: Path, open_umask: None
) -> None:
    (tmp_path / "data" / "log").mkdir(parents=True)
    (tmp_path / "data" / "models").mkdir()
    (tmp_path / "data" / "models" / "old").write_bytes(b"from an earlier version")
    log = tmp_path / "data" / "log" / "server.log"
    server = serve(AUTODUBBER_LOG_FILE=str(log), AUTODUBBER_LOG_FILE_BYTES="2000", AUTODUBBER_LOG_LEVEL="debug")
    (tmp_path / "lines.srt").write_text(SRT)
    started = server.upload(spoken_mp4)
    subtitles = server.upload(tmp_path / "lines.srt")
    server.ok(server.client.put("/api/settings/keys/elevenlabs", json={"key": "sk_0123456789abcdef"}))
    job = server.create(started, subtitles=subtitles, voice="espeak:en", review=False, burn_subtitles=True)
    while_running = {}

    def looked(event: dict[str, object]) -> bool:
        """At every event: scratch files come and go."""
        while_running.update(open_to_others(server.data))
        state = event["job"]["state"] if "job" in event else ""  # type: ignore[index]
        assert state != "failed", event
        return state == "completed"

    server.until(job["id"], looked)
    unfinished = server.client.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "5"})
    patch = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    server.client.patch(unfinished.headers["Location"], headers=patch, content=b"abc")
    command(server, "backup")
    command(server, "export", "-o", tmp_path / "jobs.tar")
    assert {"app.sqlite3-wal", "engine.sqlite3", "secret.key", ".lock", "log/server.log"} <= {
        str(path.relative_to(server.data)) for path in server.data.rglob("*")
    }
    assert {
        path.name for path in server.data.iterdir() if not file_modes._OURS.fullmatch(path.name)
    } == set()  # a name that is missing keeps a folder open
    assert while_running == {} and open_to_others(server.data) == {}
    other = Running(tmp_path / "other")
    command(other, "import", tmp_path / "jobs.tar")
    assert open_to_others(other.data) == {}


def test_what_the_command_line_writes_for_the_person_keeps_the_persons_umask(ffmpeg: str, tmp_path: Path) -> None:
    running = Running(tmp_path / "data")
    video = spoken_video(ffmpeg, tmp_path / "a.mp4", [], 3.0)
    (tmp_path / "lines.srt").write_text(SRT)
    before = os.umask(0o027)
    try:
        command(
            running, "dub", video, "--subtitles", tmp_path / "lines.srt", "--voice", "espeak:en", "-o", tmp_path / "out"
        )
    finally:
        os.umask(before)
    results = list((tmp_path / "out").iterdir())
    assert len(results) >= 4
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in results} == {"0o640"}
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750
    assert open_to_others(running.data) == {}
