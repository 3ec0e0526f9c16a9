"""Requests to the downloader's process and its results, as JSON. Paths are strings, sizes bytes, times seconds."""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.link import Caption

MOST_CAPTION_BYTES: Final = 10 << 20


class Rules(msgspec.Struct, frozen=True):
    """What every task is held to. `packages` are folders and wheels of the downloader, the first that starts is used;
    empty: the installed one. `programs` are JavaScript runtimes: the downloader's name for each and its path.
    `networks`: private ones that are allowed. `cookies`: a file in Netscape's format, or "".
    """

    folder: str
    packages: tuple[tuple[str, ...], ...]
    programs: tuple[tuple[str, str], ...]
    networks: tuple[str, ...] = ()
    cookies: str = ""
    max_bytes: int = 0
    max_duration_s: float = 0.0


class Look(msgspec.Struct, frozen=True, tag="look"):
    """What is at an address. All of it goes into `info.json` of the folder. `formats` are wished again, if there."""

    url: str
    formats: str = ""


class Fetch(msgspec.Struct, frozen=True, tag="fetch"):
    """Download the chosen streams of `info.json` as `0.media`, `1.media`; what is there is gone on with."""


class FetchCaption(msgspec.Struct, frozen=True, tag="caption"):
    """Download captions of `info.json` as `caption.media`."""

    id: str


class Examine(msgspec.Struct, frozen=True, tag="examine"):
    """Whether the downloader starts, and which of the JavaScript runtimes it can use."""


class Request(msgspec.Struct, frozen=True):
    rules: Rules
    task: Look | Fetch | FetchCaption | Examine


class Found(msgspec.Struct, frozen=True):
    """`formats` names the chosen streams; `size_bytes` is theirs together, if the site tells it."""

    title: str
    duration_s: float | None
    size_bytes: int | None
    streams: int
    formats: str
    chapters: int
    captions: tuple[Caption, ...]


class Stream(msgspec.Struct, frozen=True):
    """A file that was downloaded. `has_video`, `has_audio`: as the site says; both where it does not."""

    path: str
    extension: str
    has_video: bool
    has_audio: bool


class Chapter(msgspec.Struct, frozen=True):
    start_s: float
    end_s: float
    title: str


class Fetched(msgspec.Struct, frozen=True):
    """`thumbnail` is a picture file in the folder, or ""."""

    streams: tuple[Stream, ...]
    chapters: tuple[Chapter, ...]
    thumbnail: str


class FetchedCaption(msgspec.Struct, frozen=True):
    path: str
    extension: str


class Examined(msgspec.Struct, frozen=True):
    """`runtime` is a JavaScript runtime that can be used, with its version, or ""; `solver`: the scripts for it are
    there. `too_old` are runtimes that are there and cannot be used."""

    version: str
    runtime: str
    solver: bool
    too_old: str
