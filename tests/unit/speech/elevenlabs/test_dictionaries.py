"""Other spellings of the glossary as pronunciation dictionaries: made once, found again, named, put away."""

from __future__ import annotations

import asyncio
import time

import pytest
from msgspec.structs import replace

from app.domain.errors import DubError
from app.domain.problems.voices import KEY_INVALID
from app.speech.elevenlabs.dictionaries import NAME
from app.speech.elevenlabs.voice import ElevenLabsVoice
from tests.doubles.elevenlabs import KEY, Double
from tests.doubles.elevenlabs.calls import Fault
from tests.doubles.elevenlabs.dictionaries import Dictionary
from tests.unit.speech.elevenlabs.test_voice import line

SAID = (("Nguyen", "win"), ("gif", "jiff"), ("\u6f22\u5b57", "kanji"))
LOCATOR = "pronunciation_dictionary_locators"


async def test_a_line_with_a_word_of_the_glossary_names_a_dictionary_with_all_of_its_words(
    voice: ElevenLabsVoice, double: Double
) -> None:
    spoken = await voice.speak(line("Nguyen made a GIF, no gifs.", aliases=SAID))
    await voice.speak(line("Nobody did.", aliases=SAID))
    first, second = double.calls
    assert first.text == "Nguyen made a GIF, no gifs.", "the service is told how, beside the text"
    assert len(spoken.pcm) / 2 / 24_000 == pytest.approx(len("win made a jiff, no gifs.") / 15, abs=0.05)
    assert first.body[LOCATOR] == [{"pronunciation_dictionary_id": "Dictionary1", "version_id": "Version1"}]
    assert LOCATOR not in second.body, "nothing of it is in the line"
    assert [
        (rule["string_to_replace"], rule["alias"], rule["case_sensitive"], rule["word_boundaries"])
        for rule in double.dictionaries[0].rules
    ] == [("Nguyen", "win", True, True), ("gif", "jiff", False, True), ("\u6f22\u5b57", "kanji", False, False)]


async def test_the_clip_is_named_by_what_is_said_so_that_none_is_bought_again(voice: ElevenLabsVoice) -> None:
    told, in_the_text = line("Nguyen came.", aliases=SAID), line("win came.")
    assert voice.fingerprint(told) == voice.fingerprint(in_the_text) != voice.fingerprint(line("Nguyen came."))


async def test_the_same_words_take_the_same_dictionary_after_a_restart_and_other_words_another(
    voice: ElevenLabsVoice, double: Double
) -> None:
    double.dictionaries = [Dictionary(f"Theirs{n}", f"Names {n}", f"V{n}", [], 1) for n in range(120)]
    await asyncio.gather(*(voice.speak(line(f"Nguyen said {word}.", aliases=SAID)) for word in ("one", "two")))
    again = ElevenLabsVoice(lambda: KEY, base_url=double.url, pause_s=0.01)
    await again.speak(line("Nguyen said three.", aliases=SAID))
    await again.speak(line("Nguyen said four.", aliases=SAID[:1]))
    await again.close()
    made = [one for one in double.dictionaries if one.name.startswith(NAME)]
    assert [len(one.rules) for one in made] == [3, 1]
    named = [call.body[LOCATOR][0]["pronunciation_dictionary_id"] for call in double.calls]
    assert named == [made[0].id] * 3 + [made[1].id]


async def test_old_ones_with_our_name_are_archived_when_one_is_made(voice: ElevenLabsVoice, double: Double) -> None:
    now = int(time.time())
    double.dictionaries = [
        Dictionary("Old", f"{NAME}x", "V1", [], now - 40 * 86400),
        Dictionary("Young", f"{NAME}y", "V2", [], now - 86400),
        Dictionary("Theirs", "My names", "V3", [], 1),
    ]
    await voice.speak(line("Nguyen came.", aliases=SAID))
    assert [one.id for one in double.dictionaries if one.archived] == ["Old"]


async def test_one_that_was_archived_meanwhile_is_made_again(voice: ElevenLabsVoice, double: Double) -> None:
    await voice.speak(line("Nguyen came.", aliases=SAID))
    double.dictionaries[0].archived = True
    await voice.speak(line("Nguyen went.", aliases=SAID))
    assert [call.delivered for call in double.calls] == [True, False, True]
    assert double.calls[2].body[LOCATOR][0]["pronunciation_dictionary_id"] == "Dictionary2"


@pytest.mark.parametrize(
    "refusal",
    [
        (401, {"detail": {"status": "missing_permissions", "message": "no"}}),
        (402, {"detail": {"code": "paid_plan_required", "message": "no"}}),
        (403, {"detail": {"code": "feature_not_available", "message": "no"}}),
    ],
    ids=("scope", "plan", "refused"),
)
async def test_an_account_that_may_have_none_gets_the_spelling_in_the_text(
    refusal: tuple[int, object], voice: ElevenLabsVoice, double: Double
) -> None:
    double.faults = [Fault("status", 1, "dictionaries", status=refusal[0], body=refusal[1])]
    await voice.speak(line("Nguyen came.", aliases=SAID))
    await voice.speak(line("Then a gif.", aliases=SAID, previous_text="Nguyen came."))
    assert [call.text for call in double.calls] == ["win came.", "Then a jiff."]
    assert double.calls[1].body["previous_request_ids"] == ["request1"] and double.dictionaries == []


async def test_a_busy_service_is_asked_again_and_a_wrong_key_is_told(voice: ElevenLabsVoice, double: Double) -> None:
    double.faults = [Fault("status", 2, "dictionaries", status=503)]
    await voice.speak(line("Nguyen came.", aliases=SAID))
    assert len(double.dictionaries) == 1
    double.keys = []
    with pytest.raises(DubError) as error:
        await voice.speak(replace(line("A gif.", aliases=SAID), key="sk_other"))
    assert error.value.problem is KEY_INVALID
