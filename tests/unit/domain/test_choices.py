"""Which fields of a job differ, and which of them were changed since a revision."""

from __future__ import annotations

import pytest

from app.domain.choices import STEM, Choices, changed_since, differing, told
from app.domain.dub_options import GROUP_OF, DubOptions, changed

PLAIN = Choices("Film", DubOptions(), None)


def test_every_option_is_a_field_of_its_own() -> None:
    assert len(PLAIN.by_field()) == len(GROUP_OF) + 2
    other = Choices("Other", changed(DubOptions(), speed=1.2, keep_db=-3.0), "uploads/x")
    assert differing(PLAIN, other) == ("title", "options.voices.speed", "options.mix.keep_db", "stem_upload_id")
    assert differing(other, other) == ()


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (None, ()),
        (7, ()),
        (6, ("b",)),
        (5, ("b",)),
        (4, ("a", "b")),
        (1, ("a", "b")),
        (0, ("a", "b", "new")),
        (8, ("a", "b", "new")),
    ],
)
def test_a_field_conflicts_when_it_was_changed_after_the_revision_that_was_seen(
    seen: int | None, found: tuple[str, ...]
) -> None:
    assert changed_since(("a", "b", "new"), seen, revision=7, changed_at={"a": 5, "b": 7, "c": 7}) == found


def test_a_file_is_told_without_its_key() -> None:
    field, title = told(Choices("Film", DubOptions(), "uploads/secret"), (STEM, "title"))
    assert (field.now, title.now) == (True, "Film")
