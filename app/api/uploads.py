"""Uploads: tus 1.0.0 with creation, creation-with-upload, termination, checksum and expiration (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Router, route
from litestar.enums import HttpMethod
from litestar.params import FromPath
from litestar.response import Response

from app.api.bodies import Pace, blocks
from app.api.depends import Given, Limits
from app.api.leases import Leases
from app.api.problems import ProblemDetails, answer, refuses
from app.domain import errors
from app.domain.errors import DubError
from app.domain.upload import CHECKSUMS, Checksum, Upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.storage.uploads import UploadStore, Writer

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"
HEADERS: Final = (
    "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires",
)  # fmt: skip
CHUNK_TYPE: Final = "application/offset+octet-stream"
METADATA_BYTES: Final = 16 << 10  # the whole header
METADATA_PAIRS: Final = 32
METADATA_KEY_CHARACTERS: Final = 128
METADATA_VALUE_BYTES: Final = 4 << 10  # a path of the longest kind
_NUMBER: Final = re.compile(r"\d{1,18}")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


def clean_filename(name: str) -> str:
    """A name as people see it: no folders, no control characters, at most 255 characters. Never used as a path."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _UNPRINTABLE.sub("", base).strip()[:255] or "upload"


def parse_metadata(header: str | None) -> dict[str, str]:
    """Upload-Metadata: `key base64(value)` pairs, separated by commas. Raises invalid_request, metadata_too_large."""
    found: dict[str, str] = {}
    if len(header or "") > METADATA_BYTES or (header or "").count(",") >= METADATA_PAIRS:
        raise DubError(errors.METADATA_TOO_LARGE)
    for pair in (header or "").split(","):
        name, _, value = pair.strip().partition(" ")
        if not name:
            continue
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise DubError(errors.INVALID_REQUEST, f"Upload-Metadata: {name[:40]} is not Base64 of UTF-8.") from None
        if len(name) > METADATA_KEY_CHARACTERS or len(value) > METADATA_VALUE_BYTES * 4 // 3 + 4:
            raise DubError(errors.METADATA_TOO_LARGE, f"It is {name[:40]}.")
    return found


def parse_checksum(header: str | None) -> Checksum | None:
    """Upload-Checksum: `algorithm base64(digest)`. Raises upload_checksum_algorithm, invalid_request."""
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise DubError(errors.UPLOAD_CHECKSUM_ALGORITHM)
    try:
        return Checksum(algorithm, base64.b64decode(value.strip(), validate=True))
    except binascii.Error:
        raise DubError(errors.INVALID_REQUEST, "Upload-Checksum: the digest is not Base64.") from None


def _number(headers: Mapping[str, str], name: str) -> int:
    value = headers.get(name, "")
    if not _NUMBER.fullmatch(value):
        raise DubError(errors.INVALID_REQUEST, f"{name}: a number of bytes is needed.")
    return int(value)


def _speaks_tus(request: Request[Any, Any, Any]) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise DubError(errors.TUS_VERSION, headers={"Tus-Version": VERSION})


def check_length(limits: Limits, length_bytes: int) -> None:
    """Raises upload_too_large."""
    if length_bytes > limits.max_upload_bytes:
        headers = {"Tus-Max-Size": str(limits.max_upload_bytes)}
        raise DubError(errors.UPLOAD_TOO_LARGE, f"The limit is {limits.max_upload_bytes} bytes.", headers=headers)


async def receive(request: Request[Any, Any, Any], writer: Writer, pace: Pace) -> Upload:
    """Write the body as it comes. However it ends, what arrived is on disk and counted when this returns or raises."""
    whole = False
    try:
        async for block in blocks(request, pace):
            await asyncio.to_thread(writer.write, block)
        whole = True
    finally:
        settling = asyncio.ensure_future(asyncio.to_thread(writer.settle, whole=whole))
        upload = await asyncio.shield(settling)
    return upload


def _headers(upload: Upload) -> dict[str, str]:
    headers = {"Tus-Resumable": VERSION, "Upload-Offset": str(upload.offset_bytes), "Cache-Control": "no-store"}
    if not upload.complete:
        headers["Upload-Expires"] = formatdate(upload.expires_at, usegmt=True)
    return headers


