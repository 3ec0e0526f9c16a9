"""What is kept and how much room it takes; what retention would delete, and its deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.jobs.stock import CleanReport, StorageReport

if TYPE_CHECKING:
    from app.jobs.stock import Stock


class CleanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run` only says what would be deleted."""

    dry_run: bool


@get("/", sync_to_thread=True, responses=refuses())
def get_storage(stock: Given[Stock]) -> Response[StorageReport]:
    """What is kept by kind, the disk, the rules of retention, the last backup. Figures may be a few seconds old."""
    return Response(stock.report(), headers={"Cache-Control": "no-store"})


@post("/clean", status_code=200, sync_to_thread=True, responses=refuses())
def clean_storage(stock: Given[Stock], data: JSONBody[CleanRequest]) -> CleanReport:
    """Delete what the rules no longer keep; with `dry_run`, only list it with the reasons."""
    return stock.clean(dry_run=data.dry_run)


router = Router("/api/storage", tags=["storage"], route_handlers=[get_storage, clean_storage])
