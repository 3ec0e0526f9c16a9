"""Joins finished partial uploads (tus concatenation). A kill between any two steps neither loses nor repeats bytes.

The first part's file becomes the final file. Each further part is appended, synced, counted, and only then deleted. So
it needs extra space for one part only, and the counted offset alone says where to continue. All functions block.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import Engine, delete, insert, select

from app.domain.errors import DubError
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.problems.uploads import UPLOAD_NOT_FOUND, UPLOAD_TOO_LARGE
from app.domain.upload import Upload
from app.storage import tables as t
from app.storage.database import urgently
from app.storage.disk_floors import Reservation
from app.system.durable_files import sync_folder

_BLOCK_BYTES: Final = 8 << 20
_CANNOT: Final = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


def claim(engine: Engine, final: Upload, part_ids: Sequence[str], max_bytes: int) -> str:
    """Take the parts for `final`, in one transaction: their rows go, its row comes with their ids and sizes. Returns
    the id of the whole.

    Asked again for the same parts (the answer was lost), it is the id of the first time. Raises upload_not_found,
    invalid_request, upload_too_large.
    """
    now = time.time()
    with engine.begin() as c:
        found = {
            row.id: row
            for row in c.execute(select(t.uploads).where(t.uploads.c.id.in_(part_ids), t.uploads.c.expires_at > now))
        }
        if any(part_id not in found for part_id in part_ids):
            again = c.execute(
                select(t.uploads.c.id).where(t.uploads.c.concat == final.concat, t.uploads.c.expires_at > now)
            ).scalar()
            if again is None:
                raise DubError(UPLOAD_NOT_FOUND, "A part of it does not exist.")
            return str(again)
        rows = [found[part_id] for part_id in part_ids]
        for row in rows:
            if row.concat != "partial":
                raise DubError(INVALID_REQUEST, f"Upload-Concat: {row.id} is not a partial upload.")
            if row.deferred or row.offset_bytes != row.length_bytes:
                raise DubError(INVALID_REQUEST, f"Upload-Concat: {row.id} is not finished yet.")
        total = sum(row.length_bytes for row in rows)
        if total > max_bytes:
            raise DubError(UPLOAD_TOO_LARGE, f"Together they have {total} bytes; the limit is {max_bytes}.")
        whole = msgspec.structs.replace(
            final, length_bytes=total, parts=tuple((row.id, row.length_bytes) for row in rows)
        )
        c.execute(delete(t.uploads).where(t.uploads.c.id.in_(part_ids)))
        c.execute(insert(t.uploads).values(**msgspec.structs.asdict(whole)))
    return final.id


@urgently
def forget(engine: Engine, upload_id: str) -> tuple[list[str], bool]:
    """Delete an upload's row; returns the parts that it was to be joined from, and whether a job needs its blob. Raises
    upload_not_found."""
    with engine.begin() as c:
        parts = c.execute(select(t.uploads.c.parts).where(t.uploads.c.id == upload_id)).scalar()
        if c.execute(delete(t.uploads).where(t.uploads.c.id == upload_id)).rowcount == 0:
            raise DubError(UPLOAD_NOT_FOUND)
        needed = select(t.blob_references.c.key).where(t.blob_references.c.key == f"uploads/{upload_id}").limit(1)
        return [part_id for part_id, _ in parts or ()], c.execute(needed).scalar() is not None


def join(folder: Path, final: Upload, advance: Callable[[str, int], object], room: Reservation) -> None:
    """Bring the parts together in `folder`/ID, from the counted offset on. Raises upload_not_found when bytes are gone,
    disk_full, OSError."""
    path, start = folder / final.id, 0
    for part_id, size in final.parts:
        part, end = folder / part_id, start + size
        if final.offset_bytes < end:
            if start == 0:
                if part.exists():  # else it was renamed, and not counted yet
                    part.rename(path)
            else:
                _append(part, path, start, size, room)
            _settle(path, end)
            sync_folder(folder)
            advance(final.id, end)
            if start == 0:
                room.landed(size)
        part.unlink(missing_ok=True)
        start = end


def _append(part: Path, path: Path, at: int, size: int, room: Reservation) -> None:
    """The part's bytes at `at` of the file, whatever stood there; nothing stands there when it fails."""
    with contextlib.ExitStack() as stack:
        try:
            source, target = (
                stack.enter_context(part.open("rb", buffering=0)),
                stack.enter_context(path.open("r+b", buffering=0)),
            )
        except FileNotFoundError:
            raise DubError(UPLOAD_NOT_FOUND, "Its bytes are gone from the disk.") from None
        target.truncate(at)
        room.need(size)
        done, copied = 0, 1
        try:
            while done < size and copied:
                wanted = min(size - done, _BLOCK_BYTES)
                with room.writing(wanted) as landed:
                    copied = _copy(source.fileno(), target.fileno(), done, at + done, wanted)
                    landed(copied)
                done += copied
        except BaseException:
            with room.returning(done):
                target.truncate(at)
            raise


def _copy(source: int, target: int, source_at: int, target_at: int, wanted: int) -> int:
    """Some of the bytes, within the file system where it can do that; returns how many."""
    if hasattr(os, "copy_file_range"):
        try:
            return os.copy_file_range(source, target, wanted, source_at, target_at)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    block = os.pread(source, wanted, source_at)
    return os.pwrite(target, block, target_at) if block else 0


def _settle(path: Path, size: int) -> None:
    """The file has exactly so many bytes, and they are on disk."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DubError(UPLOAD_NOT_FOUND, "Its bytes are gone from the disk.") from None
    try:
        if os.fstat(descriptor).st_size < size:
            raise DubError(UPLOAD_NOT_FOUND, "Its bytes are gone from the disk.")
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
