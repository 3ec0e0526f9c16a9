"""A link: the address of a page with a video that the server downloads, until a job is made of it."""

from __future__ import annotations

import enum

import msgspec


class LinkState(enum.Enum):
    """`waiting` for a turn, `looking` at the page, `downloading`, `joining` picture and sound, `finished`: `upload_id`
    is a complete upload; `failed`: `error` says why, and it can be tried again."""

    WAITING = "waiting"
    LOOKING = "looking"
    DOWNLOADING = "downloading"
    JOINING = "joining"
    FINISHED = "finished"
    FAILED = "failed"


class Caption(msgspec.Struct, frozen=True):
    """Captions that the page offers. `id` names them; `automatic`: a machine has made them."""

    id: str
    language: str
    name: str
    automatic: bool


class LinkError(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str


class Link(msgspec.Struct, frozen=True):
    """`site` is the host and path of the address: its query, which may hold a secret, is told to nobody. Sizes are
    bytes; None where they are not known. `captions` are offered as lines: `subtitles_upload_id` is the upload of
    `caption`, the chosen ones. A finished link and its uploads are deleted at `expires_at` (Unix time)."""

    id: str
    site: str
    state: LinkState
    title: str
    duration_s: float | None
    size_bytes: int | None
    received_bytes: int
    bytes_per_s: float
    eta_s: float | None
    chapters: int
    captions: tuple[Caption, ...]
    thumbnail: bool
    upload_id: str | None
    caption: str | None
    subtitles_upload_id: str | None
    error: LinkError | None
    created_at: float
    expires_at: float | None
