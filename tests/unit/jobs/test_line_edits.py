"""Edits of lines go through the database whole or not at all."""

from __future__ import annotations

from app.domain.problems.lines import (
    EDIT_CONFLICT,
    TIMES_INVALID,
)
from app.jobs.schemas import SegmentChanges, SegmentEdit, SplitSegment
from tests.unit.jobs.house import LINES, House, refused


def test_two_editors_do_not_overwrite_each_other(house: House) -> None:
    job = house.reviewed()
    revision = house.service.segments(job.id).revision
    house.service.edit(job.id, revision, SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Mine."),)))
    refused(
        EDIT_CONFLICT,
        lambda: house.service.edit(job.id, revision, SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Yours."),))),
    )
    refused(EDIT_CONFLICT, lambda: house.service.merge(job.id, LINES[0].id, revision))
    assert house.service.segments(job.id).segments[0].text == "Mine."


def test_an_edit_that_fails_half_way_changes_nothing(house: House) -> None:
    job = house.reviewed()
    before = house.service.segments(job.id)
    changes = SegmentChanges(
        edit=(SegmentEdit(LINES[0].id, text="New."), SegmentEdit(LINES[1].id, start_s=99.0, end_s=100.0))
    )
    refused(TIMES_INVALID, lambda: house.service.edit(job.id, before.revision, changes))
    assert house.service.segments(job.id) == before


def test_split_and_merge_go_through_the_database(house: House) -> None:
    job = house.reviewed()
    split = house.service.split(job.id, LINES[0].id, house.service.segments(job.id).revision, SplitSegment(at=6))
    assert [s.text for s in split.segments] == ["Hello", "there.", "And goodbye."]
    merged = house.service.merge(job.id, LINES[0].id, split.revision)
    assert [s.text for s in merged.segments] == ["Hello there.", "And goodbye."]
    assert house.service.segments(job.id) == merged
