"""Makes the service of links from the settings."""

from __future__ import annotations

from app.config.settings import Settings
from app.links.download import Bounds, Downloads
from app.links.service import Links, Publish
from app.links.store import LinkStore
from app.links.update import update
from app.server.engines import limits_of
from app.storage.disk_floors import Disks
from app.storage.uploads import UploadStore


def bounds_of(settings: Settings) -> Bounds:
    networks = tuple(word.strip() for word in settings.links_private.split(",") if word.strip())
    return Bounds(settings.max_upload_bytes, settings.max_duration_s, networks, settings.links_cookies)


def downloads_of(settings: Settings, store: LinkStore, disks: Disks) -> Downloads:
    return Downloads(store, settings.data, bounds_of(settings), disks, settings.blobs, limits_of(settings))


def links_of(settings: Settings, *, uploads: UploadStore, disks: Disks, publish: Publish) -> Links:
    """The service, not started. Blocks: makes its folder."""
    bounds, store = bounds_of(settings), LinkStore(settings.data / "links" / "open")
    return Links(
        store=store,
        downloads=downloads_of(settings, store, disks),
        uploads=uploads,
        disks=disks,
        bounds=bounds,
        expiry_s=settings.upload_expiry_s,
        update=lambda: update(settings.data, settings.links_index),
        publish=publish,
        off=not settings.links,
    )
