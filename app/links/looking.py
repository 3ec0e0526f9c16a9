"""What is at an address: refused, or one video whose streams are chosen. Runs in the downloader's process."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.link import Caption
from app.domain.plain_text import plain
from app.domain.problems.links import LINK_LIVE, LINK_PLAYLIST, LINK_SITE, LINK_TOO_LARGE, LINK_TOO_LONG
from app.links.downloader import BEST
from app.links.tasks import Found, Look, Rules
from app.system.durable_files import Durable, write

INFO: Final = "info.json"
_UNKNOWN: Final = ("Generic", "HTML5MediaEmbed")
_LISTS: Final = frozenset({"playlist", "multi_video", "compat_list"})
_LIVE: Final = frozenset({"is_live", "is_upcoming", "post_live"})
_SMALLER: Final = tuple(f"bv*[height<=?{height}]+ba/b[height<=?{height}]" for height in (1440, 1080, 720, 480, 360))
_READABLE: Final = ("vtt", "srt", "ass", "ssa")
_MOST_CAPTIONS: Final = 100
_MOST_AUTOMATIC: Final = 8  # where the site does not say what is spoken


def look(module: Any, ydl: Any, rules: Rules, task: Look) -> Found:
    """Raises link_playlist, link_live, link_too_long, link_too_large, link_site, and what yt-dlp raises. Nothing is
    downloaded."""
    if task.formats:
        ydl.format_selector = ydl.build_format_selector(f"{task.formats}/{BEST}")
    info = ydl.extract_info(task.url, download=False)
    if info is None:
        raise DubError(LINK_SITE)
    check(info, rules)
    size = _measured(module, ydl, info)
    for smaller in _SMALLER:
        if size is None or not rules.max_bytes or size <= rules.max_bytes:
            break
        other = _chosen_again(module, ydl, info, smaller)
        if other is not None:
            info, size = other, _measured(module, ydl, other)
    if size is not None and rules.max_bytes and size > rules.max_bytes:
        raise DubError(LINK_TOO_LARGE, f"It has {size} bytes; the limit is {rules.max_bytes}.")
    write(
        Path(rules.folder) / INFO,
        json.dumps(ydl.sanitize_info(info)).encode(),
        durable=Durable.NO,
    )
    return Found(
        title=title(info),
        duration_s=info.get("duration"),
        size_bytes=size,
        streams=len(streams(info)),
        formats="+".join(str(stream.get("format_id")) for stream in streams(info)),
        chapters=len(info.get("chapters") or ()),
        captions=captions(info),
    )


def check(info: Mapping[str, Any], rules: Rules) -> None:
    """Raises link_playlist, link_live, link_too_long."""
    if info.get("_type", "video") in _LISTS:
        raise DubError(LINK_PLAYLIST)
    if info.get("is_live") or info.get("live_status") in _LIVE:
        raise DubError(LINK_LIVE)
    duration_s = info.get("duration")
    if duration_s and rules.max_duration_s and duration_s > rules.max_duration_s:
        raise DubError(LINK_TOO_LONG, f"It lasts {duration_s:.0f} s; the limit is {rules.max_duration_s:.0f}.")


def title(info: Mapping[str, Any]) -> str:
    """The title of the page, for one line."""
    told = plain(str(info.get("title") or "")).strip()[:255]
    # yt-dlp counts the videos of a page that it has no extractor for, also where there is one
    return told.removesuffix(" (1)") if info.get("extractor_key") in _UNKNOWN else told


def streams(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chosen streams, each with what holds for the whole video."""
    common = {key: value for key, value in info.items() if key not in ("requested_formats", "formats")}
    return [common | stream for stream in info.get("requested_formats") or [dict(info)]]


def captions(info: Mapping[str, Any]) -> tuple[Caption, ...]:
    """Those that people have written, then those of a machine in the language that is spoken: a site may offer its
    translations into a hundred others."""
    spoken = str(info.get("language") or "").partition("-")[0].lower()
    found = [*_captions(info.get("subtitles"), automatic=False)]
    automatic = [*_captions(info.get("automatic_captions"), automatic=True)]
    original = [caption for caption in automatic if caption.language.endswith("-orig")]
    if not original and spoken:
        original = [caption for caption in automatic if caption.language.partition("-")[0].lower() == spoken]
    return tuple((found + (original or automatic[:_MOST_AUTOMATIC]))[:_MOST_CAPTIONS])


def caption_files(info: Mapping[str, Any], caption_id: str) -> Iterable[dict[str, Any]]:
    """The files of these captions that can be read as lines, the best first."""
    kind, _, language = caption_id.partition(":")
    offered = info.get("subtitles" if kind == "manual" else "automatic_captions") or {}
    usable = [file for file in offered.get(language) or () if file.get("ext") in _READABLE]
    return sorted(usable, key=lambda file: _READABLE.index(file["ext"]))


def _captions(offered: Mapping[str, Any] | None, *, automatic: bool) -> Iterable[Caption]:
    for language, files in (offered or {}).items():
        if any(file.get("ext") in _READABLE for file in files or ()):
            kind = "automatic" if automatic else "manual"
            name = next((str(file["name"]) for file in files if file.get("name")), "")
            yield Caption(f"{kind}:{language}"[:255], plain(language)[:64], plain(name)[:100], automatic)


def _chosen_again(module: Any, ydl: Any, info: Mapping[str, Any], formats: str) -> dict[str, Any] | None:
    """The same video with other streams; None where there are none."""
    ydl.format_selector = ydl.build_format_selector(formats)
    rest = {key: value for key, value in info.items() if key not in ("requested_formats", "format", "format_id")}
    try:
        chosen: dict[str, Any] | None = ydl.process_ie_result(copy.deepcopy(rest), download=False)
    except module.utils.YoutubeDLError:  # none is so small
        return None
    return chosen


def _measured(module: Any, ydl: Any, info: Mapping[str, Any]) -> int | None:
    """The size of the chosen streams together; None where one is not known."""
    sizes = [_size(module, ydl, stream) for stream in streams(info)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _size(module: Any, ydl: Any, stream: Mapping[str, Any]) -> int | None:
    told = stream.get("filesize") or stream.get("filesize_approx")
    if told:
        return int(told)
    if str(stream.get("protocol") or "") not in ("http", "https"):
        return None
    request = module.networking.HEADRequest(stream["url"], headers=stream.get("http_headers") or {})
    try:
        answer = ydl.urlopen(request)
    except module.networking.exceptions.RequestError:  # some servers answer only GET
        return None
    length = answer.headers.get("Content-Length") or ""
    answer.close()
    return int(length) if length.isdigit() else None
