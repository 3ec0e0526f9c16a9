"""The links of a server: takes addresses, downloads two at a time, goes on after a restart, and forgets what is over.

A finished link is a finished upload: a job is made of it as of any other. All methods run on the server's loop, `sweep`
in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.link import Link, LinkError, LinkState
from app.domain.networks import parse
from app.domain.plain_text import plain
from app.domain.problems.links import (
    LINK_CAPTION,
    LINK_NOT_FOUND,
    LINK_STATE,
    LINKS_OFF,
    TOO_MANY_LINKS,
)
from app.domain.problems.requests import INTERNAL
from app.domain.problems.uploads import UPLOAD_NOT_FOUND
from app.domain.upload import Upload
from app.links import address
from app.links.client import run as run_task
from app.links.download import Bounds, Downloads
from app.links.store import LinkStore, Record, fresh
from app.links.tasks import MOST_CAPTION_BYTES, Examine, Examined, Rules
from app.links.update import Updated
from app.storage.disk_floors import Disks, Reservation, reserved
from app.storage.uploads import UploadStore

AT_ONCE: Final = 2
MOST: Final = 100
THUMBNAILS: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_ENDED: Final = frozenset({LinkState.FINISHED, LinkState.FAILED})
_log = logging.getLogger("links")
Publish = Callable[[str, Link | None], None]


class Links:
    """`update` fetches a newer downloader. `publish` hears of every change: the link's id, and the link, None when it
    is gone. `off`: nothing is taken."""

    def __init__(
        self,
        *,
        store: LinkStore,
        downloads: Downloads,
        uploads: UploadStore,
        disks: Disks,
        bounds: Bounds,
        expiry_s: float,
        update: Callable[[], Awaitable[Updated]],
        publish: Publish = lambda link_id, link: None,
        off: bool = False,
    ) -> None:
        self._store, self._downloads, self._uploads, self._disks = store, downloads, uploads, disks
        self._networks = parse(",".join(bounds.networks))
        self._expiry_s, self._update, self._publish, self.off = expiry_s, update, publish, off
        self._records: dict[str, Record] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._updating = asyncio.Lock()
        self._examined: asyncio.Task[Examined] | None = None
        self._examined_with: Rules | None = None

    async def start(self) -> None:
        """Go on with what a stopped server has left."""
        for record in await asyncio.to_thread(self._store.read_all):
            self._records[record.link.id] = record
            if record.link.state is LinkState.FINISHED:
                await asyncio.to_thread(self._store.clear, record.link.id)
            elif record.link.state not in _ENDED:
                if self.off:
                    await self._failed(record.link.id, _told(DubError(LINKS_OFF)))
                else:
                    self._begin(record)

    async def close(self) -> None:
        """Stop every download; what has come stays, for the next start."""
        tasks = [*self._tasks.values(), *([self._examined] if self._examined else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def listed(self) -> tuple[Link, ...]:
        """The newest first."""
        return tuple(sorted((r.link for r in self._records.values()), key=lambda link: -link.created_at))

    def get(self, link_id: str) -> Link:
        """Raises link_not_found."""
        return self._record(link_id).link

    async def add(self, text: str) -> Link:
        """Raises links_off, link_address, link_private, too_many_links, disk_full. What is at the address is found out
        later."""
        self._check_on()
        url = address.checked(text, self._networks)
        if len(self._records) >= MOST:
            raise DubError(TOO_MANY_LINKS, f"{MOST} are open.")
        link = fresh(secrets.token_hex(16), address.site(url))
        record = Record(link, url)
        await asyncio.to_thread(self._store.create, record)
        await self.changed(record)
        self._begin(record)
        return link

    async def again(self, link_id: str) -> Link:
        """Try a link that has failed once more; what has come is gone on with. Raises link_not_found, link_state."""
        self._check_on()
        record = self._record(link_id)
        if record.link.state is not LinkState.FAILED:
            raise DubError(LINK_STATE, "It has not failed.")
        record = record.now(state=LinkState.WAITING, error=None, expires_at=None)
        await self.changed(msgspec.structs.replace(record, looked_at=0.0))
        self._begin(self._records[link_id])
        return self.get(link_id)

    async def choose(self, link_id: str, caption_id: str) -> Link:
        """Fetch captions as an upload. Raises link_not_found, link_caption, link_state, link_failed."""
        self._check_on()
        record = self._record(link_id)
        if record.link.state is not LinkState.FINISHED:
            raise DubError(LINK_STATE, "Captions are fetched when the video is there.")
        caption = next((caption for caption in record.link.captions if caption.id == caption_id), None)
        if caption is None:
            raise DubError(LINK_CAPTION)
        fetched = await self._downloads.caption(record, caption_id)
        path = Path(fetched.path)
        async with reserved(self._disks, MOST_CAPTION_BYTES, path.parent) as room:
            name = f"{record.link.title[:200]}.{plain(caption.language)}.{fetched.extension}"
            upload = await self._taken(path, name, room)
        before = self._record(link_id).link.subtitles_upload_id
        await self.changed(self._record(link_id).now(caption=caption_id, subtitles_upload_id=upload.id))
        if before:
            await asyncio.to_thread(self._forget_upload, before)
        return self.get(link_id)

    async def delete(self, link_id: str) -> None:
        """Stop it and delete what has come; a job that was made of it keeps its file. Raises link_not_found."""
        self._record(link_id)
        if (task := self._tasks.get(link_id)) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(self._delete, link_id)

    def thumbnail(self, link_id: str) -> tuple[bytes, str]:
        """The picture of the page and its media type; blocks. Raises link_not_found."""
        self._record(link_id)
        for ending, media_type in THUMBNAILS.items():
            path = self._store.place(link_id) / f"thumbnail.{ending}"
            with contextlib.suppress(FileNotFoundError):
                return path.read_bytes(), media_type
        raise DubError(LINK_NOT_FOUND, "It has no picture.")

    async def examine(self) -> Examined:
        """The downloader's version and JavaScript runtime; asked again when another is there. Raises
        link_downloader."""
        rules = await self._downloads.rules(self._store.scratch())
        if self._examined is None or rules != self._examined_with or self._failed_before():
            self._examined_with = rules
            self._examined = asyncio.create_task(run_task(rules, Examine(), Examined))
        return await asyncio.shield(self._examined)

    def _failed_before(self) -> bool:
        task = self._examined
        return task is not None and task.done() and (task.cancelled() or task.exception() is not None)

    async def update(self) -> Updated:
        """Fetch a newer downloader; the next link uses it. Raises links_off, link_update."""
        self._check_on()
        async with self._updating:
            return await self._update()

    def sweep(self) -> int:
        """Delete the ended links whose time is over; returns how many."""
        now = time.time()
        over = [
            record.link.id
            for record in list(self._records.values())
            if record.link.expires_at is not None and record.link.expires_at <= now
        ]
        for link_id in over:
            self._delete(link_id)
        return len(over)

    # ---------------------------------------------------------------- as the watch of a download

    async def changed(self, record: Record) -> None:
        self._records[record.link.id] = record
        await asyncio.to_thread(self._store.write, record)
        self._publish(record.link.id, record.link)

    def received(self, record: Record) -> None:
        self._records[record.link.id] = record
        self._publish(record.link.id, record.link)

    # ----------------------------------------------------------------

    def _begin(self, record: Record) -> None:
        task = asyncio.create_task(self._work(record))
        self._tasks[record.link.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(record.link.id, None))

    async def _work(self, record: Record) -> None:
        link_id = record.link.id
        try:
            async with self._at_once, self._downloads.run(record, self) as done:
                name = f"{done.record.link.title[:240]}.{done.extension}"
                upload = await self._taken(done.path, name, done.room)
            finished = done.record.now(
                state=LinkState.FINISHED,
                upload_id=upload.id,
                size_bytes=upload.length_bytes,
                received_bytes=upload.length_bytes,
                expires_at=upload.expires_at,
            )
            await asyncio.to_thread(self._store.write, finished)
            await asyncio.to_thread(self._store.clear, link_id)
            await self.changed(finished)
        except DubError as error:
            await self._failed(link_id, _told(error))
        except Exception:  # the boundary of one link: the others go on
            _log.exception("a link has failed")
            await self._failed(link_id, _told(DubError(INTERNAL)))

    async def _taken(self, path: Path, name: str, room: Reservation) -> Upload:
        """The file as an upload; none is left when this is cancelled."""
        take = functools.partial(self._uploads.take, path, filename=name, media_type="", room=room)
        task = asyncio.ensure_future(asyncio.to_thread(take))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.to_thread(self._forget_upload, (await task).id)
            raise

    async def _failed(self, link_id: str, error: LinkError) -> None:
        record = self._records[link_id]
        ends = time.time() + self._expiry_s
        await self.changed(
            record.now(state=LinkState.FAILED, error=error, bytes_per_s=0.0, eta_s=None, expires_at=ends)
        )

    def _delete(self, link_id: str) -> None:
        record = self._records.pop(link_id, None)
        if record is None:
            return
        for upload_id in (record.link.upload_id, record.link.subtitles_upload_id):
            if upload_id is not None:
                self._forget_upload(upload_id)
        self._store.delete(link_id)
        self._publish(link_id, None)

    def _forget_upload(self, upload_id: str) -> None:
        try:
            self._uploads.delete(upload_id)
        except DubError as error:
            if error.problem is not UPLOAD_NOT_FOUND:  # it has expired
                raise

    def _record(self, link_id: str) -> Record:
        if (record := self._records.get(link_id)) is None:
            raise DubError(LINK_NOT_FOUND)
        return record

    def _check_on(self) -> None:
        if self.off:
            raise DubError(LINKS_OFF)


def _told(error: DubError) -> LinkError:
    return LinkError(error.problem.code, error.message, error.problem.hint)
