"""Model downloads against a local server that stalls, cuts, lies and forgets."""

import asyncio
import errno
import hashlib
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.errors import DubError, Problem
from app.domain.problems.recognition import MODEL_DAMAGED, MODEL_DOWNLOAD
from app.domain.problems.uploads import DISK_FULL
from app.speech import download
from app.speech.whisper.child_process import leave_numba_out
from app.speech.whisper.models import CHECKPOINTS, Checkpoint, ModelStore
from tests.doubles.models import ModelServer

CONTENT = random.Random(7).randbytes(3_000_000)
TINY = Checkpoint("tiny", "tiny.pt", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ModelServer]:
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    async with ModelServer({"tiny.pt": CONTENT}) as running:
        yield running
        running.go_on.set()


def store(folder: Path, url: str, stall_s: float = 5.0) -> ModelStore:
    return ModelStore(folder, url, checkpoints=(TINY,), stall_s=stall_s)


def silent(_done_bytes: int, _total_bytes: int) -> None:
    return None


async def fails(models: ModelStore, problem: Problem) -> DubError:
    with pytest.raises(DubError) as caught:
        await models.fetch("tiny", silent)
    assert caught.value.problem is problem
    return caught.value


async def test_a_model_is_fetched_once_and_known_afterwards(server: ModelServer, tmp_path: Path) -> None:
    models, told = store(tmp_path / "models", server.template), list[tuple[int, int]]()
    assert not models.infos()[0].ready
    path = await models.fetch("tiny", lambda done, total: told.append((done, total)))
    assert path.read_bytes() == CONTENT and path.name == "tiny.pt"
    assert told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told)
    assert await models.fetch("tiny", silent) == path
    assert len(server.ranges) == 1 and models.infos()[0].ready
    assert not list(path.parent.glob("*.part"))


@pytest.mark.parametrize("fault", ["cut 1000000", "stall 1000000"])
async def test_a_broken_download_goes_on_where_it_stopped(server: ModelServer, tmp_path: Path, fault: str) -> None:
    server.faults = [fault, "cut 500000", "status 503"]
    path = await store(tmp_path, server.template, stall_s=0.3).fetch("tiny", silent)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["", "bytes=1000000-", "bytes=1500000-", "bytes=1500000-"]
    assert server.served_bytes == len(CONTENT)


async def test_a_cancelled_download_goes_on_next_time(server: ModelServer, tmp_path: Path) -> None:
    server.faults = ["stall 2000000"]
    task = asyncio.create_task(store(tmp_path, server.template).fetch("tiny", silent))
    await server.stalled.wait()
    part = tmp_path / "tiny.pt.part"
    async with asyncio.timeout(5):
        while download.file_size(part) < 1_000_000:
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    kept = part.stat().st_size
    assert (await store(tmp_path, server.template).fetch("tiny", silent)).read_bytes() == CONTENT
    assert server.ranges[1] == f"bytes={kept}-"


@pytest.mark.parametrize("faults", [["cut 1000", "ignore-range"], ["cut 1000", "shifted"]])
async def test_a_server_that_cannot_resume_still_gives_the_right_file(
    server: ModelServer, tmp_path: Path, faults: list[str]
) -> None:
    server.faults = faults
    assert (await store(tmp_path, server.template).fetch("tiny", silent)).read_bytes() == CONTENT


async def test_a_part_that_is_complete_is_only_checked(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "tiny.pt.part").write_bytes(CONTENT)
    await store(tmp_path, server.template).fetch("tiny", silent)
    assert server.served_bytes == 0


@pytest.mark.parametrize("rest", [CONTENT + b"more", bytes(1000)])
async def test_a_wrong_part_is_thrown_away_and_fetched_anew(server: ModelServer, tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "tiny.pt.part").write_bytes(rest)
    assert (await store(tmp_path, server.template).fetch("tiny", silent)).read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["wrong", "html"])
