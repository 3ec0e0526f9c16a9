"""A whole job in one multipart request, for curl: the file is streamed to disk, never held in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar import Request

from app.api.depends import Limits
from app.domain.job import Job

if TYPE_CHECKING:
    from app.jobs.service import JobService
    from app.storage.uploads import UploadStore


async def create_from_form(request: Request[Any, Any, Any], service: JobService, uploads: UploadStore, limits: Limits) -> Job:
    raise NotImplementedError
