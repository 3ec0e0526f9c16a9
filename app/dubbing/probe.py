"""Probes a container into MediaInfo. Runs in a child process: it reads an untrusted file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.domain.errors import DubError
from app.domain.media import MediaInfo
from app.domain.problems.media import FILE_EMPTY, PLAYLIST
from app.dubbing.video.containers import measured
from app.dubbing.worker.tasks import ProbeRequest
from app.media.describe import describe
from app.media.picture_stream import watch

_HEAD_BYTES: Final = 64 << 10

# How the scripts begin that FFmpeg would open and that name other files: HLS, ffconcat, SDP, DASH, Smooth Streaming,
# ISMV, PLS, ASX, SMIL, XSPF. The group around XML comments is atomic: a file of a thousand comments must not make the
# expression try every way to part them.
_SCRIPTS: Final = (
    re.compile(rb"#EXTM3U\b"),
    re.compile(rb"ffconcat version\b"),
    re.compile(rb"file\s+['\"/\w]"),
    re.compile(rb";FFMETADATA"),
    re.compile(rb"v=0\r?\n\s*o="),
    re.compile(
        rb"(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*)<(?:\w+:)?(?:MPD|SmoothStreamingMedia|asx|smil|playlist)\b",
        re.I | re.S,
    ),
    re.compile(rb"\[playlist\]", re.I),
    re.compile(rb"\[Reference\]", re.I),
    re.compile(
        rb"(?:https?|rtsp|rtmp|ftp|concat|subfile|data|file|crypto|cache|async|tcp|udp)(?::|\+|,,)\S+\s*\Z", re.I
    ),
)


def probe_task(request: ProbeRequest, report: Callable[[float], None]) -> MediaInfo:
    """`probe`, as the child process calls it."""
    info = probe(Path(request.path))
    if not request.whole:
        return info
    pictures = watch(Path(request.path))
    return measured(info, max(info.duration_s, pictures.end_s), pictures.obstacle, pictures.largest)


def probe(path: Path) -> MediaInfo:
    """What the file is: container, duration by its header, the first real video stream, every audio stream.

    `rotation_deg` comes from a decoded frame. Cover pictures are no video. A file without audio is reported as such,
    not refused. Raises FILE_EMPTY, PLAYLIST, NOT_MEDIA, MEDIA_DAMAGED.
    """
    if path.stat().st_size == 0:
        raise DubError(FILE_EMPTY)
    refuse_scripts(path)
    return describe(path)


def refuse_scripts(path: Path) -> None:
    """Raise PLAYLIST when the file is a text that tells FFmpeg to read other files, whatever its name says."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", errors="ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if any(script.match(head) for script in _SCRIPTS) or _is_commented_concat(head):
        raise DubError(PLAYLIST)


def _is_commented_concat(head: bytes) -> bool:
    """A list of `file ...` lines behind comments, which FFmpeg's concat demuxer takes too."""
    lines = [line.strip() for line in head.splitlines()]
    spoken = next((line for line in lines if line and not line.startswith(b"#")), b"")
    return bool(re.match(rb"(?:file|ffconcat|stream|option|duration)\s+\S", spoken)) and b"\0" not in head
