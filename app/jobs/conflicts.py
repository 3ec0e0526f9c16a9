"""Refuses what was decided on choices of a job (title, options, background) that others have changed since."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from app.domain.choices import STEM, TITLE, changed_since, told
from app.domain.dub_options import GROUP_OF
from app.domain.errors import DubError
from app.domain.problems.jobs import JOB_CHANGED
from app.storage.job_row import JobRow

# what a render depends on: everything but the title
RENDERED: Final = (*(f"options.{group}.{name}" for name, group in GROUP_OF.items()), STEM)


def check_seen(row: JobRow, fields: Collection[str], seen: int | None) -> None:
    """Raise job_changed when one of the fields was changed after revision `seen` of the choices. None: not asked."""
    since = changed_since(fields, seen, revision=row.job.choices_revision, changed_at=row.choices_changed)
    if since:
        raise DubError(
            JOB_CHANGED,
            f"Changed: {', '.join(since)}.",
            changed=told(row.choices, since),
            choices_revision=row.job.choices_revision,
        )


def render_seen(seen: int | None) -> Callable[[JobRow], None]:
    """A check for a start: what is rendered was chosen as the person saw it."""
    return lambda row: check_seen(row, RENDERED, seen)


def only_title(fields: Collection[str]) -> bool:
    """Whether nothing but the title changes; it may change while the job is at work."""
    return set(fields) <= {TITLE}
