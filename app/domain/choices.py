"""What a person chose of a job, field by field: which fields differ, and which of them others changed in between.

A field is named as in a change of the job: `title`, `options.GROUP.NAME`, `stem_upload_id`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from app.domain.dub_options import GROUP_OF, DubOptions

FIRST_REVISION: Final = 1
TITLE: Final = "title"
STEM: Final = "stem_upload_id"


class Choices(msgspec.Struct, frozen=True):
    """The title, the options, and the key of the background without voices."""

    title: str
    options: DubOptions
    stem_key: str | None

    def by_field(self) -> dict[str, Any]:
        """Every field with its value."""
        options = {
            f"options.{group}.{name}": getattr(getattr(self.options, group), name) for name, group in GROUP_OF.items()
        }
        return {TITLE: self.title, **options, STEM: self.stem_key}


class ChangedField(msgspec.Struct, frozen=True):
    """A field that has been changed, and its value now. The value of `stem_upload_id` is whether there is a background
    without voices."""

    field: str
    now: Any


def differing(before: Choices, after: Choices) -> tuple[str, ...]:
    """The fields that are not the same in both."""
    old, new = before.by_field(), after.by_field()
    return tuple(field for field in old if old[field] != new[field])


def changed_since(
    fields: Collection[str], seen: int | None, *, revision: int, changed_at: Mapping[str, int]
) -> tuple[str, ...]:
    """Those of the fields that were changed after revision `seen`; none where `seen` is None. `revision` is the one
    now, `changed_at` the revision of each field's last change.

    A revision that is not known here, such as one from before a backup was restored, is older than everything.
    """
    if seen is None or seen == revision:
        return ()
    base = seen if seen < revision else 0
    return tuple(field for field in fields if changed_at.get(field, FIRST_REVISION) > base)


def told(choices: Choices, fields: Collection[str]) -> tuple[ChangedField, ...]:
    """The fields with their values now, for people; no file's key is among them."""
    values = {**choices.by_field(), STEM: choices.stem_key is not None}
    return tuple(ChangedField(field, values[field]) for field in fields)
