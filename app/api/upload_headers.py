"""Parses, writes and documents the headers of tus 1.0.0."""

from __future__ import annotations

import base64
import binascii
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from app.domain.errors import DubError
from app.domain.plain_text import plain
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.problems.uploads import METADATA_TOO_LARGE, UPLOAD_CHECKSUM_ALGORITHM
from app.domain.upload import CHECKSUMS, MAX_PARTS, PARTIAL, Checksum, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-defer-length,creation-with-upload,termination,checksum,expiration,concatenation"
EXPOSED: Final = (
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Defer-Length",
    "Upload-Concat",
    "Upload-Metadata",
    "Upload-Expires",
)
CHUNK_TYPE: Final = "application/offset+octet-stream"
METADATA_BYTES: Final = 16 << 10  # the whole header
METADATA_PAIRS: Final = 32
METADATA_KEY_CHARACTERS: Final = 128
METADATA_VALUE_BYTES: Final = 4 << 10  # a path of the longest kind
_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)
_FORWARDED: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
)
_ADDRESS: Final = re.compile(r"(?:.*/)?api/uploads/([^/]{1,64})/?")


def clean_filename(name: str) -> str:
    """A file name for display: no folders, only visible characters, at most 255. Never used as a path."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return plain(base).strip()[:255] or "upload"


def parse_metadata(header: str | None) -> dict[str, str]:
    """Upload-Metadata: `key base64(value)` pairs, separated by commas. Raises invalid_request, metadata_too_large."""
    found: dict[str, str] = {}
    if len(header or "") > METADATA_BYTES or (header or "").count(",") >= METADATA_PAIRS:
        raise DubError(METADATA_TOO_LARGE)
    for pair in (header or "").split(","):
        name, _, value = pair.strip().partition(" ")
        if not name:
            continue
        if name in found:
            raise DubError(INVALID_REQUEST, f"Upload-Metadata: {name[:40]} comes twice.")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise DubError(INVALID_REQUEST, f"Upload-Metadata: {name[:40]} is not Base64 of UTF-8.") from None
        if len(name) > METADATA_KEY_CHARACTERS or len(value) > METADATA_VALUE_BYTES * 4 // 3 + 4:
            raise DubError(METADATA_TOO_LARGE, f"It is {name[:40]}.")
    return found


def parse_checksum(header: str | None) -> Checksum | None:
    """Upload-Checksum: `algorithm base64(digest)`. Raises upload_checksum_algorithm, invalid_request."""
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise DubError(UPLOAD_CHECKSUM_ALGORITHM)
    try:
        return Checksum(algorithm, base64.b64decode(value.strip(), validate=True))
    except binascii.Error:
        raise DubError(INVALID_REQUEST, "Upload-Checksum: the digest is not Base64.") from None


def parse_number(headers: Mapping[str, str], name: str) -> int:
    value = headers.get(name, "")
    if not _NUMBER.fullmatch(value):
        raise DubError(INVALID_REQUEST, f"{name}: a number of bytes is needed.")
    return int(value)


def parse_length(headers: Mapping[str, str]) -> int | None:
    """Upload-Length of a creation; None with Upload-Defer-Length. Raises invalid_request for both or neither."""
    if (deferred := headers.get("upload-defer-length")) is None:
        return parse_number(headers, "upload-length")
    if deferred != "1":
        raise DubError(INVALID_REQUEST, "Upload-Defer-Length: only 1 has a meaning.")
    if "upload-length" in headers:
        raise DubError(INVALID_REQUEST, "Upload-Length and Upload-Defer-Length exclude each other.")
    return None


def parse_parts(concat: str | None) -> list[str] | None:
    """Upload-Concat: the ids of the uploads to join, in order; None for an upload with bytes of its own. Raises
    invalid_request."""
    if concat is None or concat == PARTIAL:
        return None
    kind, semicolon, addresses = concat.partition(";")
    if kind != "final" or not semicolon:
        raise DubError(INVALID_REQUEST, "Upload-Concat: it is `partial`, or `final;` and the addresses of the parts.")
    found = []
    for address in addresses.split():
        try:
            match = _ADDRESS.fullmatch(urlsplit(address).path)
        except ValueError:
            match = None
        if match is None:
            raise DubError(INVALID_REQUEST, f"Upload-Concat: {address[:80]!r} is not the address of an upload.")
        found.append(match[1])
    if not found or len(found) > MAX_PARTS or len(set(found)) != len(found):
        raise DubError(INVALID_REQUEST, f"Upload-Concat: 1 to {MAX_PARTS} parts, each named once.")
    return found


def upload_headers(upload: Upload) -> dict[str, str]:
    """Headers of every answer about an upload: its offset, and when it expires."""
    headers = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}
    if not upload.final or upload.complete:  # while parts are being joined there is no offset
        headers["Upload-Offset"] = str(upload.offset_bytes)
    if not upload.complete:
        headers["Upload-Expires"] = formatdate(upload.expires_at, usegmt=True)
    return headers


def head_headers(upload: Upload) -> dict[str, str]:
    """Further headers of HEAD: the length, if known, and the metadata of the creation."""
    headers = upload_headers(upload) | (
        {"Upload-Defer-Length": "1"} if upload.deferred else {"Upload-Length": str(upload.length_bytes)}
    )
    if upload.concat:
        headers["Upload-Concat"] = upload.concat
    pairs = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}".rstrip() for name, value in upload.metadata.items()
    )
    return headers | ({"Upload-Metadata": pairs} if pairs else {})


def address(headers: Mapping[str, str], path: str, *, behind_proxy: bool) -> str:
    """The upload's absolute address as the client sees it, or only its path when that is known to a proxy alone: the
    client resolves it.

    A browser's Origin tells how it reaches the server. Without Origin, a proxy with https may stand between: the
    setting or a header tells.
    """
    host, origin = headers.get("host", ""), headers.get("origin", "")
    if host and origin.partition("://")[2] == host:
        return origin + path
    unknown = not host or behind_proxy or any(name in headers for name in _FORWARDED)
    return path if unknown else f"http://{host}{path}"


# ---------------------------------------------------------------- for /schema

_RESUMABLE = ("Tus-Resumable", "The version of tus: 1.0.0.")
_OFFSET = ("Upload-Offset", "How many bytes are on the server's disk.")
_EXPIRES = ("Upload-Expires", "Until when an unfinished upload is kept (an HTTP date).")
_METADATA = ("Upload-Metadata", "Pairs `key base64(value)`, separated by commas; `filename` and `filetype` are used.")
_CONCAT = (
    "Upload-Concat",
    "`partial`: a part of a later upload. `final;ADDRESS ADDRESS ...`: joined from these parts, in this order.",
)
_DEFER = ("Upload-Defer-Length", "`1`: the length is not known yet.")
_LENGTH = ("Upload-Length", "All bytes of the upload.")
_CHECKSUM = ("Upload-Checksum", f"`ALGORITHM base64(digest)` of the body; {', '.join(CHECKSUMS)}.")
_CACHE = ("Cache-Control", "no-store")
_OVERRIDE = ("X-HTTP-Method-Override", "PATCH, HEAD or DELETE, for clients that can only POST to the upload's address.")

REQUEST_HEADERS: Final[dict[tuple[str, str], tuple[tuple[str, str, bool], ...]]] = {
    ("/api/uploads", "post"): (
        (*_RESUMABLE, True),
        (_LENGTH[0], "All bytes of the upload; not with Upload-Defer-Length, and not for a final upload.", False),
        (*_DEFER, False),
        (*_METADATA, False),
        (*_CONCAT, False),
        (*_CHECKSUM, False),
    ),
    ("/api/uploads/{upload_id}", "head"): ((*_RESUMABLE, True),),
    ("/api/uploads/{upload_id}", "patch"): (
        (*_RESUMABLE, True),
        ("Upload-Offset", "Where the body belongs: the upload's offset.", True),
        (*_CHECKSUM, False),
        (_LENGTH[0], "All bytes, once, where the length was deferred.", False),
    ),
    ("/api/uploads/{upload_id}", "delete"): ((*_RESUMABLE, True),),
    ("/api/uploads/{upload_id}", "post"): ((*_RESUMABLE, True), (*_OVERRIDE, True)),
}
ANSWER_HEADERS: Final[dict[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    ("/api/uploads", "post"): (("Location", "The upload's address."), _RESUMABLE, _OFFSET, _EXPIRES, _CACHE),
    ("/api/uploads/{upload_id}", "head"): (_RESUMABLE, _OFFSET, _LENGTH, _DEFER, _METADATA, _CONCAT, _EXPIRES, _CACHE),
    ("/api/uploads/{upload_id}", "patch"): (_RESUMABLE, _OFFSET, _EXPIRES, _CACHE),
    ("/api/uploads/{upload_id}", "delete"): (_RESUMABLE,),
    ("/api/uploads/{upload_id}", "post"): (_RESUMABLE, _OFFSET, _LENGTH, _DEFER, _METADATA, _CONCAT, _EXPIRES, _CACHE),
} | {
    (path, "options"): (
        _RESUMABLE,
        ("Tus-Version", "The versions that are spoken."),
        ("Tus-Extension", "The extensions that are spoken."),
        ("Tus-Max-Size", "The largest upload that is taken, in bytes."),
        ("Tus-Checksum-Algorithm", "The algorithms of Upload-Checksum."),
    )
    for path in ("/api/uploads", "/api/uploads/{upload_id}")
}


REFUSAL_HEADERS: Final = {
    "409": (_OFFSET,),
    "412": (("Tus-Version", "The versions that are spoken."),),
    "413": (("Tus-Max-Size", "The limit, where that is exceeded."),),
    "423": (("Retry-After", "Seconds to wait."),),
    "405": (("Allow", "What can be overridden."),),
}


def describe(document: dict[str, Any]) -> None:
    """Put the headers into the OpenAPI document, which has the operations."""
    for (path, method), headers in REQUEST_HEADERS.items():
        operation = document["paths"][path][method]
        operation.setdefault("parameters", []).extend(
            {"name": name, "in": "header", "description": text, "required": needed, "schema": {"type": "string"}}
            for name, text, needed in headers
        )
    for (path, method), answers in ANSWER_HEADERS.items():
        for status, response in document["paths"][path][method]["responses"].items():
            listed = answers if status.startswith("2") else (_RESUMABLE, *REFUSAL_HEADERS.get(status, ()))
            response["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in listed}
    for path, method in (("/api/uploads", "post"), ("/api/uploads/{upload_id}", "patch")):
        body = {"schema": {"type": "string", "format": "binary"}}
        document["paths"][path][method]["requestBody"] = {"required": method == "patch", "content": {CHUNK_TYPE: body}}
