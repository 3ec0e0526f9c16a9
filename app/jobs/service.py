"""The operations on jobs. Methods block on the database unless they are async: call them from threads."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Final

from msgspec import UNSET, UnsetType

from app.domain.choices import Choices, differing
from app.domain.dub_options import changed
from app.domain.errors import DubError
from app.domain.job import EDITABLE, Job, JobState, Phase
from app.domain.plain_text import plain
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.requests import DATABASE_BUSY, INVALID_REQUEST
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.stages import names
from app.dubbing.transcribe import SUBTITLES
from app.jobs import attachments, conflicts, editing
from app.jobs import options as job_options
from app.jobs.line_edits import LineEdits
from app.jobs.phases import JobPhases
from app.jobs.schemas import CreateJob, JobPatch, asked
from app.jobs.voice_clones import VoiceClones
from app.storage.rows import JobRow

_ANY: Final = frozenset(JobState)
_MERGES: Final = 100  # of one change with others that were made at the same time


class JobService(VoiceClones, LineEdits, JobPhases):
    """Creates, changes and duplicates jobs. Applies the rules of a job's states."""

    def create(self, request: CreateJob, *, keys: Keys = NO_KEYS) -> Job:
        """A new job from a finished upload, queued at once."""
        upload = attachments.whole(self._uploads, request.upload_id)
        options = job_options.patched(self._defaults, request.options)
        subtitles_key = None
        if request.subtitles_upload_id is not None:
            subtitles_key = attachments.subtitles(self._uploads, self._context, request.subtitles_upload_id, options)
            options = changed(options, recognizer=SUBTITLES)
        elif options.recognition.recognizer == SUBTITLES:
            raise DubError(INVALID_REQUEST, "subtitles_upload_id is missing.")
        job_options.check(options, self._context.engines)
        named = options.recognition.recognizer != SUBTITLES or "model" in asked(request.options)
        job_options.check_model(options, self._context.engines, None if named else options)
        self._floor.check()
        stem_key = self._stem(request.stem_upload_id)
        job_id = uuid.uuid4().hex
        title = (
            editing.title(request.title if isinstance(request.title, str) else plain(Path(upload.filename).stem))
            or "Untitled"
        )
        self._store.insert(
            job_id,
            title=title,
            options=options,
            source_key=upload.key,
            subtitles_key=subtitles_key,
            stem_key=stem_key,
            size_bytes=upload.length_bytes,
        )
        try:
            self.add_first_languages(job_id, request.languages)
        except DubError:
            self.delete(job_id)
            raise
        return self._start_new(job_id, keys=keys)

    def update(self, job_id: str, patch: JobPatch, *, seen: int | None = None) -> Job:
        """Change the title, the options or the stem. What only matters to recognition can be changed while the job has
        not been prepared.

        Two changes at the same time are merged: the fields of each are set, one after the other. With `seen`, the
        revision of the choices that the change was made for, a field that others have changed since to another value is
        not overwritten: job_changed is raised and nothing is set. Raises database_busy when others change the same job
        without end.
        """
        self._check_own(job_id, patch)
        row = self._store.row(job_id)
        stem_key = patch.stem_upload_id if patch.stem_upload_id is UNSET else self._stem(patch.stem_upload_id)
        for _ in range(_MERGES):
            updated = self._updated(row, patch, stem_key, seen)
            if updated is not None:
                return updated
            row = self._store.row(job_id)
        raise DubError(DATABASE_BUSY, "The job is being changed again and again.")

    def _updated(self, row: JobRow, patch: JobPatch, stem_key: str | UnsetType | None, seen: int | None) -> Job | None:
        """Apply the patch to the job as it was read; None when somebody has changed its choices in between."""
        job = row.job
        title = (editing.title(patch.title) if isinstance(patch.title, str) else "") or job.title
        options = job_options.patched(job.options, patch.options)
        chosen = Choices(title, options, row.stem_key if stem_key is UNSET else stem_key)
        fields = differing(row.choices, chosen)
        if not fields:
            return self._fresh(job)
        rendered = not conflicts.only_title(fields)
        if rendered and job.state not in EDITABLE:
            raise DubError(JOB_STATE, f"The job is {job.state.value}.")
        conflicts.check_seen(row, fields, seen)
        if rendered:
            # a further language is translated by whom the person likes, whenever that is
            prepared = job.parent_id is None and (job.phase is Phase.RENDER or job.state is JobState.REVIEW)
            if prepared and not job_options.keeps_lines(options, job.options):
                raise DubError(JOB_STATE, "Recognition is done; duplicate the job to recognise it anew.")
            job_options.check(options, self._context.engines, job.media)
            job_options.check_model(options, self._context.engines, job.options)
        revised = self._store.revise(job.id, EDITABLE if rendered else _ANY, row, chosen)
        if revised is None:
            return None
        job, unneeded = revised
        self.discard(unneeded)
        return self._changed(job)

    def duplicate(self, job_id: str, patch: JobPatch) -> Job:
        """A second job on the same upload; with the same recognition it shares the transcript and waits for review.
        It has the first language of the job."""
        job_id = self._whole_id(job_id)
        row = self._store.row(job_id)
        self._check_original(row)
        self._floor.check()
        options = job_options.patched(row.job.options, patch.options)
        job_options.check(options, self._context.engines, row.job.media)
        stem_key = row.stem_key if patch.stem_upload_id is UNSET else self._stem(patch.stem_upload_id)
        title = editing.title(patch.title) if isinstance(patch.title, str) else row.job.title
        shared = job_options.same_preparation(options, row.job.options) and self._transcribed(job_id)
        job_options.check_model(
            options,
            self._context.engines,
            row.job.options if shared or options.recognition.recognizer == SUBTITLES else None,
        )
        new_id = uuid.uuid4().hex
        state = JobState.REVIEW if shared else JobState.QUEUED
        stages = names(Phase.PREPARE) if shared else ()
        self._store.copy(
            job_id,
            new_id,
            self._context.blobs,
            title=title or row.job.title,
            options=options,
            stem_key=stem_key,
            state=state,
            stages=stages,
        )
        if shared:
            return self._changed(self._store.get(new_id))
        return self._start_new(new_id)

    def discard(self, keys: Collection[str]) -> None:
        self._store.discard(self._context.blobs, keys)

    def _stem(self, upload_id: str | UnsetType | None) -> str | None:
        return attachments.stem(self._uploads, self._context, upload_id) if isinstance(upload_id, str) else None
