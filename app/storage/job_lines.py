"""Queries about the lines of a job. An edit names the revision that it was made for. Blocks on the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from app.domain.errors import DubError
from app.domain.job import Job, JobState
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.lines import EDIT_CONFLICT, TOO_MANY_LINES, UNDO_GONE
from app.domain.segment import MAX_LINES, Segment, Translation, Word
from app.domain.speaker import Script, Speaker
from app.storage import batches, rows, shared_lines
from app.storage import tables as t
from app.storage.active_jobs import ActiveJobs
from app.storage.database import reading


class Texts(msgspec.Struct, frozen=True):
    """What a change of many lines changes of one, and what its undo gives back."""

    text: str
    original: str
    translation: Translation
    words: tuple[Word, ...]

    @staticmethod
    def of(line: Segment) -> Texts:
        return Texts(line.text, line.original, line.translation, line.words)


class TextsChanged(msgspec.Struct, frozen=True):
    """One line of a change of many, before and after."""

    id: str
    before: Texts
    after: Texts


class Edited(msgspec.Struct, frozen=True):
    """What an edit gave: the new revision, all lines and speakers, the lines that are new or changed, the ids of those
    that are gone, whether the speakers have changed, and the ids of the other languages of the job that were changed
    too."""

    revision: int
    script: Script
    changed: tuple[Segment, ...]
    gone: tuple[str, ...]
    recast: bool
    elsewhere: tuple[str, ...] = ()


class JobLines(ActiveJobs):
    """The part of the job store for lines."""

    def segments(self, job_id: str) -> tuple[int, tuple[Segment, ...]]:
        """The revision and the lines by start. Raises job_not_found."""
        with reading(self._engine) as c:
            return rows.job_row(c, job_id).job.revision, rows.segments_of(c, job_id)

    def script(self, job_id: str) -> tuple[int, Script]:
        """The revision, the lines by start, and their speakers. Raises job_not_found."""
        with reading(self._engine) as c:
            row = rows.job_row(c, job_id)
            return row.job.revision, Script(rows.segments_of(c, job_id), row.speakers)

    def append_segments(
        self,
        job_id: str,
        added: Iterable[Segment],
        *,
        stage: str,
        fingerprint: str,
        output: Any,
        speakers: Sequence[Speaker] | None = None,
    ) -> int:
        """Add recognised lines and, in the same transaction, remember how far recognition is; returns the new revision.
        `speakers` become the job's, unless None.

        Of very many lines only the last are in that transaction: killed before it, they are to be cleared. Raises
        too_many_lines.
        """
        *first, last = batches.split(list(added))
        batches.write(self._engine, first, rows.seen_first(job_id, rows.write_segments))
        with self._engine.begin() as c:
            rows.check_seen(c, job_id)
            rows.write_segments(c, job_id, last)
            if rows.job_row(c, job_id).job.segment_count > MAX_LINES:
                raise DubError(TOO_MANY_LINES, f"A job may have {MAX_LINES}.")
            rows.put_stage(c, job_id, stage, fingerprint, output, 0.0)
            if speakers is not None:
                rows.put_speakers(c, job_id, speakers)
            return rows.next_revision(c, job_id)

    def clear_segments(self, job_id: str) -> tuple[int, tuple[str, ...]]:
        """Delete all lines of a job at work, in pieces; returns the new revision and their ids."""
        with reading(self._engine) as c:
            gone = tuple(c.execute(select(t.segments.c.id).where(t.segments.c.job_id == job_id)).scalars())
        batches.write(self._engine, batches.split(gone), lambda c, some: rows.delete_segments(c, job_id, some))
        with self._engine.begin() as c:
            return rows.next_revision(c, job_id), gone

    def replace_segments(
        self, job_id: str, changed: Sequence[Segment], speakers: Sequence[Speaker] | None = None
    ) -> int:
        """Put these lines in place of those with the same ids, all or nothing; returns the new revision. `speakers`
        become the job's, unless None. Raises job_not_found."""
        with self._engine.begin() as c:
            rows.check_seen(c, job_id)
            rows.delete_segments(c, job_id, [line.id for line in changed])
            rows.write_segments(c, job_id, changed)
            if speakers is not None:
                rows.put_speakers(c, job_id, speakers)
            return rows.next_revision(c, job_id)

    def edit_script(
        self,
        job_id: str,
        revision: int,
        allowed: Collection[JobState],
        change: Callable[[Job, Script], Script],
        *,
        undo_id: str | None = None,
    ) -> Edited:
        """Replace the lines and their speakers by what `change` makes of them, all or nothing. With `undo_id`, what the
        texts were is kept under it, in place of what was kept before. Raises edit_conflict when `revision` is not the
        current one, job_state, job_not_found, and whatever `change` raises."""
        # the lines of a revision never change: they are read and changed while others write
        with reading(self._engine) as c:
            job = self._editable(c, job_id, revision, allowed)
            before = Script(rows.segments_of(c, job_id), rows.job_row(c, job_id).speakers)
        known = {segment.id: segment for segment in before.segments}
        script = change(job, before)
        after = {segment.id: segment for segment in script.segments}
        changed = tuple(segment for segment in after.values() if known.get(segment.id) != segment)
        gone = tuple(known.keys() - after.keys())
        recast = script.speakers != before.speakers
        elsewhere: tuple[str, ...] = ()
        if changed or gone or recast:
            with self._engine.begin() as c:
                self._editable(c, job_id, revision, allowed)
                rows.delete_segments(c, job_id, [*gone, *(segment.id for segment in changed if segment.id in known)])
                rows.write_segments(c, job_id, changed)
                if recast:
                    rows.put_speakers(c, job_id, script.speakers)
                if undo_id is not None:
                    _keep_undo(c, job_id, undo_id, [(known[line.id], line) for line in changed if line.id in known])
                revision = rows.next_revision(c, job_id)
                pairs = [(known[line.id], line) for line in changed if line.id in known]
                elsewhere = shared_lines.told(c, job, pairs, script.speakers if recast else None)
        lines = tuple(sorted(after.values(), key=lambda line: (line.start_s, line.end_s, line.id)))
        return Edited(revision, Script(lines, script.speakers), changed, gone, recast, elsewhere)

    def undo(self, job_id: str, undo_id: str) -> tuple[TextsChanged, ...]:
        """What was changed under that id. Raises undo_gone where another such change came after it."""
        with reading(self._engine) as c:
            found = c.execute(
                select(t.undos.c.lines).where(t.undos.c.job_id == job_id, t.undos.c.id == undo_id)
            ).scalar_one_or_none()
        if found is None:
            raise DubError(UNDO_GONE)
        return msgspec.convert(found, tuple[TextsChanged, ...])

    def _editable(self, c: Connection, job_id: str, revision: int, allowed: Collection[JobState]) -> Job:
        job = rows.job_row(c, job_id).job
        if job.state not in allowed:
            raise DubError(JOB_STATE, f"The job is {job.state.value}.")
        if job.revision != revision:
            raise DubError(EDIT_CONFLICT, revision=job.revision)
        return job


def _keep_undo(c: Connection, job_id: str, undo_id: str, changed: Iterable[tuple[Segment, Segment]]) -> None:
    lines = [TextsChanged(old.id, Texts.of(old), Texts.of(new)) for old, new in changed]
    c.execute(delete(t.undos).where(t.undos.c.job_id == job_id))
    values = {"job_id": job_id, "id": undo_id, "lines": msgspec.to_builtins(lines), "made_at": time.time()}
    c.execute(insert(t.undos).values(**values))
