"""Uploads: tus 1.0.0 with creation, creation-with-upload, termination, checksum and expiration (https://tus.io/protocols/resumable-upload)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Router, route
from litestar.enums import HttpMethod
from litestar.response import Response

from app.api.depends import Limits
from app.api.problems import refuses

if TYPE_CHECKING:
    from app.storage.uploads import UploadStore

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,termination,checksum,expiration"


@route(["/", "/{upload_id:str}"], http_method=[HttpMethod.OPTIONS], status_code=204, sync_to_thread=False, include_in_schema=False)
def capabilities(limits: Limits) -> Response[None]:
    """What this server speaks and takes."""
    raise NotImplementedError


@route("/", http_method=[HttpMethod.POST], status_code=201, responses=refuses(412, 413, 422, 460, 507))
async def create_upload(request: Request[Any, Any, Any], uploads: UploadStore, limits: Limits) -> Response[None]:
    """Start an upload (`Upload-Length`, `Upload-Metadata` with `filename` and `filetype`); the answer's Location is its address."""
    raise NotImplementedError


@route("/{upload_id:str}", http_method=[HttpMethod.HEAD], status_code=200, include_in_schema=False)
async def upload_offset(upload_id: str, uploads: UploadStore) -> Response[None]:
    """Where to go on: `Upload-Offset`."""
    raise NotImplementedError


@route("/{upload_id:str}", http_method=[HttpMethod.PATCH], status_code=204, responses=refuses(404, 409, 412, 413, 415, 423, 460, 507))
async def append_upload(request: Request[Any, Any, Any], upload_id: str, uploads: UploadStore, limits: Limits) -> Response[None]:
    """Append bytes at `Upload-Offset`. What has arrived is kept when the connection breaks."""
    raise NotImplementedError


@route("/{upload_id:str}", http_method=[HttpMethod.DELETE], status_code=204, responses=refuses(404, 412, 423))
async def terminate_upload(request: Request[Any, Any, Any], upload_id: str, uploads: UploadStore) -> Response[None]:
    """Give up an upload."""
    raise NotImplementedError


router = Router("/api/uploads", tags=["uploads"], route_handlers=[capabilities, create_upload, upload_offset, append_upload, terminate_upload])
