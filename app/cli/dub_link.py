"""The film of `autodubber dub ADDRESS`: downloaded into `DATA/cli/links`, where a killed run's is gone on with and
another dub of the same address within a day finds it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from app.cli.dub_arguments import Address
from app.cli.dub_files import fitting
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.link import Caption, LinkState
from app.domain.networks import parse
from app.domain.problems.links import LINK_CAPTION, LINKS_OFF
from app.links import address
from app.system.durable_files import Durable, move
from app.system.exit_status import UsageError

if TYPE_CHECKING:
    from app.cli.dub_progress import Display, Report
    from app.links.download import Downloads
    from app.links.store import LinkStore, Record

KEEP_S: Final = 24 * 3600.0
RIGHTS: Final = "Download only what you have the right to; sites' terms may forbid it."
_NOT_IN_NAMES: Final = re.compile(r"[/\\:*?\"<>|]+")


class Downloading(msgspec.Struct, frozen=True):
    """The step that comes before the stages, for the display."""

    name: str = "download"
    doing: str = "Downloading"


def check(arguments: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if arguments.captions is None:
        return
    if not isinstance(arguments.input, Address):
        raise UsageError("--captions are those of a link; for a file there is --subtitles")
    if arguments.subtitles is not None or arguments.review is not None:
        raise UsageError("--captions are the lines; they do not go with --subtitles or --review")


async def bring(arguments: argparse.Namespace, settings: Settings, shown: Display) -> argparse.Namespace:
    """The arguments with files in the place of the address; results go into this folder unless it says otherwise.

    Raises the errors of `app.domain.problems.links`.
    """
    from app.links.store import LinkStore
    from app.server.links import downloads_of
    from app.storage.disk_floors import Disks

    if not settings.links:
        raise DubError(LINKS_OFF)
    url = address.checked(arguments.input, parse(settings.links_private))
    shown.note(RIGHTS)
    store = LinkStore(settings.data / "cli" / "links")
    record = _record(store, url) or _new(url)
    disks = Disks.of(settings.data, settings.min_free_bytes)
    downloads = downloads_of(settings, store, disks)
    with shown.stage(Downloading()) as report:
        path, record = await _film(downloads, store, record, report)
    files: dict[str, object] = {"input": path, "output": arguments.output or Path.cwd()}
    if arguments.captions is not None:
        caption = _chosen(record.link.captions, arguments.captions)
        fetched = await downloads.caption(record, caption.id)
        files["subtitles"] = Path(fetched.path)
        if arguments.language is None and arguments.target_language is None:
            files["language"] = caption.language.partition("-")[0].lower()
    return argparse.Namespace(**vars(arguments) | files)


async def _film(downloads: Downloads, store: LinkStore, record: Record, report: Report) -> tuple[Path, Record]:
    """The downloaded file under the title's name."""
    folder = store.place(record.link.id)
    if record.link.state is LinkState.FINISHED and (there := _downloaded(folder)) is not None:
        return there, record
    async with downloads.run(record, Shown(store, report)) as done:
        ending = f".{done.extension}"
        name = _NOT_IN_NAMES.sub("_", done.record.link.title).strip(" .") or "video"
        target = folder / "film" / fitting(name, ending)
        await asyncio.to_thread(move, done.path, target, durable=Durable.CONTENT)
        record = done.record.now(state=LinkState.FINISHED)
        store.write(record)
        store.clear(record.link.id)
    return target, record


class Shown:
    """Follows the download for the display."""

    def __init__(self, store: LinkStore, report: Report) -> None:
        self._store, self._report = store, report

    async def changed(self, record: Record) -> None:
        self._store.create(record)
        (self._store.place(record.link.id) / "film").mkdir(exist_ok=True)

    def received(self, record: Record) -> None:
        link = record.link
        share = link.received_bytes / link.size_bytes if link.size_bytes else 0.0
        whole = f" of {link.size_bytes >> 20} MB" if link.size_bytes else " MB"
        self._report(min(1.0, share), f"{link.received_bytes >> 20}{whole}, {link.bytes_per_s / 1e6:.1f} MB/s")


def _record(store: LinkStore, url: str) -> Record | None:
    """What an earlier run has of this address; what is older than a day is deleted."""
    found = None
    for record in store.read_all():
        if time.time() - record.link.created_at > KEEP_S:
            store.delete(record.link.id)
        elif record.url == url:
            found = record
    return found


def _new(url: str) -> Record:
    from app.links.store import Record, fresh

    return Record(fresh(hashlib.sha256(url.encode()).hexdigest()[:32], address.site(url)), url)


def _downloaded(folder: Path) -> Path | None:
    with contextlib.suppress(FileNotFoundError, StopIteration):
        return next((folder / "film").iterdir())
    return None


def _chosen(offered: tuple[Caption, ...], wanted: str) -> Caption:
    """Captions in this language, those of people first. Raises link_caption, which names what there is."""
    tags = wanted.lower()
    for caption in offered:
        if caption.language.lower() == tags or caption.language.lower().partition("-")[0] == tags:
            return caption
    there = ", ".join(f"{caption.language}{' (automatic)' if caption.automatic else ''}" for caption in offered)
    raise DubError(LINK_CAPTION, f"It has {there or 'none'}.")
