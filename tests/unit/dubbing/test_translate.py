"""Batches, checks and the cache of translations, with a real service's double behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.errors import DubError
from app.domain.segment import Segment, Translation
from app.dubbing.translate import TranslationChoice, same_language, translate
from app.translation.chat import OllamaChat, OpenAIChat
from app.translation.deepl import DeepL
from tests.doubles.translators import DEEPL_KEY, KEY, MODEL, Double, word_by_word

CHOICE = TranslationChoice("en", "es")


def lines(count: int, text: str = "This is the sentence number {} of them.") -> list[Segment]:
    said = [text.format(n + 10) for n in range(count)]
    return [Segment(f"l{n}", 3.0 * n, 3.0 * n + 2.9, t, t, "", False, ()) for n, t in enumerate(said)]


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double() as running:
        yield running
        assert running.violations == []


def chat(double: Double) -> OpenAIChat:
    return OpenAIChat(f"{double.url}/v1", MODEL, key=lambda: KEY, pause_s=0.01)


async def translated(translator: Any, some: list[Segment], cache: Path, choice: TranslationChoice = CHOICE) -> Any:
    return await translate(translator, some, choice, cache, lambda fraction, message: None)


async def test_lines_go_in_batches_with_their_neighbours_and_both_texts_are_kept(
    double: Double, tmp_path: Path
) -> None:
    some = lines(60)
    reported: list[tuple[float, str]] = []
    done = await translate(chat(double), some, CHOICE, tmp_path, lambda *told: reported.append(told))
    assert [len(call["texts"]) for call in double.calls] == [25, 25, 10]
    assert [line.text for line in done] == [word_by_word(line.text) for line in some]
    assert [line.original for line in done] == [line.text for line in some]
    assert {line.translation for line in done} == {Translation.DONE}
    second = json.loads(double.calls[1]["body"]["messages"][1]["content"])
    assert second["before"] == [line.text for line in some[22:25]]
    assert second["after"] == [line.text for line in some[50:53]]
    assert [message for _, message in reported] == [f"{n} of 60 lines" for n in (0, 25, 50, 60)]


@pytest.mark.parametrize("wrong", ["drop", "twice", "same", "note"])
async def test_a_wrong_line_is_asked_for_again_alone_and_with_the_reason(
    wrong: str, double: Double, tmp_path: Path
) -> None:
    some = lines(5)
    double.faults = [{wrong: [2]}]
    done = await translated(chat(double), some, tmp_path)
    assert [call["texts"] for call in double.calls] == [[line.text for line in some], [some[1].text]]
    assert double.calls[1]["lines"][0]["wrong"]
    assert done[1].text == word_by_word(some[1].text) and done[1].translation is Translation.DONE


async def test_what_fails_stays_in_the_source_language_is_marked_and_is_asked_for_the_next_time(
    double: Double, tmp_path: Path
) -> None:
    some = lines(4)
    double.faults = [{"drop": [3]}, {"same": [1]}, {"note": [1]}]
    done = await translated(chat(double), some, tmp_path)
    assert (done[2].text, done[2].original, done[2].translation) == (some[2].text, some[2].text, Translation.FAILED)
    assert [line.translation for line in done].count(Translation.DONE) == 3
    asked = len(double.calls)
    again = await translated(chat(double), list(done), tmp_path)
    assert [call["texts"] for call in double.calls[asked:]] == [[some[2].text]]
    assert [line.translation for line in again] == [Translation.DONE] * 4


async def test_an_answer_that_was_cut_is_asked_for_in_smaller_parts(double: Double, tmp_path: Path) -> None:
    double.faults = [{"raw": '{"lines": [{"id": 1, "te'}]
    done = await translated(chat(double), lines(8), tmp_path)
    assert [len(call["texts"]) for call in double.calls] == [8, 4, 4]
    assert {line.translation for line in done} == {Translation.DONE}


async def test_a_changed_line_buys_only_itself(double: Double, tmp_path: Path) -> None:
    some = lines(6)
    await translated(chat(double), some, tmp_path)
    some[3] = msgspec.structs.replace(some[3], text="Something else was said here.")
    await translated(chat(double), some, tmp_path)
    assert double.texts()[6:] == ["Something else was said here."]
    await translated(chat(double), some, tmp_path, TranslationChoice("en", "de"))
    assert len(double.texts()) == 13, "another language is another translation"


async def test_a_run_that_fails_later_keeps_its_finished_batches(double: Double, tmp_path: Path) -> None:
    some = lines(30)
    double.faults = [{"match": "number 36 of"} | {"status": 401}]
    with pytest.raises(DubError):
        await translated(chat(double), some, tmp_path)
    await translated(chat(double), some, tmp_path)
    assert sorted(double.texts()) == sorted(line.text for line in some)


async def test_a_long_wording_gives_way_to_the_short_one(tmp_path: Path) -> None:
    text = "x".join(["words"] * 8)  # 47 characters in 2.9 s: natural pace
    some = lines(3, text + " {}")
    async with Double(verbosity=1.3) as double:
        done = await translated(chat(double), some, tmp_path)
        assert {line["max"] for line in double.calls[0]["lines"]} == {46}
    assert [line.text for line in done] == [word_by_word(line.text) for line in some]


async def test_cancelling_closes_the_request_at_once(double: Double, tmp_path: Path) -> None:
    double.faults = [{"delay_s": 60}]
    task = asyncio.create_task(translated(chat(double), lines(2), tmp_path))
    while not double.calls:
        await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_service_that_translates_only_is_asked_once(double: Double, tmp_path: Path) -> None:
    done = await translated(DeepL(double.url, key=lambda: DEEPL_KEY), lines(51), tmp_path)
    assert [len(call["texts"]) for call in double.calls] == [50, 1]
    assert {line.translation for line in done} == {Translation.DONE}


async def test_skipped_lines_and_lines_without_words_are_left_alone(double: Double, tmp_path: Path) -> None:
    some = lines(3)
    some[0] = msgspec.structs.replace(some[0], skip=True)
    some[1] = msgspec.structs.replace(some[1], text="1984 ...")
    assert [line.id for line in await translated(OllamaChat(double.url, MODEL), some, tmp_path)] == ["l2"]


def test_a_region_makes_no_other_language() -> None:
    assert same_language("en", "en-GB") and not same_language("en", "es") and not same_language(None, "es")
