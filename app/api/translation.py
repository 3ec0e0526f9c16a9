"""Routes of a translation that a person brings: a preview, the change, and its undo. Changes name the revision of the
lines in If-Match, as edits do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
from litestar import Router, post
from litestar.params import FromPath, JSONBody
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.api.segments import IfMatch, revision_of, tagged
from app.jobs.translation_schemas import (
    BroughtTranslation,
    TranslationApplied,
    TranslationPreview,
    TranslationUndone,
    UndoRequest,
)

if TYPE_CHECKING:
    from app.jobs.service import JobService

_REFUSED = refuses(404, 409, 412, 422, 428, 503)


@post("/preview", status_code=200, sync_to_thread=True, responses=refuses(404, 422))
def preview_translation(
    service: Given[JobService], job_id: FromPath[str], data: JSONBody[BroughtTranslation]
) -> Response[TranslationPreview]:
    """Which line would get what, and what is left over or missing. Nothing is changed."""
    body = msgspec.json.encode(service.preview_translation(job_id, data))
    return Response(cast(TranslationPreview, body), media_type="application/json")


@post("/", status_code=200, sync_to_thread=True, responses=_REFUSED)
def apply_translation(
    service: Given[JobService], job_id: FromPath[str], data: JSONBody[BroughtTranslation], if_match: IfMatch = None
) -> Response[TranslationApplied]:
    """Give the lines what the preview shows, as one change that can be taken back."""
    return tagged(service.apply_translation(job_id, revision_of(if_match), data))


@post("/undo", status_code=200, sync_to_thread=True, responses=_REFUSED)
def undo_translation(
    service: Given[JobService], job_id: FromPath[str], data: JSONBody[UndoRequest], if_match: IfMatch = None
) -> Response[TranslationUndone]:
    """Take the last change of many lines back. Lines that were edited after it stay as they are."""
    return tagged(service.undo_translation(job_id, revision_of(if_match), data.undo))


router = Router(
    "/api/jobs/{job_id:str}/translation",
    tags=["segments"],
    route_handlers=[preview_translation, apply_translation, undo_translation],
)
