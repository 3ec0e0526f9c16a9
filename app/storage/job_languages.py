"""Queries about the further languages of a job (`app.storage.family`). Every method is one transaction and blocks."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine, exists, insert, select, update

from app.domain.choices import FIRST_REVISION
from app.domain.dub_options import DubOptions, from_row, spoken_in, to_row
from app.domain.errors import DubError
from app.domain.job import JobError, JobState, Phase
from app.domain.problems.jobs import JOB_STATE, LANGUAGE_NOT_FOUND, LANGUAGE_TAKEN, TOO_MANY_LANGUAGES
from app.domain.segment import untranslated
from app.domain.speaker import Speaker, without_voice
from app.domain.stage_outputs import Transcribed
from app.domain.stages import TRANSCRIBE
from app.storage import family, rows
from app.storage import tables as t
from app.storage.database import reading

MOST_LANGUAGES: Final = 20  # of a job


class JobLanguages:
    """The part of the job store for languages."""

    _engine: Engine

    def languages(self, job_id: str) -> list[str]:
        """The ids of the further languages of a job, as they were added."""
        with reading(self._engine) as c:
            return family.ids(c, job_id)

    def add_language(
        self,
        job_id: str,
        new_id: str,
        *,
        language: str,
        options: DubOptions,
        speakers: Sequence[Speaker],
        allowed: Collection[JobState],
    ) -> None:
        """A further language, without lines. Raises job_not_found, job_state, language_taken, too_many_languages."""
        now = time.time()
        with self._engine.begin() as c:
            row = rows.job_row(c, job_id)
            if row.job.parent_id is not None or row.job.state not in allowed:
                raise DubError(JOB_STATE, f"The job is {row.job.state.value}.")
            if language in _spoken(c, job_id):
                raise DubError(LANGUAGE_TAKEN, f"It is {language}.")
            if len(row.job.languages) >= MOST_LANGUAGES:
                raise DubError(TOO_MANY_LANGUAGES, f"A job may have {MOST_LANGUAGES}.")
            c.execute(
                insert(t.jobs).values(
                    id=new_id,
                    parent_id=job_id,
                    title=row.job.title,
                    state=family.LANGUAGE,
                    phase=Phase.PREPARE,
                    stage_progress=0.0,
                    progress=0.0,
                    options=to_row(options),
                    source_key=row.source_key,
                    size_bytes=0,
                    revision=1,
                    choices_revision=FIRST_REVISION,
                    choices_changed={},
                    speakers=msgspec.to_builtins(speakers),
                    created_at=now,
                    updated_at=now,
                )
            )
            rows.touch(c, job_id)

    def take_lines(self, language_id: str) -> bool:
        """Give a further language the lines of its job, once: their texts in the language of the video, not translated.
        False where it had them. Raises job_not_found."""
        mark = exists().where(t.stages.c.job_id == language_id, t.stages.c.stage == TRANSCRIBE.name)
        with reading(self._engine) as c:
            if c.execute(select(mark)).scalar():
                return False
            row = rows.job_row(c, language_id)
            lines = [untranslated(line) for line in rows.segments_of(c, row.whole_id)]
        with self._engine.begin() as c:
            if c.execute(select(mark)).scalar():
                return False
            rows.check_seen(c, language_id)
            rows.delete_segments(c, language_id, [line.id for line in lines])
            rows.write_segments(c, language_id, lines)
            known = rows.job_row(c, row.whole_id).speakers
            mine = {one.id: one for one in row.speakers}
            rows.put_speakers(c, language_id, [mine.get(one.id) or without_voice(one) for one in known])
            rows.put_stage(c, language_id, TRANSCRIBE.name, "", Transcribed(None, 0.0), 0.0)
            rows.next_revision(c, language_id)
        return True

    def remove_language(self, job_id: str, language_id: str, allowed: Collection[JobState]) -> None:
        """Take a further language from its job: the finished file is another one from now on. What it owns goes with
        `bury`. Raises job_not_found, job_state, language_not_found."""
        with self._engine.begin() as c:
            row = rows.job_row(c, job_id)
            if row.job.state not in allowed:
                raise DubError(JOB_STATE, f"The job is {row.job.state.value}.")
            if language_id not in family.ids(c, job_id):
                raise DubError(LANGUAGE_NOT_FOUND)
            rendered = c.execute(select(t.jobs.c.rendered_revision).where(t.jobs.c.id == language_id)).scalar()
            c.execute(update(t.jobs).where(t.jobs.c.id == language_id).values(state=rows.GONE))
            if rendered is not None and row.job.rendered_revision is not None:
                rows.update_job(c, job_id, {"rendered_revision": 0})  # of no revision of the lines: it is stale
            rows.touch(c, job_id)

    def language_failed(self, job_id: str, workflow_id: str, error: JobError) -> bool:
        """Say why one of several languages is left out. False where its job is no longer that workflow's."""
        with self._engine.begin() as c:
            if rows.job_row(c, job_id).workflow_id != workflow_id:
                return False
            rows.update_job(c, job_id, {"error": error})
            return True

    def languages_rendered(self, job_id: str) -> None:
        """The finished file has those further languages that did not fail."""
        with self._engine.begin() as c:
            for row in family.others(c, [job_id]).get(job_id, ()):
                if row.error is None:
                    now = {"rendered_revision": t.jobs.c.revision, "rendered_options": t.jobs.c.options}
                    c.execute(update(t.jobs).where(t.jobs.c.id == row.id).values(**now))


def _spoken(c: Connection, job_id: str) -> dict[str, str]:
    """The ids of a job's languages, by language."""
    row = rows.job_row(c, job_id)
    mine = {spoken_in(row.job.options, row.job.language) or "": job_id}
    further = family.others(c, [job_id]).get(job_id, [])
    return mine | {from_row(each.options).translation.target_language or "": each.id for each in further}


def forget_errors(c: Connection, job_id: str) -> None:
    """The job begins to work again: nothing has failed in any further language yet."""
    c.execute(update(t.jobs).where(t.jobs.c.parent_id == job_id).values(error=None))
