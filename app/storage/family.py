"""The languages of a job: a row for the job, which is the first language, and one for each further language.

The row of a further language has what is its own: lines, speakers with their voices, files, and three groups of
options. All else is its job's: the original, title, state, progress and the other options.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, func, select

from app.domain.dub_options import DubOptions, from_row, spoken_in
from app.domain.job import JobError, JobLanguage
from app.domain.media import ArtifactKind
from app.storage import tables as t

LANGUAGE: Final = "language"  # the state in the row of a further language, which is in no list of jobs
OWN: Final = ("translation", "glossary", "voices")
SHARED_FILES: Final = (ArtifactKind.VIDEO, ArtifactKind.SOURCE, ArtifactKind.PEAKS, ArtifactKind.THUMBNAIL)


def others(c: Connection, job_ids: Collection[str] | None = None) -> dict[str, list[Row[Any]]]:
    """The rows of the further languages of these jobs (None: of all), by job, as they were added."""
    named = [] if job_ids is None else [t.jobs.c.parent_id.in_(list(job_ids))]
    mine = (*named, t.jobs.c.state == LANGUAGE)
    found: dict[str, list[Row[Any]]] = {}
    for row in c.execute(select(t.jobs).where(*mine).order_by(t.jobs.c.created_at, t.jobs.c.id)):
        found.setdefault(row.parent_id, []).append(row)
    return found


def ids(c: Connection, job_id: str) -> list[str]:
    """The ids of the further languages of a job, as they were added."""
    mine = (t.jobs.c.parent_id == job_id, t.jobs.c.state == LANGUAGE)
    return list(c.execute(select(t.jobs.c.id).where(*mine).order_by(t.jobs.c.created_at, t.jobs.c.id)).scalars())


def whole_id(job_id: str) -> Any:
    """For a statement: the job that this is a language of, else the job itself."""
    named = select(func.coalesce(t.jobs.c.parent_id, t.jobs.c.id)).where(t.jobs.c.id == job_id)
    return named.scalar_subquery()


def composed(own: DubOptions, whole: DubOptions) -> DubOptions:
    """The options of a language: its own groups, and the rest of its job's."""
    return msgspec.structs.replace(whole, **{name: getattr(own, name) for name in OWN})


def languages(whole: Row[Any], further: Sequence[Row[Any]], *, stale: bool) -> tuple[JobLanguage, ...]:
    """All languages of a job, the first one first; none where there is only one. `stale`: the first one is."""
    if not further:
        return ()
    told = []
    for row in (whole, *further):
        options = from_row(row.options)
        language = spoken_in(options if row is whole else composed(options, from_row(whole.options)), whole.language)
        error = None if row.error is None else msgspec.convert(row.error, JobError)
        rendered = row.rendered_revision is not None
        changed = stale if row is whole else rendered and is_changed(row)
        told.append(JobLanguage(row.id, language, rendered, changed, error))
    return tuple(told)


def is_changed(row: Row[Any]) -> bool:
    """Whether a further language's own is other than the last render had it."""
    return bool(row.rendered_revision != row.revision or row.rendered_options != row.options)


def any_changed(further: Iterable[Row[Any]]) -> bool:
    return any(map(is_changed, further))
