"""Languages of a job: add one, take one away. Methods block on the database."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection
from typing import Final

from msgspec import UNSET

from app.domain.dub_options import GROUP_OF
from app.domain.errors import DubError
from app.domain.events import Deleted, SegmentsChanged
from app.domain.job import EDITABLE, Job, JobState
from app.domain.problems.jobs import JOB_STATE, LANGUAGE_NOT_FOUND, LANGUAGE_TAKEN
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.stages import SPEAKERS
from app.jobs import options as job_options
from app.jobs.job_reading import JobReading
from app.jobs.language_options import options_in, speaker_in
from app.jobs.language_schemas import LanguageNew
from app.jobs.schemas import JobPatch, asked
from app.storage import family

_NEW: Final = frozenset({JobState.QUEUED})


class Languages(JobReading):
    """The part of the service for languages. What is asked of a further language counts for it alone where that is
    possible; else for the whole job."""

    def add_language(self, job_id: str, new: LanguageNew) -> Job:
        """A further language of the job; returns it. It begins with the lines of the job as they are now, once they are
        there, and is translated with the next render, or before it by whoever asks. Raises job_not_found, job_state,
        language_taken, too_many_languages and what `options.check` raises."""
        return self._add(self._whole_id(job_id), new, EDITABLE)

    def add_first_languages(self, job_id: str, wanted: Collection[LanguageNew]) -> None:
        """The further languages of a job that has not begun."""
        for new in wanted:
            self._add(job_id, new, _NEW)

    def remove_language(self, job_id: str, language: str) -> Job:
        """Take a further language away, with its lines and files; returns the job. The finished file keeps it until the
        next render. Raises job_not_found, job_state, language_not_found."""
        whole_id = self._whole_id(job_id)
        self._remove(whole_id, self.language_id(whole_id, language))
        return self.get(whole_id)

    def language_id(self, job_id: str, language: str) -> str:
        """The id of a further language. Raises job_not_found, language_not_found."""
        for each in self._store.get(job_id).languages[1:]:
            if each.language == language:
                return each.id
        raise DubError(LANGUAGE_NOT_FOUND, f"There is no {language[:40]}.")

    def _remove(self, job_id: str, language_id: str) -> None:
        self._store.remove_language(job_id, language_id, EDITABLE)
        self._clear(language_id)
        self._changed(self._store.get(job_id))

    def _add(self, job_id: str, new: LanguageNew, allowed: Collection[JobState]) -> Job:
        row = self._store.row(job_id)
        options = options_in(row.job.options, new)
        job_options.check(options, self._context.engines, row.job.media)
        new_id = uuid.uuid4().hex
        self._store.add_language(
            job_id,
            new_id,
            language=new.language,
            options=options,
            speakers=[speaker_in(one) for one in row.speakers],
            allowed=allowed,
        )
        if (found := self._store.stage(job_id, SPEAKERS.name)) is not None and found.finished:
            self._store.take_lines(new_id)
            revision, script = self._store.script(new_id)
            self._hub.publish(SegmentsChanged(new_id, 0, revision, script.segments, (), script.speakers))
        self._changed(self._store.get(job_id))
        return self.get(new_id)

    def _clear(self, language_id: str) -> None:
        """Delete what a language that is gone owned, and tell open pages."""
        self._store.bury(language_id, self._context.blobs)
        shutil.rmtree(self._context.cache / language_id, ignore_errors=True)
        self._hub.publish(Deleted(language_id, 0))

    def _check_own(self, job_id: str, patch: JobPatch) -> None:
        """Raises invalid_request for what a further language has from its job, language_taken."""
        job = self._store.get(job_id)
        if job.parent_id is None:
            if asked(patch.options).get("target_language") in [each.language for each in job.languages[1:]]:
                raise DubError(LANGUAGE_TAKEN)
            return
        shared = [name for name in asked(patch.options) if GROUP_OF[name] not in family.OWN]
        shared += [name for name in ("title", "stem_upload_id") if getattr(patch, name) is not UNSET]
        if shared:
            raise DubError(
                INVALID_REQUEST, f"All languages of a job have the same {', '.join(shared)}: change the job."
            )
        if "target_language" in asked(patch.options):
            raise DubError(JOB_STATE, "A language stays what it is: add another one, and take this one away.")
