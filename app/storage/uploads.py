"""Uploads: bytes that arrive in pieces, over connections that break, across crashes of the server.

Who guarantees what. The caller lets only one `Writer` write to an upload at a time. The store guarantees that the
stored offset never says more than what is on disk: bytes are synced before the offset is written. After a crash the
file may be longer than the offset; what is beyond is cut off before the next byte is written. Room on the disk is
reserved for the whole length before the first byte. A finished upload lies in the blob store under `uploads/ID`; one
that is a part of a later upload stays in the folder until it is joined (`app.storage.concatenation`). All methods
block.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import OperationalError

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL, UPLOAD_NOT_FOUND
from app.domain.upload import PARTIAL, Checksum, Upload
from app.storage import concatenation
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.database import reading, urgently
from app.storage.disk_floor import Floor
from app.storage.disk_floors import Reservation, reserve_on
from app.storage.open_uploads import OpenUploads
from app.storage.upload_writer import Writer
from app.system import disk_full

_GRACE_S: Final = 60.0  # between the end of an upload's life and its deletion, so that none vanishes under a request
_ONCE: Final = "once only"  # metadata of an upload that nobody can go on with; with a space, which no client's key has
_SWEEP_EVERY_S: Final = 10.0  # while there are too many
MOST_OPEN: Final = 1000


class UploadStore:
    """The uploads table and the folder of unfinished files."""

    def __init__(
        self,
        engine: Engine,
        blobs: BlobStore,
        folder: Path,
        *,
        expiry_s: float,
        floor: Floor | None = None,
        blob_floor: Floor | None = None,
        most_open: int = MOST_OPEN,
    ) -> None:
        """`floor` is of the disk of `folder`, `blob_floor` of the blobs' when that is another one."""
        self._engine = engine
        self._blobs = blobs
        self._folder = folder
        self._expiry_s = expiry_s
        self.floor = floor or Floor(blobs.free_bytes, 0)
        self._floors = (self.floor, blob_floor or self.floor)
        self._open = OpenUploads(self._floors, most_open)
        self._swept_at = float("-inf")
        self._lock = threading.Lock()
        self._joining: set[str] = set()
        self._uncounted: dict[str, int] = {}  # synced, but the database could not be told
        folder.mkdir(parents=True, exist_ok=True)

    def reserve(self, size_bytes: int) -> Reservation:
        """Room for uploads that come in one request, to be released at its end; see `create`. Raises disk_full."""
        return reserve_on(self._floors, size_bytes)

    def create(
        self,
        *,
        filename: str,
        media_type: str,
        length_bytes: int,
        metadata: dict[str, str],
        room: Reservation | None = None,
        deferred: bool = False,
        partial: bool = False,
    ) -> Upload:
        """A new, empty upload, with room for all of it; one of 0 bytes is complete at once. Raises too_many_uploads,
        disk_full.

        With `room` it comes in one request, which has reserved that: `length_bytes` is then an upper bound, `finish`
        tells the truth, and a restart forgets it. When the length is `deferred` it is one too, `declare` tells the
        truth, and room is reserved as its bytes come.
        """
        metadata = {_ONCE: ""} if room is not None else metadata
        upload = self._new(
            filename, media_type, length_bytes, metadata, deferred=deferred, concat=PARTIAL if partial else ""
        )
        self._open.begin(upload.id, 0 if deferred else length_bytes, room=room, make_place=self._sweep_sometimes)
        try:
            if upload.received:
                self._path(upload.id).touch()
            with self._engine.begin() as c:
                c.execute(insert(t.uploads).values(**msgspec.structs.asdict(upload)))
        except BaseException:
            self._open.end(upload.id)
            raise
        return self.finished(upload)

    def create_final(
        self,
        *,
        filename: str,
        media_type: str,
        metadata: dict[str, str],
        concat: str,
        part_ids: Sequence[str],
        max_bytes: int,
    ) -> Upload:
        """An upload that is joined from finished parts, which are gone afterwards. Returns when it is complete, or
        while another call joins it.

        Raises upload_not_found, invalid_request, upload_too_large, and disk_full: then it goes on when it is asked for
        again.
        """
        upload = self._new(filename, media_type, 0, metadata, concat=concat)
        upload_id = concatenation.claim(self._engine, upload, part_ids, max_bytes)
        for part_id in part_ids:
            self._open.end(part_id)
        return self.get(upload_id)

    def resume(self) -> int:
        """After a restart: unfinished uploads have their room again, those that cannot be gone on with are gone.
        Returns how many are open."""
        now = time.time()
        with reading(self._engine) as c:
            rows = c.execute(
                select(t.uploads).where(t.uploads.c.complete.is_(False)).order_by(t.uploads.c.created_at)
            ).all()
        for upload in map(_upload, rows):
            if _ONCE in upload.metadata:
                self.delete(upload.id)
            elif upload.expires_at > now:
                path = self._path(upload.id)
                there = path.stat().st_size if path.exists() else 0
                whole = there if upload.deferred or upload.final else upload.length_bytes  # these reserve as they go
                self._open.resume(upload.id, max(0, whole - there), whole, now - upload.updated_at)
        return len(self._open)

    def get(self, upload_id: str) -> Upload:
        """The upload as it is on disk; one that a crash interrupted between its last byte and its blob, or while its
        parts were joined, is finished now.

        Raises upload_not_found, also when it has expired or its file is gone.
        """
        upload = self._read(upload_id)
        if (synced := self._uncounted.get(upload_id, 0)) > upload.offset_bytes:
            try:
                return self.finished(self.count(upload_id, synced))
            except (OperationalError, DubError) as error:
                if isinstance(error, DubError) and error.problem is not DISK_FULL:
                    raise
                return msgspec.structs.replace(upload, offset_bytes=synced)
        if upload.final and not upload.complete and not upload.received:
            return self._join(upload)
        return self.finished(upload)

    def declare(self, upload_id: str, length_bytes: int) -> Upload:
        """The length of an upload that had been deferred. Raises upload_not_found."""
        if length_bytes == 0:
            self._path(upload_id).touch()
        return self._update(upload_id, {"length_bytes": length_bytes, "deferred": False})

    def finished(self, upload: Upload) -> Upload:
        """The upload, in the blob store if its last byte has come."""
        return upload if upload.complete or upload.partial or not upload.received else self.finish(upload.id)

    def writer(self, upload: Upload, checksum: Checksum | None = None) -> Writer:
        """Open the upload for appending at its offset. Raises upload_not_found when bytes that were stored are gone;
        disk_full when there is no room for the rest of it."""
        room = self._open.room(upload.id)
        writer = Writer(self, self._path(upload.id), upload, checksum, room)
        try:
            if _ONCE not in upload.metadata and not upload.deferred:
                room.need(upload.length_bytes - upload.offset_bytes)
        except BaseException:
            writer.abandon()
            raise
        return writer

    def advance(self, upload_id: str, offset_bytes: int) -> Upload:
        """Store an offset whose bytes are on disk; the upload lives on for another while. Raises upload_not_found."""
        now = time.time()
        changed = {"offset_bytes": offset_bytes, "updated_at": now, "expires_at": now + self._expiry_s}
        upload = self._update(upload_id, changed)
        self._uncounted.pop(upload_id, None)
        return upload

    def count(self, upload_id: str, offset_bytes: int) -> Upload:
        """`advance`; while the database cannot be written, `get` remembers it and tries again."""
        self._uncounted[upload_id] = offset_bytes
        try:
            return self.advance(upload_id, offset_bytes)
        except DubError as error:
            if error.problem is UPLOAD_NOT_FOUND:
                self._uncounted.pop(upload_id, None)
            raise

    def finish(self, upload_id: str, length_bytes: int | None = None) -> Upload:
        """All bytes are there: move them into the blob store. Safe to repeat after a crash. Raises upload_not_found,
        disk_full."""
        if length_bytes is not None:
            self._update(upload_id, {"length_bytes": length_bytes, "offset_bytes": length_bytes})
        path, key = self._path(upload_id), f"uploads/{upload_id}"
        if path.exists():
            self._blobs.adopt(path, key)
        elif not self._blobs.exists(key):
            self.delete(upload_id)
            raise DubError(UPLOAD_NOT_FOUND)
        self._open.end(upload_id)
        now = time.time()
        return self._update(
            upload_id, {"complete": True, "key": key, "updated_at": now, "expires_at": now + self._expiry_s}
        )

    def take(self, path: Path, *, filename: str, media_type: str, room: Reservation) -> Upload:
        """A finished upload of a file that is on this server, within `room`. The file itself stays where it is."""
        size = path.stat().st_size
        upload = self.create(filename=filename, media_type=media_type, length_bytes=size, metadata={}, room=room)
        try:
            os.link(path, self._path(upload.id))
        except OSError:  # on another disk, or one without links
            shutil.copyfile(path, self._path(upload.id))
        return self.finish(upload.id, size)

    def delete(self, upload_id: str) -> None:
        """Forget an upload and its bytes; the blob stays while a job needs it. Raises upload_not_found."""
        try:
            parts, needed = concatenation.forget(self._engine, upload_id)
        except DubError as error:
            if error.problem is UPLOAD_NOT_FOUND:
                self._open.end(upload_id)
            raise
        self._uncounted.pop(upload_id, None)
        for name in (upload_id, *parts):
            self._path(name).unlink(missing_ok=True)
        self._open.end(upload_id)
        if not needed:
            self._blobs.delete(f"uploads/{upload_id}")

    def _sweep_sometimes(self) -> None:
        if time.monotonic() - self._swept_at > _SWEEP_EVERY_S:
            self._swept_at = time.monotonic()
            self.sweep()

    def sweep(self) -> int:
        """Delete the uploads whose time is over, and files that belong to none; returns how many uploads."""
        now = time.time()
        with reading(self._engine) as c:
            known = dict(c.execute(select(t.uploads.c.id, t.uploads.c.expires_at)).tuples().all())
            waiting = c.execute(select(t.uploads.c.parts).where(~t.uploads.c.complete)).scalars()
            parts = {part_id for listed in waiting for part_id, _ in listed}
        expired = [upload_id for upload_id, expires_at in known.items() if expires_at + _GRACE_S <= now]
        for upload_id in expired:
            with contextlib.suppress(DubError):  # another sweep was faster
                self.delete(upload_id)
        for path in self._folder.iterdir():
            if path.name not in known and path.name not in parts and path.stat().st_mtime + _GRACE_S <= now:
                path.unlink(missing_ok=True)
        return len(expired)

    def free_bytes(self) -> int:
        return self._blobs.free_bytes()

    def _new(
        self,
        filename: str,
        media_type: str,
        length_bytes: int,
        metadata: dict[str, str],
        *,
        deferred: bool = False,
        concat: str = "",
    ) -> Upload:
        now = time.time()
        ends = now + self._expiry_s
        return Upload(
            secrets.token_hex(16),
            filename,
            media_type,
            length_bytes,
            0,
            metadata,
            False,
            "",
            now,
            now,
            ends,
            deferred,
            concat,
        )

    def _read(self, upload_id: str) -> Upload:
        with reading(self._engine) as c:
            row = c.execute(select(t.uploads).where(t.uploads.c.id == upload_id)).one_or_none()
        if row is None or row.expires_at <= time.time():
            raise DubError(UPLOAD_NOT_FOUND)
        return _upload(row)

    def _join(self, upload: Upload) -> Upload:
        """Join its parts, unless another thread does."""
        with self._lock:
            if upload.id in self._joining:
                return upload
            self._joining.add(upload.id)
        try:
            upload = self._read(upload.id)  # another thread may have ended a moment ago
            concatenation.join(self._folder, upload, self.advance, self._open.room(upload.id))
            return self.finished(self._read(upload.id))
        except OSError as error:
            raise disk_full.said(error) from error
        finally:
            self._joining.discard(upload.id)

    def _path(self, upload_id: str) -> Path:
        return self._folder / upload_id

    @urgently
    def _update(self, upload_id: str, values: Mapping[str, object]) -> Upload:
        with self._engine.begin() as c:
            c.execute(update(t.uploads).where(t.uploads.c.id == upload_id).values(**values))
            row = c.execute(select(t.uploads).where(t.uploads.c.id == upload_id)).one_or_none()
        if row is None:
            raise DubError(UPLOAD_NOT_FOUND)
        return _upload(row)


def _upload(row: Row[tuple[object, ...]]) -> Upload:
    values = {name: getattr(row, name) for name in Upload.__struct_fields__}
    return Upload(**values | {"parts": tuple((part_id, size) for part_id, size in values["parts"])})
