"""A second job on the same source, with what the first stages of the first one made: written in pieces, seen when it is
whole."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, literal, select

from app.domain.choices import FIRST_REVISION
from app.domain.dub_options import DubOptions, to_row
from app.domain.errors import DubError
from app.domain.job import JobState, Phase
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.problems.requests import DATABASE_BUSY
from app.domain.stages import named
from app.storage import rows
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.compact import in_folder
from app.storage.database import reading
from app.storage.hidden import Coming, fill

_LOOKS: Final = 3
_ASKED: Final = 500


def copy(
    engine: Engine,
    blobs: BlobStore,
    job_id: str,
    new_id: str,
    *,
    title: str,
    options: DubOptions,
    stem_key: str | None,
    state: JobState,
    stages: Collection[str],
) -> None:
    """A second job on the same source, with that stem. With `stages`, what they made is shared; in review the lines
    come along.

    It is a copy of one moment. Raises job_not_found, and database_busy when the first job is prepared anew again and
    again.
    """
    for _ in range(_LOOKS):
        with reading(engine) as c:
            row = c.execute(select(t.jobs).where(t.jobs.c.id == job_id, rows.seen)).first()
            if row is None:
                raise DubError(JOB_NOT_FOUND)
            made = _made(c, job_id, stages)
            lines = [
                dict(found._mapping) for found in c.execute(select(t.segments).where(t.segments.c.job_id == job_id))
            ]
            keys = (
                list(c.execute(select(t.blob_references.c.key).where(*_shared(job_id, row.stem_key))).scalars())
                if stages
                else []
            )
        now = time.time()
        values = dict(row._mapping) | {
            "title": title,
            "phase": Phase.PREPARE,
            "stage": None,
            "stage_progress": 0.0,
            "progress": 0.0,
            "eta_s": None,
            "options": to_row(options),
            "stem_key": stem_key,
            "revision": 1,
            "rendered_revision": None,
            "rendered_options": None,
            "rendered_stem_key": None,
            "choices_revision": FIRST_REVISION,
            "choices_changed": {},
            "error": None,
            "created_at": now,
        }
        with Coming(engine, blobs, new_id, "copy") as coming:
            with engine.begin() as c:
                rows.check_seen(c, job_id)  # its files are there, and from here on the second needs them too
                coming.begin(c, values)
                rows.refer(c, new_id, {row.source_key, row.subtitles_key, stem_key} - {None})
            coming.write(keys, lambda c, some: _share(c, job_id, new_id, list(some)))
            if state is JobState.REVIEW:
                coming.write(lines, fill(t.segments, new_id))
            with engine.begin() as c:
                if _made(c, job_id, stages) != made:
                    continue
                for table, listed in zip((t.stages, t.artifacts), made, strict=True):
                    fill(table, new_id)(c, listed)
                now = time.time()
                coming.show(c, {"state": state, "created_at": now, "updated_at": now})
                return
    raise DubError(DATABASE_BUSY, "The job changes again and again.")


def _made(c: Connection, job_id: str, stages: Collection[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What these stages gave, and the files that they hand out."""
    if not stages:
        return [], []
    kinds = [kind for name in stages for kind in named(name).artifacts]
    outputs = c.execute(
        select(t.stages)
        .where(t.stages.c.job_id == job_id, t.stages.c.stage.in_(list(stages)))
        .order_by(t.stages.c.stage)
    )
    files = c.execute(
        select(t.artifacts)
        .where(t.artifacts.c.job_id == job_id, t.artifacts.c.kind.in_(kinds))
        .order_by(t.artifacts.c.kind)
    )
    return [dict(found._mapping) for found in outputs], [dict(found._mapping) for found in files]


def _shared(job_id: str, stem_key: str | None) -> tuple[Any, ...]:
    key = t.blob_references.c.key
    return t.blob_references.c.job_id == job_id, ~in_folder(key, "artifacts"), key != (stem_key or "")


def _share(c: Connection, job_id: str, new_id: str, keys: list[str]) -> None:
    """The second needs those of the blobs that the first still needs."""
    key, mine = t.blob_references.c.key, t.blob_references.c.job_id
    known = select(key).where(mine == new_id).scalar_subquery()
    for start in range(0, len(keys), _ASKED):
        some = key.in_(keys[start : start + _ASKED])
        shared = select(literal(new_id), key).where(mine == job_id, some, key.not_in(known))
        c.execute(insert(t.blob_references).from_select(["job_id", "key"], shared))
