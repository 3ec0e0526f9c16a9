"""One link from its address to one file: look, fetch, join. Goes on with what an earlier run has left in the folder."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.domain.errors import DubError
from app.domain.link import LinkState
from app.domain.problems.links import LINK_FAILED
from app.links import client, joining
from app.links.looking import INFO
from app.links.meter import Rate
from app.links.packages import packages, runtimes
from app.links.store import LinkStore, Record
from app.links.tasks import Fetch, FetchCaption, Fetched, FetchedCaption, Found, Look, Rules
from app.storage.disk_floors import Disks, Reservation, reserved
from app.storage.disk_following import followed
from app.system.children import NO_LIMITS, Limits

_FRESH_S: Final = 1800.0  # so long the addresses of streams are believed to last
_STANDS_S: Final = 2.0
_SPARE_BYTES: Final = 16 << 20  # what the page said, a thumbnail, the unused ends of blocks
_GUESS_BYTES: Final = 256 << 20  # of a video whose size is not told; more is reserved as it comes


class Bounds(msgspec.Struct, frozen=True):
    """What the operator allows. `networks` are private ones; `cookies` is a file, or ""."""

    max_bytes: int
    max_duration_s: float
    networks: tuple[str, ...] = ()
    cookies: str = ""


class Watch(Protocol):
    """Who follows a download."""

    async def changed(self, record: Record) -> None:
        """A step is done, or begins; what is in `record` must not be lost."""

    def received(self, record: Record) -> None:
        """Bytes have come; a few times a second."""


class Done(msgspec.Struct, frozen=True):
    """`path` lies in the link's folder and goes with it. `room` on the disk is reserved while it is used."""

    record: Record
    path: Path
    extension: str
    room: Reservation


class Downloads:
    """Runs downloads in folders of `store`. `data` is the data folder, in which a newer downloader may lie."""

    def __init__(
        self, store: LinkStore, data: Path, bounds: Bounds, disks: Disks, blobs: Path, limits: Limits = NO_LIMITS
    ) -> None:
        """`limits` are those of ffmpeg; `blobs` is where the file comes to lie at last."""
        self._store, self._data, self._bounds, self._disks = store, data, bounds, disks
        self._blobs, self._limits = blobs, limits

    async def rules(self, folder: Path) -> Rules:
        bounds = self._bounds
        return Rules(
            str(folder),
            await asyncio.to_thread(packages, self._data),
            await asyncio.to_thread(runtimes),
            bounds.networks,
            bounds.cookies,
            bounds.max_bytes,
            bounds.max_duration_s,
        )

    @contextlib.asynccontextmanager
    async def run(self, record: Record, watch: Watch) -> AsyncIterator[Done]:
        """The finished file. Raises the errors of `app.domain.problems.links`, disk_full, media_tool_failed."""
        record = await self._looked(record, watch)
        folder = self._store.place(record.link.id)
        whole = record.link.size_bytes or min(_GUESS_BYTES, self._bounds.max_bytes or _GUESS_BYTES)
        wanted = max(0, 2 * whole - _received(folder)) + _SPARE_BYTES
        async with reserved(self._disks, wanted, folder, self._blobs) as room:
            async with followed(room, (), (folder,)):
                record, fetched = await self._fetched(record, watch)
                path = Path(fetched.streams[0].path)
                extension = fetched.streams[0].extension or "media"
                record = record.now(thumbnail=bool(fetched.thumbnail), bytes_per_s=0.0, eta_s=None)
                if not joining.is_whole(fetched):
                    record = record.now(state=LinkState.JOINING)
                    await watch.changed(record)
                    extension = joining.extension_of(fetched.streams)
                    path = folder / f"joined.{extension}"
                    link = record.link
                    await joining.join(fetched, path, title=link.title, duration_s=link.duration_s, limits=self._limits)
            yield Done(record, path, extension, room)

    async def caption(self, record: Record, caption_id: str) -> FetchedCaption:
        """Captions of a page that was looked at, as a file in the link's folder."""
        rules = await self.rules(self._store.place(record.link.id))
        return await client.run(rules, FetchCaption(caption_id), FetchedCaption)

    async def _looked(self, record: Record, watch: Watch) -> Record:
        """The record with what is at the address; the addresses of its streams are fresh."""
        folder = self._store.place(record.link.id)
        if (folder / INFO).is_file() and 0 <= time.time() - record.looked_at < _FRESH_S:
            return record
        record = record.now(state=LinkState.LOOKING)
        await watch.changed(record)
        found = await client.run(await self.rules(folder), Look(record.url, record.formats), Found)
        if record.formats and found.formats != record.formats:  # what has come is of streams that are gone
            await asyncio.to_thread(self._store.clear, record.link.id)
        record = Record(record.link, record.url, found.formats, time.time()).now(
            title=found.title or record.link.site,
            duration_s=found.duration_s,
            size_bytes=found.size_bytes,
            chapters=found.chapters,
            captions=found.captions,
        )
        await watch.changed(record)
        return record

    async def _fetched(self, record: Record, watch: Watch) -> tuple[Record, Fetched]:
        """All streams. Where that fails, the page is asked once more: addresses of streams expire."""
        try:
            return record, await self._fetch(record, watch)
        except DubError as error:
            if error.problem is not LINK_FAILED:
                raise
        record = await self._looked(msgspec.structs.replace(record, looked_at=0.0), watch)
        return record, await self._fetch(record, watch)

    async def _fetch(self, record: Record, watch: Watch) -> Fetched:
        folder = self._store.place(record.link.id)
        have = _received(folder)
        rate = Rate(have)
        record = record.now(state=LinkState.DOWNLOADING, received_bytes=have)
        await watch.changed(record)

        def received(count: int) -> None:
            nonlocal have
            have = count
            rate.mark(count)
            left_s = rate.left_s(record.link.size_bytes)
            watch.received(record.now(received_bytes=count, bytes_per_s=rate.bytes_per_s, eta_s=left_s))

        async def stand_still() -> None:
            """Nothing is told while nothing comes: the rate falls all the same."""
            while True:
                before = have
                await asyncio.sleep(_STANDS_S)
                if have == before and rate.bytes_per_s > 0:
                    received(have)

        standing = asyncio.create_task(stand_still())
        try:
            return await client.run(await self.rules(folder), Fetch(), Fetched, received=received)
        finally:
            standing.cancel()


def _received(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.media*"))
