"""What can be read of jobs: the list, one job, its lines, its files. Methods block on the database."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from app.domain.dub_options import DubOptions
from app.domain.errors import DubError
from app.domain.events import StateChanged
from app.domain.job import ACTIVE, Job, JobState
from app.domain.media import Artifact, ArtifactKind
from app.domain.problems.jobs import ARTIFACT_NOT_READY, SOURCE_GONE
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.report import Report
from app.domain.summary import JobSummary
from app.jobs.schemas import JobPage, Segments, WholeJobPage
from app.jobs.service_parts import ServiceParts

J = TypeVar("J", Job, JobSummary)


class JobReading(ServiceParts):
    """The part of the service that reads, and tells open pages what it read."""

    def default_options(self) -> DubOptions:
        return self._defaults

    def get(self, job_id: str) -> Job:
        return self._fresh(self._store.get(job_id))

    def page(
        self, *, states: Collection[JobState] = frozenset(), query: str = "", limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        before = _cursor(cursor)
        jobs, total = self._store.summaries(states=states, query=query, limit=limit + 1, before=before)
        more, jobs = len(jobs) > limit, jobs[:limit]
        return JobPage(tuple(map(self._fresh, jobs)), f"{jobs[-1].created_at!r}_{jobs[-1].id}" if more else None, total)

    def whole(self, page: JobPage) -> WholeJobPage:
        """The page with whole jobs."""
        jobs = self._store.jobs([job.id for job in page.jobs])
        return WholeJobPage(tuple(map(self._fresh, jobs)), page.next, page.total)

    def segments(self, job_id: str) -> Segments:
        revision, script = self._store.script(job_id)
        return Segments(revision, script.segments, script.speakers)

    @contextlib.contextmanager
    def artifact(self, job_id: str, kind: ArtifactKind) -> Iterator[tuple[Artifact, Path]]:
        """A finished file and a path that can be opened in the block; an open file stays readable. Raises
        job_not_found, artifact_not_ready."""
        job = self._store.get(job_id)
        for artifact in job.artifacts:
            if artifact.kind == kind and self._context.blobs.exists(artifact.key):
                break
        else:
            if kind is ArtifactKind.SOURCE and job.source_gone:
                raise DubError(SOURCE_GONE)
            raise DubError(
                ARTIFACT_NOT_READY, "It was deleted to make room; a render makes it again." if job.outputs_gone else ""
            )
        with contextlib.ExitStack() as stack:
            try:
                path = stack.enter_context(self._context.blobs.local_copy(artifact.key))
            except FileNotFoundError:  # deleted between the look and now
                raise DubError(ARTIFACT_NOT_READY, "It has just been deleted.") from None
            yield artifact, path

    def report(self, job_id: str) -> Report:
        """The report of the last finished render. Raises job_not_found, artifact_not_ready."""
        with self.artifact(job_id, ArtifactKind.REPORT) as (_, path):
            return msgspec.json.decode(path.read_bytes(), type=Report)

    def _whole_id(self, job_id: str) -> str:
        """The job that this is a language of, else the job itself. Raises job_not_found."""
        return self._store.row(job_id).whole_id

    def _changed(self, job: Job) -> Job:
        """Tell open pages of the job; of a further language, those of its job, too."""
        job = self._fresh(job)
        self._hub.publish(StateChanged(job.id, 0, job))
        if job.parent_id is not None:
            whole = self._fresh(self._store.get(job.parent_id))
            self._hub.publish(StateChanged(whole.id, 0, whole))
        return job

    def _fresh(self, job: J) -> J:
        latest = self._hub.latest((job.parent_id if isinstance(job, Job) else None) or job.id)
        if latest is None or job.state not in ACTIVE:
            return job
        return msgspec.structs.replace(
            job, stage=latest.stage, stage_progress=latest.stage_progress, progress=latest.progress, eta_s=latest.eta_s
        )


def _cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    at, _, job_id = cursor.partition("_")
    try:
        return float(at), job_id
    except ValueError:
        raise DubError(INVALID_REQUEST, "The cursor is not one of ours.") from None