async def test_other_bytes_than_expected_never_become_a_model(server: ModelServer, tmp_path: Path, fault: str) -> None:
    server.faults = [fault]
    told = await fails(store(tmp_path, server.template), MODEL_DAMAGED)
    assert "127.0.0.1" in told.message and "tiny.pt" in told.message and str(tmp_path) in told.message
    assert not list(tmp_path.glob("tiny*"))


async def test_a_missing_file_is_told_at_once_with_the_remedy(server: ModelServer, tmp_path: Path) -> None:
    server.faults = ["status 404"]
    told = await fails(store(tmp_path, server.template), MODEL_DOWNLOAD)
    assert "404" in told.message and f"put tiny.pt into {tmp_path}" in told.message
    assert len(server.ranges) == 1


async def test_a_server_that_never_gets_further_is_given_up(server: ModelServer, tmp_path: Path) -> None:
    server.faults = ["status 500"] * 99
    told = await fails(store(tmp_path, server.template), MODEL_DOWNLOAD)
    assert told.retryable and len(server.ranges) == 4


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/{file}", "http://no-such-host.invalid/{file}", "not an address/{file}", "http://[/{file}"],
)
async def test_without_network_the_remedy_is_named(server: ModelServer, tmp_path: Path, url: str) -> None:
    told = await fails(store(tmp_path, url), MODEL_DOWNLOAD)
    assert "put tiny.pt into" in told.message or "AUTODUBBER_MODEL_URL" in told.message


async def test_a_full_disk_is_told_as_that(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    await fails(store(tmp_path, server.template), DISK_FULL)


async def test_a_file_put_there_by_hand_is_checked(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "tiny.pt").write_bytes(CONTENT)
    assert await store(tmp_path, server.template).fetch("tiny", silent) == tmp_path / "tiny.pt"
    (tmp_path / "tiny.pt").write_bytes(CONTENT[:-1] + b"x")
    await fails(store(tmp_path, server.template), MODEL_DAMAGED)
    assert server.ranges == []


async def test_a_path_is_taken_as_it_is_where_paths_are_taken(tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    own.write_bytes(b"x")
    assert await ModelStore(tmp_path / "models", paths=True).fetch(str(own), silent) == own


async def test_many_tasks_and_processes_share_one_download(server: ModelServer, tmp_path: Path) -> None:
    server.faults = ["stall 2000000"]
    models = store(tmp_path, server.template)
    first = asyncio.create_task(models.fetch("tiny", silent))
    await server.stalled.wait()
    waited = asyncio.Event()
    others = [asyncio.create_task(models.fetch("tiny", lambda _done, _total: waited.set())) for _ in range(2)]
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, str(tmp_path), server.template, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert (await other.stdout.readline()).strip() == b"waiting"
    await waited.wait()
    server.go_on.set()
    assert {await task for task in (first, *others)} == {tmp_path / "tiny.pt"}
    assert await other.wait() == 0
    assert len(server.ranges) == 2  # the stalled one and the rest of it


PROCESS = f"""
import asyncio, sys
from pathlib import Path
from app.speech.whisper.models import Checkpoint, ModelStore
tiny = Checkpoint("tiny", "tiny.pt", "{TINY.sha256}", {TINY.size_bytes})
models = ModelStore(Path(sys.argv[1]), sys.argv[2], checkpoints=(tiny,))
asyncio.run(models.fetch("tiny", lambda done, total: print("waiting", flush=True)))
"""


def test_names_hashes_and_files_are_openai_whispers_own() -> None:
    leave_numba_out()
    import whisper

    theirs = {name: tuple(url.split("/")[-2:]) for name, url in whisper._MODELS.items()}
    assert {one.name: (one.sha256, one.file) for one in CHECKPOINTS} == theirs
    assert all(one.multilingual == (not one.name.endswith(".en")) for one in CHECKPOINTS)


def test_languages_are_whispers_own() -> None:
    leave_numba_out()
    from whisper.tokenizer import LANGUAGES

    from app.speech.whisper.languages import WHISPER

    assert set(WHISPER) == set(LANGUAGES)
