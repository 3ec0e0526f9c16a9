"""What is wrong with a job, its files or its archive."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

JOB_NOT_FOUND: Final = Problem(
    "job_not_found", 404, "This job does not exist.", "It may have been deleted; see the list of jobs."
)
JOB_STATE: Final = Problem(
    "job_state", 409, "The job's state does not allow this.", "Wait for the running work, or cancel it first."
)
JOB_CHANGED: Final = Problem(
    "job_changed",
    412,
    "The job was changed in the meantime.",
    "`changed` names the fields and their values now. To change them all the same, send the change again with "
    "`choices_revision` in If-Match.",
)
LANGUAGE_TAKEN: Final = Problem(
    "language_taken", 409, "The job has this language already.", "Choose another, or change the one that is there."
)
LANGUAGE_NOT_FOUND: Final = Problem(
    "language_not_found",
    404,
    "The job has no such further language.",
    "`languages` of the job lists them; the first is the job itself and goes only with it.",
)
TOO_MANY_LANGUAGES: Final = Problem(
    "too_many_languages", 409, "The job has as many languages as one may have.", "Duplicate the job for more."
)
ARTIFACT_NOT_READY: Final = Problem("artifact_not_ready", 404, "This file does not exist yet.", "Render the job first.")
SOURCE_GONE: Final = Problem(
    "source_gone",
    409,
    "The original of this job has been deleted.",
    "What was made from it stays. To render again, upload the video as a new job, or import an archive of this one.",
)
ARCHIVE_INVALID: Final = Problem(
    "archive_invalid",
    422,
    "The archive cannot be imported.",
    "Use a complete file that `autodubber export` has written; nothing was imported.",
)
ARCHIVE_NEWER: Final = Problem(
    "archive_newer", 422, "The archive is from a newer AutoDubber.", "Upgrade this one, then import it."
)
CANCELLED: Final = Problem("cancelled", 409, "The job was cancelled.", "Retry goes on from where it stopped.")
