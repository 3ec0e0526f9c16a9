"""A job without review translates and speaks while it is recognised: with the requests that its stages would send,
below its ceiling, and no failure of it is the job's."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.domain import stages
from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.media import AudioStream, MediaInfo
from app.domain.problems.spending import CEILING_REACHED
from app.domain.segment import Segment
from app.domain.stage_outputs import Sound
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.memory_store import JOB_ID, MemoryStore, NoKeys
from app.jobs.stage_hooks import InnerHooks, StageRun, run_stage
from app.jobs.stages import StageWork
from app.speech.registry import Registry
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.doubles.paced import Recogniser, Talker, Translator, lines
from tests.doubles.translators import word_by_word

COUNT = 60
FOUND = lines(COUNT)
TEXTS = [line.text for line in FOUND]


class House:
    """A job in memory with these engines, whose sound is decoded."""

    def __init__(
        self,
        folder: Path,
        recogniser: Recogniser,
        by: Translator,
        speaks: Talker,
        *,
        ahead: bool = True,
        **options: Any,
    ) -> None:
        engines = Registry((recogniser,), (speaks,), (by,))
        blobs = FolderBlobs(folder / "blobs")
        blobs.put("ingest/a/speech.wav", b"")
        asked = {"recognizer": "paced", "voice": "paced:a", "language": "en", "review": False} | options
        self.store = MemoryStore(
            changed(DubOptions(), **asked), title="t", source_key="uploads/a", subtitles_key=None, stem_key=None
        )
        duration_s = COUNT * 3.0
        media = MediaInfo("mp4", duration_s, 0.0, 5, None, (AudioStream(0, 0, "aac", 48_000, 2, None, None),), heard=0)
        self.store.update("", media=media)
        sound = Sound(duration_s, "ingest/a/speech.wav", "ingest/a/peaks.dat", "ingest/a/energies.f32", None)
        self.store.finish_stage("", "ingest", "f", sound, 1.0)
        work, cache = Workspace(folder / "work"), folder / "cache"
        context = Context(blobs, work, cache, engines, 1, Limits(), 36_000.0, ahead=ahead)
        inner = InnerHooks(self.store, StageWork(store=self.store, keys=NoKeys(), context=context, hub=Hub()))

        async def read(run: StageRun, go: Any) -> None:
            run.row = self.store.row(JOB_ID)
            await go()

        self._hooks = (read, inner.named, inner.worked, inner.recorded)

    async def run(self, *some: stages.Stage) -> None:
        for stage in some or (stages.TRANSCRIBE, stages.SPEAKERS, stages.TRANSLATE, stages.SYNTHESIZE):
            await run_stage(StageRun(stage, JOB_ID), self._hooks)

    def lines(self) -> tuple[Segment, ...]:
        return self.store.segments("")[1]


TRANSLATED = {"translator": "paced", "target_language": "es"}


@pytest.mark.parametrize("options", [TRANSLATED, {}], ids=["translated", "in the same language"])
async def test_lines_are_spoken_before_recognition_ends_and_nothing_is_asked_for_twice(
    options: dict[str, Any], tmp_path: Path
) -> None:
    translator, voice = Translator(), Talker(width=4)

    async def until_spoken(number: int) -> None:
        if number == 5:  # the last chunk comes when a line has been spoken
            await asyncio.wait_for(voice.spoke.wait(), 20)

    house = House(tmp_path / "ahead", Recogniser(FOUND, wait=until_spoken), translator, voice, **options)
    await house.run(stages.TRANSCRIBE)
    spoken = [word_by_word(text) for text in TEXTS] if options else TEXTS
    assert voice.said and Counter(voice.said) <= Counter(spoken)
    await house.run(stages.SPEAKERS, stages.TRANSLATE, stages.SYNTHESIZE)
    assert Counter(voice.said) == Counter(spoken)
    assert [line.text for line in house.lines()] == spoken

    plain, alone = Translator(), Talker(width=4)
    after = House(tmp_path / "plain", Recogniser(FOUND), plain, alone, review=True, **options)
    await after.run(stages.TRANSCRIBE)
    assert plain.asked == [] and alone.said == [], "with review nothing is done ahead"
    await after.run(stages.SPEAKERS, stages.TRANSLATE, stages.SYNTHESIZE)
    assert translator.asked == plain.asked, "the very requests, in the same batches, with the same lines around them"
    assert Counter(voice.said) == Counter(alone.said)


async def test_the_ceiling_holds_ahead_and_the_stage_says_so(tmp_path: Path) -> None:
    voice = Talker(width=4)
    few = sum(map(len, TEXTS[:7])) + 1.0
    house = House(tmp_path, Recogniser(FOUND), Translator(), voice, ceiling_credits=few)
    await house.run(stages.TRANSCRIBE, stages.SPEAKERS, stages.TRANSLATE)
    with pytest.raises(DubError) as refused:
        await house.run(stages.SYNTHESIZE)
    assert refused.value.problem is CEILING_REACHED
    assert house.store.ledger("").spent().credits == sum(map(len, TEXTS[:7]))


async def test_the_operator_switches_it_off(tmp_path: Path) -> None:
    translator, voice = Translator(), Talker(width=4)
    house = House(tmp_path, Recogniser(FOUND), translator, voice, ahead=False, **TRANSLATED)
    await house.run(stages.TRANSCRIBE)
    assert translator.asked == [] and voice.said == []


async def test_what_fails_ahead_is_not_the_jobs_failure(tmp_path: Path) -> None:
    class Broken(Translator):
        async def translate(self, request: Any) -> Any:
            if not self.asked:
                self.asked.append(request)
                raise RuntimeError("once")
            return await super().translate(request)

    translator, voice = Broken(), Talker(width=4)
    house = House(tmp_path, Recogniser(FOUND), translator, voice, **TRANSLATED)
    await house.run()
    assert Counter(voice.said) == Counter(word_by_word(text) for text in TEXTS)


async def test_a_line_that_could_not_be_translated_yet_is_not_spoken_ahead_nor_one_after_it(tmp_path: Path) -> None:
    refused = {TEXTS[12]}
    translator, voice = Translator(fails=refused.__contains__), Talker(width=4)
    house = House(tmp_path, Recogniser(FOUND), translator, voice, **TRANSLATED)
    await house.run(stages.TRANSCRIBE)
    assert Counter(voice.said) <= Counter(word_by_word(text) for text in TEXTS[:12])
    refused.clear()
    await house.run(stages.SPEAKERS, stages.TRANSLATE, stages.SYNTHESIZE)
    assert Counter(voice.said) == Counter(word_by_word(text) for text in TEXTS)


async def test_a_cancelled_recognition_stops_what_is_done_ahead(tmp_path: Path) -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def hangs(number: int) -> None:
        begun.set()
        await never.wait()

    async def last(number: int) -> None:
        if number == 5:
            await never.wait()

    voice = Talker(wait=hangs)
    house = House(tmp_path, Recogniser(FOUND, wait=last), Translator(), voice)
    running = asyncio.create_task(house.run(stages.TRANSCRIBE))
    await asyncio.wait_for(begun.wait(), 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    said = list(voice.said)
    assert len(asyncio.all_tasks()) == 1 and said == TEXTS[:1]


async def test_a_run_that_goes_on_hands_over_what_was_recognised_before(tmp_path: Path) -> None:
    voice, fell = Talker(width=4), asyncio.Event()

    async def stumbles(number: int) -> None:
        if number == 4 and not fell.is_set():
            await asyncio.wait_for(voice.spoke.wait(), 20)
            fell.set()
            raise RuntimeError("killed")

    house = House(tmp_path, Recogniser(FOUND, wait=stumbles), Translator(), voice)
    with pytest.raises(RuntimeError):
        await house.run(stages.TRANSCRIBE)
    before = len(voice.said)
    await house.run()
    assert 0 < before < COUNT and set(voice.said) == set(TEXTS)
    assert len(voice.said) <= COUNT + 4, "only what was on its way is asked for again"
