"""Routes of storage: usage, retention and export."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody
from litestar.response import Response, Stream

from app.api.depends import Given
from app.api.problems import refuses
from app.api.ranges import disposition
from app.retention.usage import CleanReport, StorageReport

if TYPE_CHECKING:
    from app.retention.usage import StorageUsage


class CleanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run` only lists what would be deleted."""

    dry_run: bool


@get("/", sync_to_thread=True, responses=refuses())
def get_storage(usage: Given[StorageUsage]) -> Response[StorageReport]:
    """Usage by kind, the disk, the rules of retention and the last backup. Figures may be a few seconds old."""
    return Response(usage.report(), headers={"Cache-Control": "no-store"})


@post("/clean", status_code=200, sync_to_thread=True, responses=refuses())
def clean_storage(usage: Given[StorageUsage], data: JSONBody[CleanRequest]) -> CleanReport:
    """Delete what the rules no longer keep; with `dry_run`, only list it with reasons."""
    return usage.clean(dry_run=data.dry_run)


@get(
    "/api/jobs/{job_id:str}/export",
    sync_to_thread=True,
    tags=["jobs"],
    media_type="application/x-tar",
    responses=refuses(404),
    raises=[],
)
def export_job(usage: Given[StorageUsage], job_id: FromPath[str]) -> Stream:
    """One job with its history and files as a tar archive for `autodubber import`; its README.txt explains the
    contents."""
    title, blocks = usage.archive(job_id)
    headers = {"Content-Disposition": disposition("attachment", f"{title}.tar"), "Cache-Control": "no-store"}
    return Stream(_in_threads(blocks), media_type="application/x-tar", headers=headers)


async def _in_threads(blocks: Generator[bytes]) -> AsyncIterator[bytes]:
    """Make each block in a thread; close open files when the client disconnects."""
    try:
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            yield block
    finally:
        blocks.close()


router = Router("/api/storage", tags=["storage"], route_handlers=[get_storage, clean_storage])
