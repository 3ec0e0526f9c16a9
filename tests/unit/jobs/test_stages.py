"""What a stage leaves behind when it is cut off."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.domain.job import Joined
from app.dubbing.context import Context
from app.dubbing.pipeline import Sound
from app.jobs.schemas import CreateJob
from app.jobs.stages import StageWork
from app.speech.registry import build_registry
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.unit.jobs.house import House

WORDS = ["One", "word", "in", "every", "cue.", "This", "is", "no", "way", "to", "speak."]
ONE_WORD = "\n\n".join(
    f"{n}\n00:00:0{n // 3},{n % 3 * 300:03} --> 00:00:0{n // 3},{n % 3 * 300 + 280:03}\n{word}"
    for n, word in enumerate(WORDS)
)


def test_brought_lines_are_there_once_however_often_the_stage_is_cut_off(tmp_path: Path) -> None:
    house = House(tmp_path)
    context = Context(
        house.blobs,
        Workspace(tmp_path / "work"),
        tmp_path / "cache",
        build_registry(models=tmp_path),
        1,
        Limits(),
        3600.0,
    )
    work = StageWork(store=house.store, keys=house.keys, context=context, hub=house.hub)
    job = house.service.create(
        CreateJob(house.uploaded(), subtitles_upload_id=house.uploaded(ONE_WORD.encode(), "a.srt"))
    )
    house.store.finish_stage(job.id, "ingest", "i", Sound(20.0, "ingest/a/speech.wav", "p", "e", None), 0.1)

    async def transcribe() -> object:
        done = await work.work("transcribe", house.store.row(job.id), "name", lambda fraction, message: None)
        return done.fields["joined"]

    for _ in range(3):  # each time before the runner records that it is done
        assert asyncio.run(transcribe()) == Joined(len(WORDS), 2)
        assert [line.text for line in house.store.segments(job.id)[1]] == [
            "One word in every cue.",
            "This is no way to speak.",
        ]