@route(["/", "/{upload_id:str}"], http_method=[HttpMethod.OPTIONS], status_code=204, sync_to_thread=False, include_in_schema=False)
def capabilities(limits: Given[Limits]) -> Response[None]:
    """What this server speaks and takes."""
    headers = {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(limits.max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }
    return Response(None, status_code=204, headers=headers)


@route("/", http_method=[HttpMethod.POST], status_code=201, responses=refuses(412, 413, 422, 429, 431, 460, 507))
async def create_upload(request: Request[Any, Any, Any], uploads: Given[UploadStore], leases: Given[Leases], limits: Given[Limits]) -> Response[None]:
    """Start an upload (`Upload-Length`, `Upload-Metadata` with `filename` and `filetype`); the answer's Location is its address."""
    _speaks_tus(request)
    length = _number(request.headers, "upload-length")
    if length == 0:
        raise DubError(errors.FILE_EMPTY)
    metadata, checksum = parse_metadata(request.headers.get("upload-metadata")), parse_checksum(request.headers.get("upload-checksum"))
    check_length(limits, length)
    name, kind = clean_filename(metadata.get("filename", metadata.get("name", ""))), metadata.get("filetype", metadata.get("type", ""))
    upload = await asyncio.to_thread(uploads.create, filename=name, media_type=kind[:255], length_bytes=length, metadata=metadata)
    if request.content_type[0] == CHUNK_TYPE:
        async with leases.hold(upload.id) as pace:
            try:
                upload = await receive(request, await asyncio.to_thread(uploads.writer, upload, checksum), pace)
            except DubError as error:
                if error.problem is errors.UPLOAD_CHECKSUM:  # the client never learns this upload's address
                    await asyncio.to_thread(uploads.delete, upload.id)
                raise
    return Response(None, status_code=201, headers={**_headers(upload), "Location": f"{limits.base_path}/api/uploads/{upload.id}"})


@route("/{upload_id:str}", http_method=[HttpMethod.HEAD], status_code=200, include_in_schema=False)
async def upload_offset(
    request: Request[Any, Any, Any], upload_id: FromPath[str], uploads: Given[UploadStore], leases: Given[Leases]
) -> Response[None]:
    """Where to go on: `Upload-Offset`."""
    _speaks_tus(request)
    await leases.vacate(upload_id)
    upload = await asyncio.to_thread(uploads.get, upload_id)
    pairs = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in upload.metadata.items())
    headers = {**_headers(upload), "Upload-Length": str(upload.length_bytes)}
    return Response(None, status_code=200, headers={**headers, "Upload-Metadata": pairs} if pairs else headers)


@route("/{upload_id:str}", http_method=[HttpMethod.PATCH], status_code=204, responses=refuses(404, 409, 412, 413, 415, 423, 460, 507))
async def append_upload(
    request: Request[Any, Any, Any], upload_id: FromPath[str], uploads: Given[UploadStore], leases: Given[Leases]
) -> Response[None]:
    """Append bytes at `Upload-Offset`. What has arrived is kept when the connection breaks."""
    _speaks_tus(request)
    if request.content_type[0] != CHUNK_TYPE:
        raise DubError(errors.UPLOAD_CONTENT_TYPE)
    offset, checksum = _number(request.headers, "upload-offset"), parse_checksum(request.headers.get("upload-checksum"))
    async with leases.hold(upload_id) as pace:
        upload = await asyncio.to_thread(uploads.get, upload_id)
        if offset != upload.offset_bytes:
            raise DubError(errors.UPLOAD_OFFSET, f"It is at {upload.offset_bytes}.", headers={"Upload-Offset": str(upload.offset_bytes)})
        if not upload.complete:
            if offset + (request.content_length or 0) > upload.length_bytes:
                raise DubError(errors.UPLOAD_TOO_LARGE, "More bytes come than were announced.")
            upload = await receive(request, await asyncio.to_thread(uploads.writer, upload, checksum), pace)
    return Response(None, status_code=204, headers=_headers(upload))


@route("/{upload_id:str}", http_method=[HttpMethod.DELETE], status_code=204, responses=refuses(404, 412, 423))
async def terminate_upload(
    request: Request[Any, Any, Any], upload_id: FromPath[str], uploads: Given[UploadStore], leases: Given[Leases]
) -> Response[None]:
    """Give up an upload."""
    _speaks_tus(request)
    async with leases.hold(upload_id, by_force=True):
        await asyncio.to_thread(uploads.delete, upload_id)
    return Response(None, status_code=204, headers={"Tus-Resumable": VERSION})


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    response = answer(request, error)
    response.headers["Tus-Resumable"] = VERSION
    return response


router = Router(
    "/api/uploads",
    tags=["uploads"],
    route_handlers=[capabilities, create_upload, upload_offset, append_upload, terminate_upload],
    exception_handlers={Exception: _answer},
    request_max_body_size=None,
)
