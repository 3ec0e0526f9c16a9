"""Downloads one large file over HTTP, with resume, time-outs and a checksum."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED, MODEL_DOWNLOAD
from app.domain.problems.uploads import DISK_FULL
from app.system.disk_full import is_disk_full

if TYPE_CHECKING:
    import httpx

_BLOCK_BYTES: Final = 1 << 20
_TRIES: Final = 4  # in a row without a single new byte
_PAUSE_S: Final = 0.5  # before the second try; doubled each time
_EVERY_S: Final = 0.25  # between two reports of progress


class _Again(Exception):
    """The attempt failed and may be retried; the message says why."""


async def download(
    url: str, part: Path, sha256: str, *, stall_s: float, on_progress: Callable[[int, int], None]
) -> None:
    """`part` holds the whole file, flushed to disk, when this returns; its sha256 was checked.

    Goes on from what `part` already holds. A connection that gives no byte for `stall_s` is tried again. Raises
    model_download, model_damaged (what came is something else) or disk_full; `part` stays for the next time, unless it
    is wrong.
    """
    import httpx

    failed, size = 0, -1
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(stall_s, connect=min(stall_s, 15.0)), follow_redirects=True
    ) as client:
        while True:
            resumed = file_size(part) > 0
            try:
                found = await _attempt(client, url, part, on_progress)
            except (_Again, httpx.RequestError) as error:
                grown = file_size(part)
                failed = 0 if grown > size >= 0 else failed + 1
                size = grown
                if failed >= _TRIES:
                    raise DubError(MODEL_DOWNLOAD, _remedy(url, part, _reason(error)), retryable=True) from error
                await asyncio.sleep(_PAUSE_S * 2**failed)
                continue
            except httpx.InvalidURL as error:
                raise DubError(MODEL_DOWNLOAD, f"The address of the model cannot be used: {error}.") from error
            except OSError as error:
                if is_disk_full(error):
                    raise DubError(DISK_FULL, f"While downloading {_name(part)}.") from error
                raise DubError(MODEL_DOWNLOAD, f"{part.parent} cannot be written: {error.strerror}.") from error
            if found == sha256:
                return
            _remove(part)
            if not resumed:
                raise DubError(
                    MODEL_DAMAGED, f"{httpx.URL(url).host} sent something else than {_name(part)}; " + _put(part)
                )


async def answering(url: str, *, within_s: float) -> None:
    """Returns when the address has begun to answer. Raises model_download at once where it cannot be reached, and after
    `within_s` where nothing comes."""
    import httpx

    try:
        async with (
            asyncio.timeout(within_s),
            httpx.AsyncClient(timeout=within_s, follow_redirects=True) as client,
            client.stream("GET", url, headers={"Range": "bytes=0-0"}) as response,
        ):
            if response.status_code < 400:
                return
            reason = f"the server answered {response.status_code}"
    except TimeoutError:
        reason = "it did not answer in time"
    except httpx.RequestError as error:
        reason = _reason(error)
    except httpx.InvalidURL as error:
        raise DubError(MODEL_DOWNLOAD, f"The address of the model cannot be used: {error}.") from error
    raise DubError(MODEL_DOWNLOAD, f"{httpx.URL(url).host}: {reason}.", retryable=True)


async def _attempt(client: httpx.AsyncClient, url: str, part: Path, on_progress: Callable[[int, int], None]) -> str:
    """One request to its end; returns the sha256 of the whole file."""
    have = file_size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:  # beyond its end: already complete, or the rest of another file
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return (await _hash(part, have)).hexdigest()
            _remove(part)
            raise _Again("the server could not go on")
        if response.status_code in (408, 425, 429) or response.status_code >= 500:
            raise _Again(f"the server answered {response.status_code}")
        if response.status_code not in (200, 206):
            raise DubError(MODEL_DOWNLOAD, _remedy(url, part, f"the server answered {response.status_code}"))
        if response.status_code == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise _Again("the server sent another part than asked for")
        have = have if response.status_code == 206 else 0
        length = int(response.headers.get("Content-Length") or 0)
        total = have + length
        digest = await _hash(part, have)
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            have += await _receive(
                response, file, digest, lambda received: on_progress(have + received, total or have + received)
            )
            await asyncio.to_thread(os.fsync, file.fileno())
    if length and have < total:
        raise _Again("the connection was cut")
    on_progress(have, have)
    return digest.hexdigest()


async def _receive(
    response: httpx.Response, file: BinaryIO, digest: hashlib._Hash, report: Callable[[int], None]
) -> int:
    """Write the body to the file, and what had come even when it breaks off; the number of bytes."""
    received, reported_at, waiting = 0, 0.0, bytearray()

    def take(blocks: bytearray) -> None:
        file.write(blocks)
        digest.update(blocks)

    try:
        async for block in response.aiter_raw():
            waiting += block
            received += len(block)
            if len(waiting) >= _BLOCK_BYTES:
                full, waiting = waiting, bytearray()
                await _to_the_end(asyncio.to_thread(take, full))
            if time.monotonic() - reported_at >= _EVERY_S:
                reported_at = time.monotonic()
                report(received)
    finally:
        take(waiting)
        file.truncate()
        file.flush()
    return received


async def _to_the_end(write: Coroutine[Any, Any, None]) -> None:
    """Await a thread's short work; when cancelled, only after it has ended: the file is ours again then."""
    task = asyncio.ensure_future(write)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _hash(part: Path, length: int) -> hashlib._Hash:
    """The hash of what is there already."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(hash_file, part, length, stop) if length else hashlib.sha256()
    finally:
        stop.set()


def hash_file(path: Path, length: int, stop: threading.Event) -> hashlib._Hash:
    """sha256 of a file's first `length` bytes; blocks. Setting `stop` ends it early, with a wrong answer."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while length and not stop.is_set() and (block := file.read(min(_BLOCK_BYTES, length))):
            digest.update(block)
            length -= len(block)
    return digest


def file_size(path: Path) -> int:
    """Bytes in the file; 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)


def _name(part: Path) -> str:
    return part.name.removesuffix(".part")


def _put(part: Path) -> str:
    return f"or put {_name(part)} into {part.parent}."


def _remedy(url: str, part: Path, reason: str) -> str:
    import httpx

    return f"{httpx.URL(url).host}: {reason}. Check the network, {_put(part)}"


def _reason(error: Exception) -> str:
    import httpx

    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "nothing came any more"
    if isinstance(error, httpx.ConnectError):
        return "it cannot be reached"
    return str(error) or "the connection was cut"
