"""Uploads: tus 1.0.0 with creation (also of a deferred length, also with bytes), termination, checksum, expiration and
concatenation (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Router, route
from litestar.enums import HttpMethod
from litestar.params import FromPath
from litestar.response import Response

from app.api.bodies import BodyReader, blocks
from app.api.depends import Given, OperatorLimits
from app.api.leases import Leases
from app.api.problems import ProblemDetails, answer, refuses
from app.api.upload_headers import (
    CHUNK_TYPE,
    EXTENSIONS,
    VERSION,
    address,
    clean_filename,
    head_headers,
    parse_checksum,
    parse_length,
    parse_metadata,
    parse_number,
    parse_parts,
    upload_headers,
)
from app.domain.errors import DubError
from app.domain.problems.requests import INVALID_REQUEST, METHOD_NOT_ALLOWED
from app.domain.problems.uploads import (
    TUS_VERSION,
    UPLOAD_CHECKSUM,
    UPLOAD_CONTENT_TYPE,
    UPLOAD_FINAL,
    UPLOAD_OFFSET,
    UPLOAD_TOO_LARGE,
)
from app.domain.upload import CHECKSUMS, Checksum, Upload

if TYPE_CHECKING:
    from app.storage.upload_writer import Writer
    from app.storage.uploads import UploadStore

_TOO_MANY: Final = "More bytes come than were announced."


def _speaks_tus(request: Request[Any, Any, Any]) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise DubError(TUS_VERSION, headers={"Tus-Version": VERSION})


def check_length(limits: OperatorLimits, length_bytes: int) -> None:
    """Raises upload_too_large."""
    if length_bytes > limits.max_upload_bytes:
        headers = {"Tus-Max-Size": str(limits.max_upload_bytes)}
        raise DubError(UPLOAD_TOO_LARGE, f"The limit is {limits.max_upload_bytes} bytes.", headers=headers)


async def receive(request: Request[Any, Any, Any], writer: Writer, pace: BodyReader) -> Upload:
    """Write the body as it arrives. When this returns or raises, all bytes that arrived are on disk and counted."""
    whole = False
    try:
        async for block in blocks(request, pace):
            await asyncio.to_thread(writer.write, block)
        whole = True
    finally:
        settling = asyncio.ensure_future(asyncio.to_thread(writer.settle, whole=whole))
        upload = await asyncio.shield(settling)
    return upload


@route("/", http_method=[HttpMethod.OPTIONS], status_code=200, sync_to_thread=False)
def capabilities(limits: Given[OperatorLimits]) -> Response[None]:
    """The protocol version, extensions and limits of this server."""
    return _able(limits)


@route("/{upload_id:str}", http_method=[HttpMethod.OPTIONS], status_code=200, sync_to_thread=False, responses=refuses())
def upload_capabilities(limits: Given[OperatorLimits]) -> Response[None]:
    """The protocol version, extensions and limits of this server."""
    return _able(limits)


def _able(limits: OperatorLimits) -> Response[None]:
    headers = {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(limits.max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }
    return Response(None, status_code=200, headers=headers)


@route("/", http_method=[HttpMethod.POST], status_code=201, responses=refuses(404, 412, 413, 415, 429, 431, 460, 507))
async def create_upload(
    request: Request[Any, Any, Any], uploads: Given[UploadStore], leases: Given[Leases], limits: Given[OperatorLimits]
) -> Response[None]:
    """Start an upload (`Upload-Length`, `Upload-Metadata` with `filename` and `filetype`); Location is its address."""
    _speaks_tus(request)
    concat, metadata = request.headers.get("upload-concat"), parse_metadata(request.headers.get("upload-metadata"))
    checksum, part_ids = parse_checksum(request.headers.get("upload-checksum")), parse_parts(concat)
    name, kind = (
        clean_filename(metadata.get("filename", metadata.get("name", ""))),
        metadata.get("filetype", metadata.get("type", ""))[:255],
    )
    with_bytes = request.content_type[0] == CHUNK_TYPE
    if not with_bytes and await _has_body(request):
        raise DubError(UPLOAD_CONTENT_TYPE)
    if concat is not None and part_ids is not None:
        if with_bytes or "upload-length" in request.headers or "upload-defer-length" in request.headers:
            raise DubError(INVALID_REQUEST, "Upload-Concat: a final upload has the length and the bytes of its parts.")
        joining = asyncio.to_thread(
            uploads.create_final,
            filename=name,
            media_type=kind,
            metadata=metadata,
            concat=concat,
            part_ids=part_ids,
            max_bytes=limits.max_upload_bytes,
        )
        return _created(request, await asyncio.shield(asyncio.ensure_future(joining)), limits)
    length = parse_length(request.headers)
    check_length(limits, length or 0)
    upload = await asyncio.to_thread(
        uploads.create,
        filename=name,
        media_type=kind,
        length_bytes=limits.max_upload_bytes if length is None else length,
        metadata=metadata,
        deferred=length is None,
        partial=concat is not None,
    )
    if with_bytes:
        async with leases.hold(upload.id) as pace:
            try:
                upload = await _receive_more(request, uploads, upload, checksum, pace)
            except DubError as error:
                if error.problem is UPLOAD_CHECKSUM:  # the client would never learn this upload's address
                    await asyncio.to_thread(uploads.delete, upload.id)
                raise
    return _created(request, upload, limits)


@route("/{upload_id:str}", http_method=[HttpMethod.HEAD], status_code=200, responses=refuses(404, 412, 423, 507))
async def upload_offset(
    request: Request[Any, Any, Any], upload_id: FromPath[str], uploads: Given[UploadStore], leases: Given[Leases]
) -> Response[None]:
    """The offset at which to continue: `Upload-Offset`."""
    return await _tell(request, upload_id, uploads, leases)


async def _tell(
    request: Request[Any, Any, Any], upload_id: str, uploads: UploadStore, leases: Leases
) -> Response[None]:
    _speaks_tus(request)
    await leases.vacate(upload_id)
    return Response(None, status_code=200, headers=head_headers(await asyncio.to_thread(uploads.get, upload_id)))


@route(
    "/{upload_id:str}",
    http_method=[HttpMethod.PATCH],
    status_code=204,
    responses=refuses(403, 404, 409, 412, 413, 415, 423, 460, 507),
)
async def append_upload(
    request: Request[Any, Any, Any],
    upload_id: FromPath[str],
    uploads: Given[UploadStore],
    leases: Given[Leases],
    limits: Given[OperatorLimits],
) -> Response[None]:
    """Append bytes at `Upload-Offset`. What has arrived is kept when the connection breaks."""
    return await _append(request, upload_id, uploads, leases, limits)


async def _append(
    request: Request[Any, Any, Any], upload_id: str, uploads: UploadStore, leases: Leases, limits: OperatorLimits
) -> Response[None]:
    _speaks_tus(request)
    if request.content_type[0] != CHUNK_TYPE:
        raise DubError(UPLOAD_CONTENT_TYPE)
    offset, checksum = (
        parse_number(request.headers, "upload-offset"),
        parse_checksum(request.headers.get("upload-checksum")),
    )
    length = parse_number(request.headers, "upload-length") if "upload-length" in request.headers else None
    async with leases.hold(upload_id) as pace:
        upload = await asyncio.to_thread(uploads.get, upload_id)
        if upload.final:
            raise DubError(UPLOAD_FINAL)
        if offset != upload.offset_bytes:
            raise DubError(
                UPLOAD_OFFSET,
                f"It is at {upload.offset_bytes}.",
                headers={"Upload-Offset": str(upload.offset_bytes)},
            )
        if length is not None and length != upload.length_bytes and not upload.deferred:
            raise DubError(INVALID_REQUEST, f"Upload-Length: it is known to be {upload.length_bytes}, and stays so.")
        check_length(limits, length or 0)
        expected = upload.length_bytes if length is None else length
        if offset + (request.content_length or 0) > expected:
            raise DubError(UPLOAD_TOO_LARGE, _TOO_MANY)
        if upload.deferred and length is not None:
            upload = await asyncio.to_thread(uploads.declare, upload_id, length)
        upload = await _receive_more(request, uploads, upload, checksum, pace)
    return Response(None, status_code=204, headers=upload_headers(upload))


async def _receive_more(
    request: Request[Any, Any, Any], uploads: UploadStore, upload: Upload, checksum: Checksum | None, pace: BodyReader
) -> Upload:
    """Receive the body of an incomplete upload. A complete upload refuses further bytes."""
    if upload.received and (upload.complete or upload.partial):
        async for _ in blocks(request, pace):
            raise DubError(UPLOAD_TOO_LARGE, _TOO_MANY)
        return upload
    return await receive(request, await asyncio.to_thread(uploads.writer, upload, checksum), pace)


async def _has_body(request: Request[Any, Any, Any]) -> bool:
    """Whether the request has a body. Without headers that say so (HTTP/2), its first bytes do."""
    if request.content_length is not None or request.scope["http_version"].startswith("1"):
        return bool(request.content_length) or "transfer-encoding" in request.headers
    async for _ in blocks(request, BodyReader()):
        return True
    return False


def _created(request: Request[Any, Any, Any], upload: Upload, limits: OperatorLimits) -> Response[None]:
    behind_proxy = bool(limits.base_path or limits.trusted_proxies)
    where = address(request.headers, f"{limits.base_path}/api/uploads/{upload.id}", behind_proxy=behind_proxy)
    return Response(None, status_code=201, headers={**upload_headers(upload), "Location": where})


@route("/{upload_id:str}", http_method=[HttpMethod.DELETE], status_code=204, responses=refuses(404, 412, 423))
async def terminate_upload(
    request: Request[Any, Any, Any], upload_id: FromPath[str], uploads: Given[UploadStore], leases: Given[Leases]
) -> Response[None]:
    """Delete an upload."""
    return await _terminate(request, upload_id, uploads, leases)


async def _terminate(
    request: Request[Any, Any, Any], upload_id: str, uploads: UploadStore, leases: Leases
) -> Response[None]:
    _speaks_tus(request)
    async with leases.hold(upload_id, by_force=True):
        await asyncio.to_thread(uploads.delete, upload_id)
    return Response(None, status_code=204, headers={"Tus-Resumable": VERSION})


@route(
    "/{upload_id:str}",
    http_method=[HttpMethod.POST],
    status_code=200,
    responses=refuses(403, 404, 405, 409, 412, 413, 415, 423, 460, 507),
)
async def override_method(
    request: Request[Any, Any, Any],
    upload_id: FromPath[str],
    uploads: Given[UploadStore],
    leases: Given[Leases],
    limits: Given[OperatorLimits],
) -> Response[None]:
    """PATCH, HEAD or DELETE of an upload, named by `X-HTTP-Method-Override`, for networks that pass only POST."""
    match request.headers.get("x-http-method-override", "").strip().upper():
        case "PATCH":
            return await _append(request, upload_id, uploads, leases, limits)
        case "DELETE":
            return await _terminate(request, upload_id, uploads, leases)
        case "HEAD":
            return await _tell(request, upload_id, uploads, leases)
    raise DubError(METHOD_NOT_ALLOWED, headers={"Allow": "DELETE, HEAD, OPTIONS, PATCH"})


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    response = answer(request, error)
    response.headers["Tus-Resumable"] = VERSION
    return response


router = Router(
    "/api/uploads",
    tags=["uploads"],
    route_handlers=[
        capabilities,
        upload_capabilities,
        create_upload,
        upload_offset,
        append_upload,
        terminate_upload,
        override_method,
    ],
    exception_handlers={Exception: _answer},
    request_max_body_size=None,
)
