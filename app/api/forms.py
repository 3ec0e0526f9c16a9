"""Creates a job from one multipart request, for curl. Files are streamed to disk, never held in memory."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser  # type: ignore[import-untyped]

from app.api.bodies import blocks
from app.api.depends import OperatorLimits
from app.api.leases import Leases
from app.api.upload_headers import clean_filename
from app.api.uploads import check_length
from app.domain.errors import DubError
from app.domain.job import Job
from app.domain.problems.media import FILE_EMPTY
from app.domain.problems.requests import BODY_TOO_LARGE, INVALID_REQUEST
from app.domain.secret_names import Keys
from app.domain.upload import Upload
from app.jobs.schemas import CreateJob, OptionsPatch

if TYPE_CHECKING:
    from app.jobs.service import JobService
    from app.storage.disk_floors import Reservation
    from app.storage.upload_writer import Writer
    from app.storage.uploads import UploadStore

_FILES: Final = frozenset({"file", "subtitles", "stem"})
_NULLABLE: Final = frozenset({"language", "target_language", "audio_track", "duck_db", "loudness_lufs"})
_FIELD_BYTES: Final = 64 << 10
_PARTS: Final = 64
_OVERHEAD_BYTES: Final = 16 << 20  # a body may exceed its file by this much: subtitles, fields, boundaries


class _Form:
    """The form so far: text fields, finished uploads by field, and the current part."""

    def __init__(self, uploads: UploadStore, length_bound: int, room: Reservation) -> None:
        self.fields: dict[str, str] = {}
        self.files: dict[str, Upload] = {}
        self._uploads = uploads
        self._length_bound, self._room = length_bound, room
        self._name = ""
        self._text = bytearray()
        self._open: tuple[Upload, Writer] | None = None

    async def take(self, part: MultipartSegment | bytes | bytearray | None) -> None:
        """One event of the parser: a part's head, some of its bytes, or its end."""
        if isinstance(part, MultipartSegment):
            await self._begin(part)
        elif part is None:
            await self._end()
        elif self._open is not None:
            await asyncio.to_thread(self._open[1].write, bytes(part))
        else:
            self._text += part
            if len(self._text) > _FIELD_BYTES:
                raise DubError(BODY_TOO_LARGE, f"The field {self._name} is too long.")

    async def _begin(self, part: MultipartSegment) -> None:
        self._name, self._text = part.name, bytearray()
        if self._name in self.fields or self._name in self.files:
            raise DubError(INVALID_REQUEST, f"The field {self._name} comes twice.")
        if self._name not in _FILES:
            return
        upload = await asyncio.to_thread(
            self._uploads.create,
            filename=clean_filename(part.filename or ""),
            media_type=part.content_type or "",
            length_bytes=self._length_bound,
            metadata={},
            room=self._room,
        )
        self.files[self._name] = upload
        self._open = upload, await asyncio.to_thread(self._uploads.writer, upload)

    async def _end(self) -> None:
        if self._open is None:
            self.fields[self._name] = self._text.decode("utf-8", "replace")
            return
        (upload, writer), self._open = self._open, None
        length = writer.offset_bytes
        await asyncio.to_thread(writer.settle, whole=True)
        if length == 0:
            raise DubError(FILE_EMPTY, f"The field {self._name} has no content.")
        self.files[self._name] = await asyncio.to_thread(self._uploads.finish, upload.id, length)

    async def discard(self) -> None:
        """Delete the uploads: the request did not become a job."""
        if self._open is not None:
            await asyncio.to_thread(self._open[1].settle, whole=False)
        for upload in self.files.values():
            await asyncio.to_thread(self._uploads.delete, upload.id)


async def create_from_form(
    request: Request[Any, Any, Any],
    service: JobService,
    uploads: UploadStore,
    leases: Leases,
    limits: OperatorLimits,
    keys: Keys,
) -> tuple[Job, OptionsPatch]:
    """Read the form and create the job; returns it, and the options that were asked for.

    Raises file_empty, upload_too_large, disk_full, invalid_request and what the service raises.

    Disk space is reserved for the announced length, else as bytes arrive.
    """
    boundary = request.content_type[1].get("boundary")
    if not boundary:
        raise DubError(INVALID_REQUEST, "The multipart body has no boundary.")
    announced = max(0, (request.content_length or 0) - _OVERHEAD_BYTES)
    # a video and a background; each file is held to the limit as it arrives
    if announced <= 2 * limits.max_upload_bytes:
        announced = min(announced, limits.max_upload_bytes)
    check_length(limits, announced)
    room = await asyncio.to_thread(uploads.reserve, request.content_length or 0)
    form = _Form(uploads, limits.max_upload_bytes, room)
    try:
        try:
            async with leases.hold(f"form {secrets.token_hex(8)}") as pace:
                with PushMultipartParser(boundary, max_segment_count=_PARTS) as parser:
                    async for block in blocks(request, pace):
                        for part in parser.parse(block):
                            await form.take(part)
        except MultipartError as error:
            raise DubError(INVALID_REQUEST, f"The multipart body: {error}.") from None
        asked = _request(form)
        return await asyncio.to_thread(service.create, asked, keys=keys), asked.options
    except BaseException:
        await asyncio.shield(form.discard())
        raise
    finally:
        room.release()


def _request(form: _Form) -> CreateJob:
    if "file" not in form.files:
        raise DubError(INVALID_REQUEST, "The field file is missing.")
    fields = dict(form.fields)
    title = fields.pop("title", msgspec.UNSET)
    languages = [{"language": each.strip()} for each in fields.pop("languages", "").split(",") if each.strip()]
    chosen: dict[str, Any] = {}
    for field, text in fields.items():
        group, dot, name = field.rpartition(".")
        value = None if name in _NULLABLE and text in ("", "auto", "off") else text  # a form cannot express null
        if dot:
            chosen.setdefault(group, {})[name] = value
        else:
            chosen[name] = value
    try:
        options = msgspec.convert(chosen, OptionsPatch, strict=False)
        attached = {f"{name}_upload_id": form.files[name].id for name in ("subtitles", "stem") if name in form.files}
        titled = {} if title is msgspec.UNSET else {"title": title}
        wanted = {"upload_id": form.files["file"].id, "options": options, "languages": languages}
        return msgspec.convert(wanted | attached | titled, CreateJob)
    except msgspec.ValidationError as error:
        raise DubError(INVALID_REQUEST, str(error)) from None
