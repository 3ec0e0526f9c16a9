"""Languages of a job: they are its own rows, and go with it everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from app.domain import stages
from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.problems.jobs import JOB_NOT_FOUND, JOB_STATE, LANGUAGE_NOT_FOUND, LANGUAGE_TAKEN
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.retention import Kind
from app.domain.segment import Translation
from app.domain.speaker import Speaker
from app.jobs.language_schemas import LanguageNew
from app.jobs.schemas import CreateJob, JobPatch, OptionsPatch, SegmentChanges, SegmentEdit, SpeakerPatch
from app.storage import tables as t
from tests.unit.archive.archives import exported, take
from tests.unit.jobs.house import LINES, House, refused
from tests.unit.retention.shelf import DAY_S, Shelf, rule


def with_french(house: House) -> tuple[str, str]:
    """A job in review, recognised in English and dubbed into Spanish by hand, and its French."""
    job = house.reviewed(target_language="es")
    house.store.finish_stage(job.id, "speakers", "s", {"speakers": 0, "lines": 0}, 0.1)
    return job.id, house.service.add_language(job.id, LanguageNew("fr")).id


def test_a_further_language_begins_with_the_lines_of_its_job_and_is_in_no_list(house: House) -> None:
    job_id, french_id = with_french(house)
    french = house.service.get(french_id)
    assert (french.parent_id, french.title, french.state) == (job_id, "Ein Film", JobState.REVIEW)
    assert [line.text for line in house.service.segments(french_id).segments] == [line.text for line in LINES]
    assert [each.language for each in french.languages] == ["es", "fr"]
    for stage in stages.STAGES:  # what is the same for all languages is made once
        shared = house.store.stage(french_id, stage.name) == house.store.stage(job_id, stage.name) is not None
        assert shared == (stage.name in ("probe", "transcribe", "speakers")), stage.name
    assert [job.id for job in house.service.page().jobs] == [job_id]
    assert sum(house.store.counts().values()) == 1
    assert [each.id for each in house.store.working()] == []
    refused(LANGUAGE_TAKEN, lambda: house.service.add_language(job_id, LanguageNew("fr")))
    refused(LANGUAGE_TAKEN, lambda: house.service.add_language(french_id, LanguageNew("es")))
    refused(LANGUAGE_NOT_FOUND, lambda: house.service.remove_language(job_id, "es"))


def test_what_begins_or_stops_for_one_language_does_for_the_job(house: House) -> None:
    job_id, french_id = with_french(house)
    assert house.service.approve(french_id).state is JobState.QUEUED
    assert [queued[1] for queued in house.queue.queued] == [job_id, job_id]
    refused(JOB_STATE, lambda: house.service.remove_language(job_id, "fr"))
    assert house.service.cancel(french_id).state is JobState.CANCELLED
    assert house.service.get(job_id).state is JobState.CANCELLED
    house.service.delete(job_id)
    refused(JOB_NOT_FOUND, lambda: house.service.get(french_id))


def test_a_language_has_its_own_voices_and_translation_and_the_rest_of_its_job(house: House) -> None:
    job_id, french_id = with_french(house)
    house.service.update(french_id, JobPatch(options=OptionsPatch(voice="espeak:fr")))
    house.service.update(job_id, JobPatch(title="Other", options=OptionsPatch(duck_db=-9.0)))
    french = house.service.get(french_id)
    assert (french.title, french.options.mix.duck_db, french.options.voices.voice) == ("Other", -9.0, "espeak:fr")
    assert house.service.get(job_id).options.voices.voice == "espeak:auto"
    for patch in (JobPatch(title="Mine"), JobPatch(options=OptionsPatch(duck_db=-3.0))):
        refused(INVALID_REQUEST, lambda patch=patch: house.service.update(french_id, patch))
    refused(JOB_STATE, lambda: house.service.update(french_id, JobPatch(options=OptionsPatch(target_language="it"))))
    refused(LANGUAGE_TAKEN, lambda: house.service.update(job_id, JobPatch(options=OptionsPatch(target_language="fr"))))


def test_a_job_is_not_created_where_one_of_its_languages_is_refused(house: House) -> None:
    request = CreateJob(house.uploaded(), languages=(LanguageNew("fr"), LanguageNew("fr")))
    refused(LANGUAGE_TAKEN, lambda: house.service.create(request))
    assert house.service.page().total == 0
    with house.database.connect() as c:
        assert c.execute(t.jobs.select()).all() == []


def test_what_is_said_and_by_whom_is_the_same_in_all_languages(house: House) -> None:
    job_id, french_id = with_french(house)
    lines = house.service.segments(french_id).segments
    speaker = Speaker("c" * 32, "Ann", 0)
    said = [replace(line, original=line.text, text="Voilà.", translation=Translation.DONE) for line in lines]
    house.store.replace_segments(french_id, said, (speaker,))
    house.store.replace_segments(job_id, (), (speaker,))
    revision = house.service.get(job_id).revision
    edit = SegmentChanges(edit=(SegmentEdit(lines[0].id, original="Hi.", speaker=speaker.id),))
    refused(INVALID_REQUEST, lambda: house.service.edit(job_id, revision, edit))  # by hand: it has no original yet
    house.service.edit(french_id, house.service.get(french_id).revision, edit)
    found = house.service.segments(job_id).segments[0]
    assert found.speaker == speaker.id
    changed = house.service.segments(french_id).segments
    assert (changed[0].text, changed[0].translation) == ("Voilà.", Translation.STALE)
    assert changed[1].translation is Translation.DONE
    now = house.service.get(french_id).revision
    house.service.change_speaker(french_id, speaker.id, now, SpeakerPatch(name="Bea", voice="espeak:fr"))
    (told,) = house.service.segments(job_id).speakers
    assert (told.name, told.voice) == ("Bea", None)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "here")


def in_french(shelf: Shelf, job_id: str) -> str:
    """The job on the shelf gets a further language with a clip of its own."""
    french = "f" * 32
    job = shelf.store.get(job_id)
    allowed = {job.state}
    shelf.store.add_language(job_id, french, language="fr", options=job.options, speakers=(), allowed=allowed)
    shelf.store.take_lines(french)
    shelf.store.refer(french, [shelf.put("clips/french.wav", 40)])
    return french


def test_an_archive_has_the_languages_of_a_job(shelf: Shelf, tmp_path: Path) -> None:
    job_id = shelf.job()
    french = in_french(shelf, job_id)
    archive = exported(shelf, job_id)
    other = Shelf(tmp_path / "there")
    assert [each.job_id for each in take(other, archive)] == [job_id]
    assert [each.id for each in other.store.get(job_id).languages] == [job_id, french]
    assert other.store.segments(french)[1] == shelf.store.segments(french)[1]
    assert other.blobs.exists("clips/french.wav")
    assert other.store.take_lines(french) is False, "its lines are not taken again"
    assert [each.outcome for each in take(other, archive)] == ["skipped"]
    # under another id, where another job has this one
    with other.database.begin() as c:
        c.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(title="Changed"))
    (renamed,) = take(other, archive)
    assert renamed.outcome == "renamed"
    both = other.store.get(renamed.job_id).languages
    assert both[0].id == renamed.job_id and both[1].id not in (french, job_id)


def test_retention_deletes_a_job_with_its_languages_and_waits_for_all_of_them(shelf: Shelf) -> None:
    job_id = shelf.job(days=10)
    french = in_french(shelf, job_id)
    cleaner = shelf.cleaner(rule(Kind.JOBS, days=5))
    assert cleaner.plan() == (), "something happened to one of its languages"
    with shelf.database.begin() as c:
        c.execute(update(t.jobs).values(updated_at=t.jobs.c.updated_at - 10 * DAY_S))
    assert cleaner.clean() >= 1
    assert not shelf.blobs.exists("clips/french.wav")
    for gone in (job_id, french):
        with pytest.raises(DubError) as caught:
            shelf.store.get(gone)
        assert caught.value.problem is JOB_NOT_FOUND
