"""A site with a film, and a service of links that may go to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.domain.link import Link, LinkState
from app.links.download import Bounds, Downloads
from app.links.service import Links
from app.links.store import LinkStore
from app.links.update import update
from app.storage.blobs import FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.disk_floor import Floor
from app.storage.disk_floors import Disks
from app.storage.uploads import UploadStore
from tests.doubles.video_site import VideoSite
from tests.unit.media.samples import sample

HERE = ("127.0.0.0/8",)


@pytest.fixture(scope="session")
def film() -> bytes:
    return sample("plain.mp4").read_bytes()


@pytest.fixture
def site(film: bytes) -> Iterator[VideoSite]:
    with VideoSite(film) as site:
        yield site


class House:
    """A data folder with a service of links; `restart` is another server on the same folder."""

    def __init__(self, data: Path, bounds: Bounds, min_free_bytes: int) -> None:
        self.data, self.bounds, self.min_free_bytes = data, bounds, min_free_bytes
        data.mkdir(exist_ok=True)
        self.database = open_database(f"sqlite:///{data / 'app.sqlite3'}")
        migrate(self.database)
        self.blobs = FolderBlobs(data / "blobs")
        self.index = ""
        self.heard: list[tuple[str, Link | None]] = []
        self._news: asyncio.Queue[None] = asyncio.Queue()
        self.links = self._made()

    def _made(self) -> Links:
        disks = Disks.of(self.data, self.min_free_bytes)
        floor = Floor(lambda: 1 << 40, 0)
        uploads = UploadStore(self.database, self.blobs, self.data / "uploads", expiry_s=1000, floor=floor)
        self.uploads = uploads
        store = LinkStore(self.data / "links" / "open")
        downloads = Downloads(store, self.data, self.bounds, disks, self.data / "blobs")
        return Links(
            store=store,
            downloads=downloads,
            uploads=uploads,
            disks=disks,
            bounds=self.bounds,
            expiry_s=1000,
            update=lambda: update(self.data, self.index),
            publish=self._hear,
        )

    def _hear(self, link_id: str, link: Link | None) -> None:
        self.heard.append((link_id, link))
        self._news.put_nowait(None)

    async def restart(self) -> Links:
        await self.links.close()
        self.links = self._made()
        await self.links.start()
        return self.links

    async def ended(self, link: Link) -> Link:
        return await self.until(link, lambda now: now.state in (LinkState.FINISHED, LinkState.FAILED))

    async def until(self, link: Link, is_so: Callable[[Link], bool]) -> Link:
        async with asyncio.timeout(60):
            while not is_so(self.links.get(link.id)):
                await self._news.get()
        return self.links.get(link.id)

    def folder(self, link: Link) -> Path:
        return self.data / "links" / "open" / link.id


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    def made(max_bytes: int = 1 << 30, networks: tuple[str, ...] = HERE, min_free_bytes: int = 0) -> House:
        return House(tmp_path / "data", Bounds(max_bytes, 3600.0, networks), min_free_bytes)

    return made


Houses = Callable[..., House]
