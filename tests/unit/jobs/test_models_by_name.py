"""A job's model is a name: wherever a path comes from, no file but the models folder's is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.dub_options import Task, changed
from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.problems.recognition import MODEL_UNKNOWN
from app.jobs.schemas import CreateJob, JobPatch, OptionsPatch
from app.speech.ports import RecognitionRequest
from tests.unit.jobs.house import House

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "secret.pt"
    path.write_bytes(b"x")
    return str(path)


@contextlib.contextmanager
def unknown() -> Iterator[None]:
    with pytest.raises(DubError) as refused:
        yield
    assert refused.value.problem is MODEL_UNKNOWN


def test_a_path_is_refused_when_a_job_is_made_changed_or_duplicated(house: House, file: str) -> None:
    named = OptionsPatch(model=file)
    with unknown():
        house.service.create(CreateJob(house.uploaded(), options=named))
    with unknown():
        house.service.create(
            CreateJob(house.uploaded(), options=named, subtitles_upload_id=house.uploaded(SRT, "a.srt"))
        )
    job = house.created()
    with unknown():
        house.service.duplicate(job.id, JobPatch(options=named))
    house.service.cancel(job.id)
    with unknown():
        house.service.update(job.id, JobPatch(options=named))
    assert (
        house.service.update(job.id, JobPatch(options=OptionsPatch(model="base"))).options.recognition.model == "base"
    )


def test_a_checkpoint_of_the_models_folder_is_taken_by_its_name(house: House, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.pt").write_bytes(b"x")
    assert house.created(model="mine.pt").options.recognition.model == "mine.pt"


async def test_an_old_job_that_names_a_path_keeps_its_lines_and_is_not_recognised_with_it(
    house: House, file: str
) -> None:
    """From before paths were refused, or out of an archive."""
    job = house.reviewed()
    house.store.update(job.id, options=changed(job.options, model=file))
    assert house.service.update(job.id, JobPatch(options=OptionsPatch(speed=1.1))).options.voices.speed == 1.1
    assert house.service.duplicate(job.id, JobPatch()).state is JobState.REVIEW
    with unknown():  # it would be recognised anew
        house.service.duplicate(job.id, JobPatch(options=OptionsPatch(language="fr")))
    assert house.service.approve(job.id).state is JobState.QUEUED
    recognizer = house.service._context.engines.recognizer("openai-whisper")
    with unknown():
        await recognizer.transcribe(
            RecognitionRequest(Path("speech.wav"), file, None, Task.TRANSCRIBE, 1.0, 0.0), lambda _: None
        )
