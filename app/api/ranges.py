"""Sends files over HTTP: single byte ranges, ETag, 304, If-Range and HEAD (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import AsyncIterator
from email.utils import formatdate, parsedate_to_datetime
from io import FileIO
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import aiofiles.threadpool
import msgspec
from litestar import Request
from litestar.response import Response, Stream

from app.domain.errors import DubError
from app.domain.problems.jobs import ARTIFACT_NOT_READY

_BLOCK_BYTES: Final = 256 << 10  # it stays in the processor's cache between the copies
_NOT_AT_ONCE: Final = (errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.IGNORECASE)
# and marks that reverse text
_UNSAFE: Final = re.compile('["\\\\/:*?<>|\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')


class Unsatisfiable(Exception):
    """The range begins after the file's end."""


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes `first` to `last`, both included."""

    first: int
    last: int


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The requested range; None for the whole file. A malformed header, or one with several ranges, is ignored.

    Raises Unsatisfiable when the file has none of those bytes.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = int(match[2])
        if length == 0 or size == 0:
            raise Unsatisfiable
        return ByteRange(max(0, size - length), size - 1)
    first = int(match[1])
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return ByteRange(first, min(int(match[2]), size - 1) if match[2] else size - 1)


def tags(header: str | None) -> tuple[str, ...]:
    """The entity tags of an If-None-Match header, without their weakness marks."""
    return tuple(tag.strip().removeprefix("W/") for tag in header.split(",")) if header else ()


def not_modified(if_none_match: str | None, if_modified_since: str | None, etag: str, modified_at: float) -> bool:
    """Whether the client's copy is current. If-None-Match takes precedence over If-Modified-Since."""
    if if_none_match is not None:
        found = tags(if_none_match)
        return etag in found or "*" in found
    return _date(if_modified_since) >= int(modified_at)


def range_applies(if_range: str | None, etag: str, modified_at: float) -> bool:
    """Whether the client's part belongs to this file: a strong ETag or the exact date matches."""
    if if_range is None:
        return True
    return if_range.strip() == etag or _date(if_range) == int(modified_at)


def _date(header: str | None) -> float:
    """An HTTP date as Unix seconds; -1 when it is missing or malformed."""
    if not header:
        return -1.0
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError):
        return -1.0


def disposition(kind: str, filename: str) -> str:
    """Content-Disposition for any name (RFC 6266): an ASCII fallback, and the name itself in UTF-8."""
    clean = _UNSAFE.sub("_", filename).strip(". ") or "file"
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    if plain == clean:
        return f'{kind}; filename="{plain}"'
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


async def _read(file: FileIO, span: ByteRange) -> AsyncIterator[bytes]:
    """The bytes of the span, a block at a time; closes the file.

    What the page cache has is copied at once, in microseconds; a thread of aiofiles' waits for what has to come from
    the disk.
    """
    at, end, room = span.first, span.last + 1, bytearray(_BLOCK_BYTES)
    from_disk = aiofiles.threadpool.wrap(file)
    with file:
        while at < end:
            wanted = memoryview(room)[: end - at]
            count = _cached(file.fileno(), wanted, at)
            if count is None:
                file.seek(at)
                count = await from_disk.readinto(wanted)
            if count == 0:  # the file has been cut
                return
            at += count
            yield bytes(wanted[:count])


def _cached(fd: int, room: memoryview, at: int) -> int | None:
    """Read what the page cache has from there on; None where it has nothing, or the file system cannot tell
    (preadv2(2), RWF_NOWAIT)."""
    if not hasattr(os, "RWF_NOWAIT"):
        return None
    try:
        return os.preadv(fd, [room], at, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in _NOT_AT_ONCE:
            return None
        raise


def send_file(
    request: Request[Any, Any, Any], path: Path, *, etag: str, media_type: str, headers: dict[str, str]
) -> Response[Any]:
    """Answer with the file, the part of it that was asked for, or 304 or 416. Blocks while it opens the file: call it
    in a thread."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # deleted between the look at its row and now
        raise DubError(ARTIFACT_NOT_READY, "It has just been deleted.") from None
    keep = False
    try:
        status = os.fstat(fd)
        size, modified_at = status.st_size, status.st_mtime
        asked = request.headers
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": etag,
            "Last-Modified": formatdate(modified_at, usegmt=True),
            **headers,
        }
        if not_modified(asked.get("if-none-match"), asked.get("if-modified-since"), etag, modified_at):
            return Response(b"", status_code=304, headers=headers, media_type=media_type)
        try:
            span = (
                parse_range(asked.get("range"), size)
                if range_applies(asked.get("if-range"), etag, modified_at)
                else None
            )
        except Unsatisfiable:
            return Response(
                b"", status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"}, media_type=media_type
            )
        code = 200 if span is None else 206
        if span is not None:
            headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
        span = span or ByteRange(0, size - 1)
        headers["Content-Length"] = str(span.last - span.first + 1)
        if request.method == "HEAD":
            return Response(b"", status_code=code, headers=headers, media_type=media_type)
        keep = True
        return Stream(_read(FileIO(fd), span), status_code=code, headers=headers, media_type=media_type)
    finally:
        if not keep:
            os.close(fd)
