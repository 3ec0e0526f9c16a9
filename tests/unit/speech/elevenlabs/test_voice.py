"""The real SDK against the strict double: every fault, the limits, the money and the key."""

import asyncio
import json
import threading
import time

import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.voices import (
    SPEECH_BUSY,
    SPEECH_FAILED,
    VOICE_MODEL_UNKNOWN,
    VOICE_UNKNOWN,
)
from app.domain.voice_tuning import VoiceTuning
from app.speech.elevenlabs.tags import without_tags
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.ports import SpeechRequest
from tests.doubles.elevenlabs import KEY, Double
from tests.doubles.elevenlabs.calls import Fault
from tests.doubles.elevenlabs.catalogue import LIBRARY_VOICE, VOICES_IN_ALL

VOICE = "EnglishMale000000002"


def line(text: str = "Welcome to the workshop.", **changes: object) -> SpeechRequest:
    given = {
        "voice": VOICE,
        "model": "",
        "text": text,
        "language": "en",
        "speed": 1.0,
        "previous_text": "",
        "next_text": "",
        "key": None,
    }
    return SpeechRequest(**(given | changes))  # type: ignore[arg-type]


async def test_a_line_is_spoken_and_costs_what_the_service_books(voice: ElevenLabsVoice, double: Double) -> None:
    spoken = await voice.speak(line())
    assert spoken.sample_rate_hz == 24_000
    assert len(spoken.pcm) / 2 / 24_000 == pytest.approx(24 / 15, abs=0.01)
    assert spoken.cost_credits == 24 == double.calls[0].charged
    assert double.calls[0].delivered


async def test_speed_goes_to_models_that_honour_it_and_only_to_those(voice: ElevenLabsVoice, double: Double) -> None:
    fast = await voice.speak(line(speed=1.2))
    ignored = await voice.speak(line(speed=1.2, model="eleven_v3"))
    assert (fast.speed, ignored.speed) == (1.2, 1.0)
    assert double.calls[0].body["voice_settings"] == {"speed": 1.2}
    assert "voice_settings" not in double.calls[1].body


async def test_neighbours_go_to_models_that_stitch_and_do_not_change_the_fingerprint(
    voice: ElevenLabsVoice, double: Double
) -> None:
    request = line(previous_text="Hello.", next_text="Goodbye.")
    await voice.speak(request)
    await voice.speak(line(previous_text="Hello.", model="eleven_v3"))
    assert (double.calls[0].body["previous_text"], double.calls[0].body["next_text"]) == ("Hello.", "Goodbye.")
    assert "previous_text" not in double.calls[1].body
    assert voice.fingerprint(request) == voice.fingerprint(line())
    assert voice.fingerprint(line(text="Other.")) != voice.fingerprint(line()) != voice.fingerprint(line(speed=1.1))
    assert KEY not in voice.fingerprint(line(key=KEY))


async def test_language_goes_to_models_that_take_it(voice: ElevenLabsVoice, double: Double) -> None:
    await voice.speak(line(model="eleven_flash_v2_5"))
    await voice.speak(line())
    await voice.speak(line(model="eleven_flash_v2_5", language="xx"))
    assert [call.body.get("language_code") for call in double.calls] == ["en", None, None]


async def test_voices_are_listed_to_the_last_page_once(voice: ElevenLabsVoice, double: Double) -> None:
    double.faults.append(Fault("status", route="voices", status=502))
    found = await asyncio.gather(*(voice.voices() for _ in range(3)))
    assert len(found[0]) == VOICES_IN_ALL and found[0] == found[1]
    assert found[0][2].language == "es" and found[0][2].gender == "female" and found[0][2].preview_url
    double.faults.append(Fault("status", route="voices", times=99, status=400))
    assert await voice.voices() == found[0]


async def test_check_finds_problems_before_money_is_spent(voice: ElevenLabsVoice, double: Double) -> None:
    await voice.check(line())
    await voice.check(line(voice=LIBRARY_VOICE))
    for request, problem in (
        (line(voice="NoSuchVoice"), VOICE_UNKNOWN),
        (line(model="eleven_v99"), VOICE_MODEL_UNKNOWN),
        (line("a" * 5001, model="eleven_v3"), TEXT_TOO_LONG),
        (line(" ... "), TEXT_INVALID),
    ):
        with pytest.raises(DubError) as caught:
            await voice.check(request)
        assert caught.value.problem is problem
    assert double.calls == []


async def test_a_key_that_may_only_speak_is_enough(voice: ElevenLabsVoice, double: Double) -> None:
    double.scopes = ["speech"]
    await voice.check(line())
    double.faults.append(Fault("status", route="voices", times=99))
    await voice.check(line())  # the refusal is remembered
    assert await voice.limit(line()) == 2
    assert (await voice.speak(line())).cost_credits == 24
    assert (await voice.info()).availability.available


@pytest.mark.parametrize(
    ("tier", "model", "width"),
    [
        ("free", "eleven_multilingual_v2", 2),
        ("creator", "eleven_flash_v2_5", 10),
        ("pro", "eleven_multilingual_v2", 10),
        ("scale", "eleven_v3", 15),
    ],
)
async def test_the_plan_decides_how_many_lines_are_spoken_at_once(
    voice: ElevenLabsVoice, double: Double, tier: str, model: str, width: int
) -> None:
    double.tier = tier
    assert await voice.limit(line(model=model)) == width


