"""Speakers of a job: added, named, given voices, merged, split, taken away; kept by copies, archives and old rows."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from app.archive import validation
from app.domain.problems.lines import EDIT_CONFLICT, SEGMENT_NOT_FOUND, SPEAKER_NOT_FOUND, TOO_MANY_SPEAKERS
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.problems.voices import ENGINE_UNKNOWN
from app.domain.segment import Segment
from app.domain.speaker import MAX_SPEAKERS, Speaker, introduced, told_apart
from app.domain.stage_outputs import Sound, SpeakersFound
from app.jobs.schemas import JobPatch, SegmentChanges, SegmentEdit, SegmentNew, SpeakerMerge, SpeakerNew, SpeakerPatch
from app.jobs.stages import StageWork
from app.speech.ports import DiarizationRequest
from app.storage import database
from app.storage.jobs import JobStore
from tests.unit.jobs.house import LINES, House, refused
from tests.unit.storage.test_migrations import at_version, old_job

A, B = LINES[0].id, LINES[1].id


def by_line(house: House, job_id: str) -> dict[str, str]:
    """The name of who says each line."""
    found = house.service.segments(job_id)
    names = {speaker.id: speaker.name for speaker in found.speakers}
    return {line.id: names.get(line.speaker, "") for line in found.segments}


def test_a_line_is_given_to_a_speaker_by_name_or_by_id(house: House) -> None:
    job = house.reviewed()
    found = house.service.edit(job.id, job.revision, SegmentChanges(edit=(SegmentEdit(A, speaker="Anna"),)))
    (anna,) = found.speakers
    assert (anna.name, anna.colour, anna.voice) == ("Anna", 0, None)
    found = house.service.edit(job.id, found.revision, SegmentChanges(edit=(SegmentEdit(B, speaker=anna.id),)))
    assert {line.speaker for line in found.segments} == {anna.id}
    found = house.service.edit(job.id, found.revision, SegmentChanges(edit=(SegmentEdit(B, speaker="ANNA"),)))
    assert len(found.speakers) == 1, "the same name is the same speaker"
    found = house.service.edit(job.id, found.revision, SegmentChanges(edit=(SegmentEdit(B, speaker=""),)))
    assert by_line(house, job.id) == {A: "Anna", B: ""}
    gone = SegmentChanges(edit=(SegmentEdit(B, speaker="0" * 32),))
    refused(SPEAKER_NOT_FOUND, lambda: house.service.edit(job.id, found.revision, gone))


def test_lines_become_a_new_speaker_and_two_speakers_become_one(house: House) -> None:
    job = house.reviewed()
    found = house.service.add_speaker(job.id, job.revision, SpeakerNew(segments=(A, B)))
    found = house.service.add_speaker(job.id, found.revision, SpeakerNew(name="Ben", segments=(B,)))
    first, ben = found.speakers
    assert by_line(house, job.id) == {A: "Speaker 1", B: "Ben"} and first.colour != ben.colour
    assert [speaker.lines for speaker in house.service.speakers(job.id).speakers] == [1, 1]
    with pytest.raises(Exception, match="another"):
        house.service.merge_speakers(job.id, ben.id, found.revision, SpeakerMerge(ben.id))
    found = house.service.merge_speakers(job.id, first.id, found.revision, SpeakerMerge(ben.id))
    assert found.speakers == (ben,) and by_line(house, job.id) == {A: "Ben", B: "Ben"}
    found = house.service.remove_speaker(job.id, ben.id, found.revision)
    assert found.speakers == () and by_line(house, job.id) == {A: "", B: ""}
    refused(SPEAKER_NOT_FOUND, lambda: house.service.remove_speaker(job.id, ben.id, found.revision))
    refused(
        SEGMENT_NOT_FOUND, lambda: house.service.add_speaker(job.id, found.revision, SpeakerNew(segments=("x" * 32,)))
    )


def test_a_speaker_has_a_name_a_voice_a_speed_and_a_level(house: House) -> None:
    job = house.reviewed()
    revision = house.service.add_speaker(job.id, job.revision, SpeakerNew(name="Ben", segments=(A,))).revision
    (ben,) = house.service.segments(job.id).speakers
    patch = SpeakerPatch(name=" Ben  the second ", voice="espeak:de", speed=1.2, level_db=-3.0, colour=4)
    found = house.service.change_speaker(job.id, ben.id, revision, patch)
    assert found.speakers == (Speaker(ben.id, "Ben the second", 4, "espeak:de", "", 1.2, -3.0),)
    change = house.service.change_speaker
    refused(ENGINE_UNKNOWN, lambda: change(job.id, ben.id, found.revision, SpeakerPatch(voice="nobody:x")))
    refused(INVALID_REQUEST, lambda: change(job.id, ben.id, found.revision, SpeakerPatch(name="  ")))
    refused(SPEAKER_NOT_FOUND, lambda: change(job.id, "x", found.revision, SpeakerPatch(name="y")))


def test_a_change_of_a_speaker_is_an_edit_of_the_lines(house: House) -> None:
    job = house.rendered()
    heard: list[object] = []
    house.hub.publish = heard.append  # type: ignore[assignment, method-assign]
    found = house.service.add_speaker(job.id, job.revision, SpeakerNew(name="Ben"))
    assert found.revision == job.revision + 1 and house.store.get(job.id).stale
    assert heard[0].speakers == found.speakers  # type: ignore[attr-defined]
    refused(EDIT_CONFLICT, lambda: house.service.add_speaker(job.id, job.revision, SpeakerNew(name="Carl")))
    patch = SpeakerPatch(name="Ben")
    assert house.service.change_speaker(job.id, found.speakers[0].id, found.revision, patch).revision == found.revision


def test_there_is_a_limit_to_speakers() -> None:
    lines = [Segment(f"{n:032x}", n, n + 1, "Hi.", "Hi.", f"Person {n}", False, ()) for n in range(MAX_SPEAKERS + 1)]
    refused(TOO_MANY_SPEAKERS, lambda: introduced(lines, ()))
    kept = introduced(lines, (), strict=False)
    assert len(kept.speakers) == MAX_SPEAKERS and [line.speaker for line in kept.segments[-1:]] == [""]


def test_a_copy_has_the_speakers(house: House) -> None:
    job = house.reviewed()
    house.service.add_speaker(job.id, job.revision, SpeakerNew(name="Ben", voice="espeak:de", segments=(A,)))
    copy = house.service.duplicate(job.id, JobPatch())
    mine, theirs = house.service.segments(job.id), house.service.segments(copy.id)
    assert theirs.speakers == mine.speakers and theirs.segments == mine.segments


def test_names_of_old_lines_become_speakers(tmp_path: Path) -> None:
    engine = at_version(tmp_path, "0011")
    old_job(engine, "old", state="review", rendered=None)
    with engine.begin() as c:
        c.execute(text("UPDATE segments SET speaker = 'ANNA'"))
        c.execute(
            text(
                "INSERT INTO segments (job_id, id, start_s, end_s, text, source_text, speaker, skip, words) "
                "VALUES ('old', 's2', 3, 4, 'Ho.', 'Ho.', 'Ben', 0, '[]'), "
                "('old', 's3', 5, 6, 'Ha.', 'Ha.', '', 0, '[]')"
            )
        )
    database.migrate(engine)
    _, script = JobStore(engine).script("old")
    names = {speaker.id: speaker.name for speaker in script.speakers}
    assert [names.get(line.speaker, "") for line in script.segments] == ["ANNA", "Ben", ""]
    assert [speaker.colour for speaker in script.speakers] == [0, 1]


def test_an_archive_from_before_there_were_speakers_has_them_by_name() -> None:
    line = msgspec.to_builtins(msgspec.structs.replace(LINES[0], speaker="Anna"))
    job = {
        **dict.fromkeys(("language", "media", "subtitles_key", "stem_key", "rendered_revision", "error")),
        **dict.fromkeys(("rendered_options", "rendered_stem_key")),
        **dict.fromkeys(("created_at", "updated_at"), 1.0),
        **{name: [] for name in ("stages", "artifacts", "files")},
        "id": "a" * 32,
        "title": "T",
        "state": "review",
        "phase": "prepare",
        "options": {},
        "source_key": "uploads/a",
        "size_bytes": 1,
        "revision": 1,
        "segments": [line],
    }
    found = validation.job(json.dumps(job).encode())
    assert [(one.name, found.segments[0].speaker == one.id) for one in found.speakers] == [("Anna", True)]
    again = validation.job(msgspec.json.encode(found))
    assert again.speakers == found.speakers and again.segments == found.segments
    wrong = {**job, "speakers": [{"id": "b" * 32, "name": "B", "colour": 99}]}
    with pytest.raises(Exception, match="archive_invalid"):
        validation.job(json.dumps(wrong).encode())


def test_a_group_is_the_speaker_whom_it_has_already_or_a_new_one() -> None:
    lines = [msgspec.structs.replace(LINES[0], id=str(n), start_s=n, end_s=n + 1.0) for n in range(5)]
    anna = Speaker("a", "Anna", 0)
    lines[0] = msgspec.structs.replace(lines[0], speaker="a")
    script = told_apart(lines, [0, 0, 1, 1, -1], (anna,))
    first, other = script.speakers
    assert (first, other.name, other.colour) == (anna, "Speaker 1", 1)
    assert [line.speaker for line in script.segments] == ["a", "a", other.id, other.id, ""]
    alone = [LINES[0], LINES[1]]
    assert told_apart(alone, [0, 0], ()).speakers == (), "one voice needs no name"


class Told:
    """Tells lines apart by turns."""

    version, ready = 1, True

    def here(self) -> bool:
        return self.ready

    async def tell(self, request: DiarizationRequest, on_progress: object) -> tuple[int, ...]:
        return tuple(n % 2 for n in range(len(request.spans)))


async def test_the_stage_gives_every_line_a_speaker_and_leaves_those_that_have_one(house: House) -> None:
    job = house.reviewed()
    house.blobs.put("ingest/a/speech.wav", b"sound")
    sound = Sound(20.0, "ingest/a/speech.wav", "", "", None)
    house.store.finish_stage(job.id, "ingest", "i", sound, 0.1)
    told = Told()
    house.context.engines.diarizer = told  # type: ignore[assignment]
    work = StageWork(store=house.store, keys=house.keys, context=house.context, hub=house.hub)
    told.ready = False
    assert work.inputs("speakers", house.store.row(job.id)) == [], "auto, and no model: nothing happens"
    told.ready = True
    done = await work.work("speakers", house.store.row(job.id), "name", lambda *_: None)
    assert done.output == SpeakersFound(2, 2)
    assert by_line(house, job.id) == {A: "Speaker 1", B: "Speaker 2"}
    found = house.service.segments(job.id)
    house.service.edit(job.id, found.revision, SegmentChanges(edit=(SegmentEdit(B, speaker="Ben"),)))
    await work.work("speakers", house.store.row(job.id), "name", lambda *_: None)
    assert by_line(house, job.id) == {A: "Speaker 1", B: "Ben"}


def test_a_new_line_is_said_by_the_one_who_speaks_next_to_it(house: House) -> None:
    job = house.reviewed()
    edits = (SegmentEdit(A, speaker="Anna"), SegmentEdit(B, speaker="Ben"))
    found = house.service.edit(job.id, job.revision, SegmentChanges(edit=edits))
    new = (SegmentNew("Before.", 0.1, 0.8), SegmentNew("After.", 7.0, 8.0), SegmentNew("Nobody.", 9.0, 9.5, ""))
    found = house.service.edit(job.id, found.revision, SegmentChanges(add=new))
    names = {speaker.id: speaker.name for speaker in found.speakers} | {"": ""}
    assert [names[line.speaker] for line in found.segments] == ["Anna", "Anna", "Ben", "Ben", ""]
