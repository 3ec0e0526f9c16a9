"""A newer downloader from an index: taken only whole, only if it starts, and given up when it does not."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import DubError
from app.links.client import run
from app.links.packages import home, javascript_hint, packages, shipped_version, updated
from app.links.tasks import Examine, Examined, Rules
from app.links.update import update
from tests.doubles.http import Reply, Request, Server
from tests.unit.links.conftest import Houses

NEWER = "2031.1.2"
STARTS = """
class YoutubeDL:
    def __init__(self, options): self._js_runtimes = {}
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def close(self): pass
"""


def wheel(code: str, version: str = NEWER) -> bytes:
    """A yt-dlp of this version, whose whole code this is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("yt_dlp/__init__.py", f"from . import version\n{code}")
        archive.writestr("yt_dlp/version.py", f"__version__ = {version!r}\n")
    return file.getvalue()


@asynccontextmanager
async def index(
    yt_dlp: bytes, *, sha256: str | None = None, version: str = NEWER, requires: tuple[str, ...] = ()
) -> AsyncIterator[str]:
    """A package index that has these two wheels."""
    solver = wheel("", "0.9.0")
    files = {"yt-dlp": yt_dlp, "yt-dlp-ejs": solver}

    async def answer(request: Request, reply: Reply) -> None:
        if request.path.startswith("/files/"):
            await reply.whole(200, files[request.path.removeprefix("/files/")])
            return
        _, _, name, *rest = request.path.split("/")
        if rest not in (["json"], ["0.9.0", "json"]) or name not in files:
            await reply.whole(404, {})
            return
        number = version if name == "yt-dlp" else "0.9.0"
        told = hashlib.sha256(files[name]).hexdigest() if name != "yt-dlp" or sha256 is None else sha256
        named = {"filename": f"{name.replace('-', '_')}-{number}-py3-none-any.whl", "url": f"/files/{name}"}
        sdist: dict[str, Any] = {"filename": "yt_dlp.tar.gz", "url": "/files/none", "digests": {"sha256": "0" * 64}}
        urls = [sdist, named | {"digests": {"sha256": told}, "yanked": False}]
        await reply.whole(200, {"info": {"version": number, "requires_dist": list(requires)}, "urls": urls})

    async with Server(answer) as server:
        yield server.url


async def version_used(data: Path, tmp_path: Path) -> str:
    """What a link would be downloaded with."""
    folder = tmp_path / "task"
    folder.mkdir(exist_ok=True)
    return (await run(Rules(str(folder), packages(data), ()), Examine(), Examined)).version


async def test_a_newer_one_is_fetched_with_its_scripts_and_used(tmp_path: Path) -> None:
    async with index(wheel(STARTS), requires=("yt-dlp-ejs==0.9.0; extra == 'default'",)) as url:
        done = await update(tmp_path, url)
    assert (done.changed, done.version, done.before) == (True, NEWER, shipped_version())
    current = updated(tmp_path)
    assert current is not None
    assert current.files == (f"yt_dlp-{NEWER}-py3-none-any.whl", "yt_dlp_ejs-0.9.0-py3-none-any.whl")
    assert await version_used(tmp_path, tmp_path) == NEWER
    async with index(wheel(STARTS)) as url:
        assert not (await update(tmp_path, url)).changed


async def test_a_running_server_uses_what_was_fetched_from_the_next_link_on(house: Houses) -> None:
    home = house()
    assert (await home.links.examine()).version == shipped_version()
    async with index(wheel(STARTS)) as home.index:
        assert (await home.links.update()).version == NEWER
    assert (await home.links.examine()).version == NEWER


async def test_the_archive_of_the_image_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yt-dlp.zip").write_bytes(wheel(STARTS))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    assert await version_used(tmp_path / "data", tmp_path) == NEWER


async def test_the_newest_that_is_here_already_changes_nothing(tmp_path: Path) -> None:
    async with index(wheel(STARTS), version=shipped_version()) as url:
        done = await update(tmp_path, url)
    assert (done.changed, done.version) == (False, shipped_version())
    assert updated(tmp_path) is None and not list(home(tmp_path).glob("*.whl"))


@pytest.mark.parametrize("code", ["raise RuntimeError()", STARTS.replace("__init__", "__none__")])
async def test_one_that_does_not_start_is_not_taken(tmp_path: Path, code: str) -> None:
    async with index(wheel(code)) as url:
        with pytest.raises(DubError) as refused:
            await update(tmp_path, url)
    assert refused.value.problem.code == "link_update"
    assert updated(tmp_path) is None and not list(home(tmp_path).glob("*.whl"))
    assert await version_used(tmp_path, tmp_path) == shipped_version()


async def test_one_whose_bytes_are_others_is_not_taken(tmp_path: Path) -> None:
    async with index(wheel(STARTS), sha256="0" * 64) as url:
        with pytest.raises(DubError) as refused:
            await update(tmp_path, url)
    assert "SHA-256" in refused.value.message and updated(tmp_path) is None


@pytest.mark.parametrize("version", ["../../etc", "2031.1.2.dev0", ""])
async def test_a_version_that_is_none_is_not_taken(tmp_path: Path, version: str) -> None:
    async with index(wheel(STARTS), version=version) as url:
        with pytest.raises(DubError):
            await update(tmp_path, url)
    assert updated(tmp_path) is None


async def test_an_index_that_cannot_be_reached_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DubError) as refused:
        await update(tmp_path, "http://127.0.0.1:1")
    assert refused.value.problem.code == "link_update" and "ConnectError" in refused.value.message


async def test_an_updated_one_that_starts_no_more_gives_way_to_the_shipped_one(tmp_path: Path) -> None:
    async with index(wheel(STARTS)) as url:
        await update(tmp_path, url)
    (file,) = home(tmp_path).glob("yt_dlp-*.whl")
    file.write_bytes(wheel("raise ImportError('not on this Python')"))
    assert await version_used(tmp_path, tmp_path) == shipped_version()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Examined("1", "", solver=True, too_old=""), "none was found"),
        (Examined("1", "", solver=True, too_old="node 20.1.0"), "node 20.1.0 is too old"),
        (Examined("1", "deno 2.9.8", solver=False, too_old=""), "pip install yt-dlp-ejs"),
    ],
)
def test_a_missing_javascript_runtime_is_told_with_what_to_do(found: Examined, said: str) -> None:
    assert said in javascript_hint(found)
    assert javascript_hint(Examined("1", "deno 2.9.8", solver=True, too_old="node 20.1.0")) == ""


async def test_a_javascript_runtime_is_asked_for_its_version(tmp_path: Path) -> None:
    """Here by programs that only know their version, of which the guard lets these start."""
    for name, version in (("deno", "deno 2.9.8 (stable)"), ("node", "v20.1.0")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (tmp_path / name).chmod(0o755)
    folder = tmp_path / "task"
    folder.mkdir()
    old = Rules(str(folder), (), (("node", str(tmp_path / "node")),))
    both = Rules(str(folder), (), (*old.programs, ("deno", str(tmp_path / "deno"))))
    found = await run(old, Examine(), Examined)
    assert (found.runtime, found.too_old) == ("", "node 20.1.0")
    found = await run(both, Examine(), Examined)
    assert (found.runtime, found.too_old) == ("deno 2.9.8", "node 20.1.0")
