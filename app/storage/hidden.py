"""Jobs that no reader sees: those that are deleted, and those that are written, in pieces, each a transaction of its
own.

A deletion has one short transaction, after which the job is gone for everybody; its rows and files follow. A job with
its lines is written under a row that only its writer knows; the last transaction shows it. Killed in between, nothing
half is seen, and `sweep` removes the rest.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, delete, insert, select, update

from app.domain.errors import DubError
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.problems.requests import DATABASE_BUSY
from app.domain.secret_names import job_keys
from app.storage import batches, family, references
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.clip_files import files_of
from app.storage.database import reading, urgent
from app.storage.rows import COMING, GONE, HIDDEN, seen

T = TypeVar("T")
_FILES: Final = 200  # that one transaction deletes
IDLE_S: Final = 120.0  # after so long without a piece, a writer in another process has ended
_ELSEWHERE: Final = "import"  # who writes beside the server; the others are of the server
_writing: Final[set[str]] = set()  # by this process, now
_log = logging.getLogger(__name__)


def hide(engine: Engine, job_id: str) -> list[str]:
    """The job is gone for everybody, with its further languages; returns the ids of all of them, for `bury`, which does
    the rest. On a full disk too. Raises job_not_found."""

    def mark() -> list[str]:
        with engine.begin() as c:
            if c.execute(update(t.jobs).where(t.jobs.c.id == job_id, seen).values(state=GONE)).rowcount == 0:
                raise DubError(JOB_NOT_FOUND)
            further = family.ids(c, job_id)
            c.execute(update(t.jobs).where(t.jobs.c.id.in_(further)).values(state=GONE))
            return [job_id, *further]

    return urgent(engine, mark)


def bury(engine: Engine, blobs: BlobStore, job_id: str) -> tuple[list[str], int]:
    """Delete what is left of a job that is gone: lines, references with the blobs that nobody else needs, the row.
    Returns those and their bytes.

    Any number may do it at once, and again after a kill: each piece looks whether the job is still that one.
    """
    keys: list[str] = []
    freed = 0

    def piece() -> bool:
        nonlocal freed
        with engine.begin() as c:
            if c.execute(select(t.jobs.c.id).where(t.jobs.c.id == job_id, t.jobs.c.state == GONE)).first() is None:
                return False
            lines = select(t.segments.c.id).where(t.segments.c.job_id == job_id).limit(batches.PIECE)
            if c.execute(delete(t.segments).where(t.segments.c.job_id == job_id, t.segments.c.id.in_(lines))).rowcount:
                return True
            mine = t.blob_references.c.job_id == job_id
            if some := list(c.execute(select(t.blob_references.c.key).where(mine).limit(_FILES // 2)).scalars()):
                c.execute(delete(t.blob_references).where(mine, t.blob_references.c.key.in_(some)))
                unneeded, size = references.delete_unneeded(c, blobs, files_of(some), uploads_too=True)
                keys.extend(unneeded)
                freed += size
                return True
            c.execute(delete(t.jobs).where(t.jobs.c.id == job_id))  # the few rows that are left cascade
            c.execute(delete(t.settings).where(t.settings.c.name.startswith(job_keys(job_id), autoescape=True)))
            return False

    batches.repeat(lambda: urgent(engine, piece))
    return keys, freed


def bury_or_leave(engine: Engine, blobs: BlobStore, job_id: str) -> list[str]:
    """`bury`; what cannot be deleted now is left to the next sweep."""
    try:
        return bury(engine, blobs, job_id)[0]
    except (DubError, OSError) as error:
        _log.warning("what is left of a deleted job is deleted later", extra={"job_id": job_id, "reason": str(error)})
        return []


def sweep(engine: Engine, blobs: BlobStore) -> int:
    """Remove what killed deletions and killed writers left; returns how many jobs. Whoever still writes is spared."""
    now = time.time()
    with reading(engine) as c:
        found = c.execute(
            select(t.jobs.c.id, t.jobs.c.state, t.jobs.c.workflow_id, t.jobs.c.updated_at).where(
                t.jobs.c.state.in_(HIDDEN)
            )
        ).all()
    count = 0
    for row in found:
        elsewhere = (row.workflow_id or "").startswith(_ELSEWHERE)
        if row.state == COMING and (row.workflow_id in _writing or (elsewhere and row.updated_at > now - IDLE_S)):
            continue
        clear(engine, blobs, row.id, row.workflow_id)
        count += 1
    return count


def clear(engine: Engine, blobs: BlobStore, job_id: str, writer: str | None = None) -> None:
    """Nothing hidden has that id any more: what was deleted is deleted, what a writer (any one, when none is named) had
    begun is given up."""
    mine = (t.jobs.c.id == job_id, t.jobs.c.state == COMING)

    def give_up() -> None:
        with engine.begin() as c:
            c.execute(
                update(t.jobs).where(*mine, *([t.jobs.c.workflow_id == writer] if writer else [])).values(state=GONE)
            )

    urgent(engine, give_up)
    bury(engine, blobs, job_id)


class Coming:
    """A job that is being written: as a context, it is there and seen after `show`, or not there at all.

    Raises database_busy when another writer of the same id was first, or has come since.
    """

    def __init__(self, engine: Engine, blobs: BlobStore, job_id: str, writer: str) -> None:
        """`writer`: "copy" in the server, "import" beside it."""
        self._engine, self._blobs, self.job_id = engine, blobs, job_id
        self._writer = f"{writer}:{secrets.token_hex(8)}"

    def __enter__(self) -> Coming:
        _writing.add(self._writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with reading(self._engine) as c:
                left = c.execute(select(t.jobs.c.id).where(*self._mine())).first() is not None
            if left:
                clear(self._engine, self._blobs, self.job_id, self._writer)
        except (DubError, OSError) as failure:
            _log.warning(
                "what was begun of a job is deleted later", extra={"job_id": self.job_id, "reason": str(failure)}
            )
        finally:
            _writing.discard(self._writer)

    def begin(self, c: Connection, values: dict[str, Any]) -> None:
        """The row, in this transaction."""
        if c.execute(select(t.jobs.c.id).where(t.jobs.c.id == self.job_id)).first() is not None:
            raise DubError(DATABASE_BUSY, "The same job is being written or deleted.")
        told = {"id": self.job_id, "state": COMING, "workflow_id": self._writer, "updated_at": time.time()}
        c.execute(insert(t.jobs).values(**values | told))

    def write(self, listed: Sequence[T], work: Callable[[Connection, Sequence[T]], object]) -> None:
        """Do the work of all of them, in pieces."""

        def piece(c: Connection, some: Sequence[T]) -> None:
            self._change(c, {})
            work(c, some)

        batches.write(self._engine, batches.split(listed), piece)

    def show(self, c: Connection, values: dict[str, Any]) -> None:
        """From the end of this transaction on everybody sees it, with its state and all that is given here."""
        self._change(c, {"workflow_id": None} | values)

    def _change(self, c: Connection, values: dict[str, Any]) -> None:
        told = {"updated_at": time.time()} | values
        if c.execute(update(t.jobs).where(*self._mine()).values(**told)).rowcount == 0:
            raise DubError(DATABASE_BUSY, "The same job is being written by another.")

    def _mine(self) -> tuple[Any, ...]:
        return t.jobs.c.id == self.job_id, t.jobs.c.state == COMING, t.jobs.c.workflow_id == self._writer


def fill(table: Any, job_id: str) -> Callable[[Connection, Iterable[dict[str, Any]]], None]:
    """Work for `Coming.write`: these rows, all but their job, into a table."""

    def work(c: Connection, listed: Iterable[dict[str, Any]]) -> None:
        if made := [row | {"job_id": job_id} for row in listed]:
            c.execute(insert(table), made)

    return work
