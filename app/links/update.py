"""Fetches a newer yt-dlp from a package index into the data folder; it is used only if it starts.

Every file is compared with the SHA-256 that the index states. `current.json` is written last and whole, so that the
downloader is the old one or the new one, whatever ends the process in between.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from app.domain.errors import DubError
from app.domain.problems.links import LINK_UPDATE
from app.links.client import run
from app.links.packages import CURRENT, Current, home, order, runtimes, shipped_version, updated
from app.links.tasks import Examine, Examined, Rules
from app.system.durable_files import Durable, write

if TYPE_CHECKING:
    import httpx

_NAME: Final = "yt-dlp"
_SOLVER: Final = "yt-dlp-ejs"
_MOST_BYTES: Final = 64 << 20
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9]+){1,5}")
_WHEEL: Final = re.compile(r"[A-Za-z0-9_.]+-[0-9.]+-py3-none-any\.whl")
_PINNED: Final = re.compile(r"yt-dlp-ejs==([0-9.]+)\b.*extra == .default.")

Examiner = Callable[[Rules], Awaitable[Examined]]


class Updated(msgspec.Struct, frozen=True):
    """`changed`: another version is used now."""

    before: str
    version: str
    changed: bool


class _File(msgspec.Struct, frozen=True):
    name: str
    url: str
    sha256: str


async def examine(rules: Rules) -> Examined:
    return await run(rules, Examine(), Examined)


async def update(data: Path, index: str, *, examined: Examiner = examine) -> Updated:
    """Fetch the newest version if it is newer than what is here. Raises link_update; what was used before stays."""
    import httpx

    newer = updated(data)
    before = max((newer.version if newer else "", shipped_version()), key=order)
    folder = home(data)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    try:
        async with httpx.AsyncClient(timeout=30, follow_redirects=True) as client:
            about = await _asked(client, f"{index.rstrip('/')}/pypi/{_NAME}/json")
            version = str(about["info"]["version"])
            if not _VERSION.fullmatch(version):
                raise DubError(LINK_UPDATE, f"The index names the version {version[:40]!r}.")
            if order(version) <= order(before):
                return Updated(before, before, False)
            files = [_wheel(about)]
            if (solver := _solver(about)) is not None:
                files.append(_wheel(await _asked(client, f"{index.rstrip('/')}/pypi/{_SOLVER}/{solver}/json")))
            for file in files:
                await _fetched(client, file, folder / file.name, index)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DubError(LINK_UPDATE, f"{urlsplit(index).hostname}: {type(error).__name__}.", retryable=True) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DubError(LINK_UPDATE, "The index answered something else than a package's description.") from error
    await _tried(folder, version, [file.name for file in files], examined)
    await asyncio.to_thread(_forget_others, folder, {file.name for file in files})
    return Updated(before, version, True)


async def _tried(folder: Path, version: str, names: list[str], examined: Examiner) -> None:
    """Take the version if it starts: it must come from these files and say that it is that version."""
    rules = Rules(str(folder), (tuple(str(folder / name) for name in names),), runtimes())
    try:
        found = (await examined(rules)).version
    except DubError as error:
        found, reason = "", error.message
    else:
        reason = f"{found} was started in its place."
    if order(found) != order(version):
        await asyncio.to_thread(_forget, folder, names)
        raise DubError(LINK_UPDATE, f"yt-dlp {version} does not start here: {reason}")
    current = Current(version, tuple(names))
    await asyncio.to_thread(write, folder / CURRENT, msgspec.json.encode(current), durable=Durable.NAME)


async def _asked(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    answer = await client.get(url, headers={"Accept": "application/json"})
    answer.raise_for_status()
    about: dict[str, Any] = answer.json()
    return about


def _wheel(about: dict[str, Any]) -> _File:
    for file in about["urls"]:
        name, sha256 = str(file["filename"]), str(file["digests"]["sha256"])
        if _WHEEL.fullmatch(name) and re.fullmatch(r"[0-9a-f]{64}", sha256) and not file.get("yanked"):
            return _File(name, str(file["url"]), sha256)
    raise DubError(LINK_UPDATE, "The index has no wheel of it.")


def _solver(about: dict[str, Any]) -> str | None:
    """The version of the JavaScript scripts that this yt-dlp wants."""
    pins = (_PINNED.match(text.replace(" ", "").replace("extra==", " extra == ")) for text in _requirements(about))
    return next((pin[1] for pin in pins if pin), None)


def _requirements(about: dict[str, Any]) -> list[str]:
    return [str(text) for text in about["info"].get("requires_dist") or ()]


async def _fetched(client: httpx.AsyncClient, file: _File, path: Path, index: str) -> None:
    digest, received = hashlib.sha256(), bytearray()
    async with client.stream("GET", urljoin(index, file.url)) as answer:
        answer.raise_for_status()
        async for block in answer.aiter_bytes():
            received += block
            digest.update(block)
            if len(received) > _MOST_BYTES:
                raise DubError(LINK_UPDATE, f"{file.name} is larger than {_MOST_BYTES >> 20} MB.")
    if digest.hexdigest() != file.sha256:
        raise DubError(LINK_UPDATE, f"{file.name} is not what the index names: its SHA-256 is another one.")
    await asyncio.to_thread(write, path, bytes(received), durable=Durable.CONTENT)


def _forget(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _forget_others(folder: Path, names: set[str]) -> None:
    """Versions that are not used any more."""
    for path in folder.glob("*.whl"):
        if path.name not in names:
            path.unlink(missing_ok=True)