async def test_never_more_at_once_than_the_plan_allows_even_from_two_loops(double: Double) -> None:
    double.tier = "free"
    engine = ElevenLabsVoice(lambda: KEY, base_url=double.url, pause_s=0.01)
    double.faults.append(Fault("drip", times=99, delay_s=0.0001))
    failed: list[BaseException] = []

    async def many() -> None:
        await asyncio.gather(*(engine.speak(line(f"Line {number}.")) for number in range(6)))

    def elsewhere() -> None:
        try:
            asyncio.run(many())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    await many()
    await asyncio.to_thread(thread.join)
    await engine.close()
    assert failed == []
    assert double.most_at_once == 2
    assert [call.status for call in double.calls] == [200] * 12


async def test_cancelling_frees_the_place(double: Double) -> None:
    engine = ElevenLabsVoice(lambda: KEY, base_url=double.url, most_at_once=1)
    double.faults.append(Fault("delay", delay_s=30))
    task = asyncio.create_task(engine.speak(line()))
    await double.called.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await engine.speak(line())
    await engine.close()


async def test_no_network_is_said_in_plain_words_and_at_once() -> None:
    engine = ElevenLabsVoice(lambda: KEY, base_url="http://127.0.0.1:9", pause_s=60)
    async with asyncio.timeout(10):
        info = await engine.info()
        with pytest.raises(DubError) as caught:
            await engine.voices()
    assert not info.availability.available and "cannot be reached" in info.availability.reason
    assert caught.value.problem is SPEECH_BUSY
    await engine.close()


@pytest.mark.parametrize("kind", ["html", "status"])
async def test_a_page_instead_of_a_list_is_an_error_and_no_crash(
    voice: ElevenLabsVoice, double: Double, kind: str
) -> None:
    double.faults.append(Fault(kind, route="", times=99, status=200, body={"unexpected": 1}))
    for work in (voice.voices(), voice.limit(line())):
        with pytest.raises(DubError) as caught:
            await work
        assert caught.value.problem is SPEECH_FAILED


async def test_the_limit_that_the_service_tells_replaces_the_plans(voice: ElevenLabsVoice, double: Double) -> None:
    double.extra_headers = {"maximum-concurrent-requests": "7"}
    assert await voice.limit(line()) == 5
    await voice.speak(line())
    assert await voice.limit(line()) == 7


@pytest.mark.parametrize(("told", "booked"), [("", 12.0), ("a lot", 12.0), ("3.5", 3.5)])
async def test_what_the_service_does_not_book_is_reckoned_from_its_price_list(
    voice: ElevenLabsVoice, double: Double, told: str, booked: float
) -> None:
    double.extra_headers = {"character-cost": told}
    assert (await voice.speak(line(model="eleven_flash_v2_5"))).cost_credits == booked


async def test_a_missing_package_is_told(voice: ElevenLabsVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    info = await voice.info()
    assert not info.availability.available and "not installed" in info.availability.reason


async def test_settings_and_seed_are_sent_where_they_were_asked_for(voice: ElevenLabsVoice, double: Double) -> None:
    tuning = VoiceTuning(stability=0.3, similarity=0.8, style=0.1, boost=False, seed=7)
    await voice.speak(line(tuning=tuning, speed=1.1))
    await voice.speak(line(tuning=VoiceTuning(stability=0.0), model="eleven_v3"))
    settings = {"stability": 0.3, "similarity_boost": 0.8, "style": 0.1, "use_speaker_boost": False, "speed": 1.1}
    assert (double.calls[0].body["voice_settings"], double.calls[0].body["seed"]) == (settings, 7)
    assert double.calls[1].body["voice_settings"] == {"stability": 0.0} and "seed" not in double.calls[1].body
    prints = {voice.fingerprint(line(tuning=one)) for one in (VoiceTuning(), tuning, VoiceTuning(seed=7))}
    assert len(prints) == 3
    assert voice.fingerprint(line()) == json.dumps(
        ["elevenlabs", "eleven_multilingual_v2", VOICE, "pcm_24000", 1.0, "", "Welcome to the workshop."]
    ), "what is not tuned keeps its name: nothing that was bought is bought again"


async def test_tags_go_to_models_that_act_on_them_and_are_not_read_out_by_others(
    voice: ElevenLabsVoice, double: Double
) -> None:
    said = "[whispers] Come in. [laughs] It is room [12]."
    await voice.speak(line(said, model="eleven_v4"))
    await voice.speak(line("[whispers] Come in.", previous_text="[laughs] Hello."))
    assert double.calls[0].text == said
    assert (double.calls[1].text, double.calls[1].body["previous_text"]) == ("Come in.", "Hello.")
    assert without_tags(said) == "Come in. It is room [12]." and without_tags("[laughs]") == "[laughs]"


async def test_a_line_is_joined_to_the_requests_that_spoke_its_neighbours(
    voice: ElevenLabsVoice, double: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    await voice.speak(line("One."))
    await voice.speak(line("Three."))
    await voice.speak(line("Two.", previous_text="One.", next_text="Three."))
    body = double.calls[2].body
    assert (body["previous_request_ids"], body["next_request_ids"]) == (["request1"], ["request2"])
    assert not body.keys() & {"previous_text", "next_text"}
    await voice.speak(line("Two.", previous_text="One.", voice="EnglishFemale0000001"))
    assert double.calls[3].body["previous_text"] == "One.", "another voice said it"
    later = time.time() + 2 * 3600
    monkeypatch.setattr("app.speech.elevenlabs.stitching.time.time", lambda: later)
    await voice.speak(line("Two.", previous_text="One."))
    assert double.calls[4].body["previous_text"] == "One.", "the service has forgotten the request"


async def test_the_account_tells_what_is_left_and_labels_of_its_voices(voice: ElevenLabsVoice, double: Double) -> None:
    double.used = 1234
    quota = (await voice.info()).quota
    assert quota is not None and (quota.used, quota.limit) == (1234, 100_000)
    found = (await voice.voices())[0]
    assert (found.accent, found.category) == ("plain", "premade")
