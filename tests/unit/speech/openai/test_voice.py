"""Speech by servers with OpenAI's audio API, against a strict double of each of the four."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import TEXT_INVALID
from app.domain.problems.voices import (
    KEY_INVALID,
    KEY_MISSING,
    QUOTA_EXCEEDED,
    SPEECH_BUSY,
    SPEECH_FAILED,
    SPEECH_REFUSED,
    VOICE_MODEL_UNKNOWN,
    VOICE_UNKNOWN,
)
from app.speech.openai.service import is_local
from app.speech.openai.voice import OpenAIVoice
from app.speech.ports import SpeechRequest
from app.speech.sentence_split import parts
from tests.doubles.openai_audio import KEY, Double

KINDS = ("openai", "kokoro", "speaches", "localai")
MODEL = {"openai": "tts-1", "kokoro": "tts-1", "speaches": "tts-1", "localai": "piper-en"}
VOICE = {"openai": "alloy", "kokoro": "af_bella", "speaches": "af_bella", "localai": "en"}


class Kept:
    """An answer's store in memory."""

    def __init__(self, data: bytes | None = None) -> None:
        self.data, self.times = data, 0

    def load(self) -> bytes | None:
        return self.data

    def keep(self, data: bytes) -> None:
        self.data, self.times = data, self.times + 1


def line(kind: str, text: str = "Welcome to the workshop.", **changes: object) -> SpeechRequest:
    given = {"voice": VOICE[kind], "model": "", "text": text, "language": "en", "speed": 1.0}
    return SpeechRequest(**(given | {"previous_text": "", "next_text": "", "key": None} | changes))  # type: ignore[arg-type]


def engine_of(double: Double, **changes: object) -> OpenAIVoice:
    given = {"model": MODEL[double.kind], "key": lambda: KEY, "pause_s": 0.01, "deadline_s": 5.0}
    return OpenAIVoice(double.url, **(given | changes))  # type: ignore[arg-type]


@pytest.fixture(params=KINDS)
async def double(request: pytest.FixtureRequest) -> AsyncIterator[Double]:
    async with Double(request.param) as running:
        yield running
        assert running.violations == []


@pytest.fixture
async def kokoro() -> AsyncIterator[Double]:
    async with Double("kokoro") as running:
        yield running
        assert running.violations == []


async def test_a_line_is_spoken_with_the_fields_that_each_server_knows(double: Double) -> None:
    voice = engine_of(double)
    await voice.check(line(double.kind))
    spoken = await voice.speak(line(double.kind, speed=1.2))
    honoured = double.kind != "localai"
    assert spoken.sample_rate_hz == 24_000 and spoken.speed == (1.2 if honoured else 1.0)
    assert len(spoken.pcm) / 2 / 24_000 == pytest.approx(24 / 15 / spoken.speed, abs=0.02)
    (call,) = double.calls
    assert call["response_format"] == "wav" and call.get("speed") == (1.2 if honoured else None)
    assert call.get("stream") is (False if double.kind == "kokoro" else None)
    assert call.get("language") == ("en" if double.kind == "localai" else None)
    await voice.close()


async def test_voices_are_those_that_the_server_lists_else_known_or_typed_in(double: Double) -> None:
    voice = engine_of(double)
    found = {one.id: one for one in await voice.voices()}
    if double.kind in ("kokoro", "speaches"):
        assert (found["af_bella"].language, found["af_bella"].gender) == ("en", "female")
        with pytest.raises(DubError) as caught:
            await voice.check(line(double.kind, voice="nobody"))
        assert caught.value.problem is VOICE_UNKNOWN
    assert len(found) == {"openai": 0, "kokoro": 4, "speaches": 2, "localai": 0}[double.kind]
    info = await voice.info()
    assert info.availability.available and info.names_voices and info.models[0].id == MODEL[double.kind]
    assert "Systran/faster-whisper-small" not in {model.id for model in info.models}
    await voice.close()


async def test_voices_of_kokoro_may_be_mixed(kokoro: Double) -> None:
    voice = engine_of(kokoro)
    await voice.check(line("kokoro", voice="af_bella(2)+af_sky(1)"))
    for wrong in ("af_bella+nobody", "../af_bella?x", "af_bella\n"):
        with pytest.raises(DubError) as caught:
            await voice.check(line("kokoro", voice=wrong))
        assert caught.value.problem is VOICE_UNKNOWN
    with pytest.raises(DubError) as caught:
        await voice.check(line("kokoro", model="no-such-model"))
    assert caught.value.problem is VOICE_MODEL_UNKNOWN
    with pytest.raises(DubError) as caught:
        await voice.check(line("kokoro", "..."))
    assert caught.value.problem is TEXT_INVALID
    assert kokoro.calls == []
    await voice.close()


async def test_long_text_goes_in_parts_that_end_with_sentences_and_no_part_is_bought_twice(kokoro: Double) -> None:
    text = " ".join(f"Sentence number {n} is about nothing at all." for n in range(100))  # 4,589 characters
    voice, kept = engine_of(kokoro), Kept()
    spoken = await voice.speak(line("kokoro", text), kept)
    assert kokoro.texts() == list(parts(text, 4096)) and len(kokoro.texts()) == 2
    assert all(part.endswith(".") for part in kokoro.texts()) and kept.times == 2
    alone = [await voice.speak(line("kokoro", part)) for part in kokoro.texts()]
    assert spoken.pcm == b"".join(one.pcm for one in alone)
    # killed after the first part
    half = Kept()
    kokoro.faults.append({"status": 400, "match": kokoro.texts()[1][-90:]})
    with pytest.raises(DubError):
        await voice.speak(line("kokoro", text), half)
    asked = len(kokoro.calls)
    again = await voice.speak(line("kokoro", text), Kept(half.data))
    assert again.pcm == spoken.pcm and len(kokoro.calls) == asked + 1
    assert (await voice.speak(line("kokoro", text), Kept(kept.data))).pcm == spoken.pcm
    assert len(kokoro.calls) == asked + 1
    await voice.close()


def test_a_text_is_parted_at_sentences_then_clauses_then_words() -> None:
    assert parts("One. Two, three four.", 12) == ("One.", "Two,", "three four.")
    assert parts("你好。世界很大。", 5) == ("你好。", "世界很大。")
    assert parts("a" * 25, 10) == ("a" * 10, "a" * 10, "a" * 5)
    assert parts("He said “no.” Then he left.", 14) == ("He said “no.”", "Then he left.")
    assert parts(" short ", 10) == ("short",) and parts("", 10) == ()


@pytest.mark.parametrize("kind", ["html", "json", "empty", "silence", "short", "mp3", "truncated", "odd", "cut"])
@pytest.mark.parametrize("server", ["openai", "kokoro"])
async def test_what_is_no_sound_is_asked_for_once_more_and_then_refused(server: str, kind: str) -> None:
    async with Double(server) as double:
        voice = engine_of(double)
        double.faults = [{"kind": kind}]
        spoken = await voice.speak(line(server))
        assert any(spoken.pcm) and len(double.calls) == 2
        double.faults = [{"kind": kind}] * 9
        with pytest.raises(DubError) as caught:
            await voice.speak(line(server))
        assert caught.value.problem is SPEECH_FAILED
        await voice.close()


@pytest.mark.parametrize(
    ("fault", "problem", "tries"),
    [
        ({"status": 503}, SPEECH_BUSY, 5),
        ({"status": 429, "body": {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}}, SPEECH_BUSY, 5),
        ({"status": 429, "body": {"error": {"message": "pay", "code": "insufficient_quota"}}}, QUOTA_EXCEEDED, 1),
        ({"status": 401, "body": {"error": {"message": f"wrong {KEY}"}}}, KEY_INVALID, 1),
        ({"status": 400, "body": {"detail": {"error": "validation_error", "message": "bad"}}}, SPEECH_REFUSED, 1),
        ({"status": 422, "body": {"detail": [{"loc": ["body"], "msg": "bad"}]}}, SPEECH_REFUSED, 1),
        ({"location": "http://127.0.0.1:9/elsewhere"}, SPEECH_REFUSED, 1),
        ({"status": 404, "body": {"detail": "Model 'x' is not installed locally."}}, VOICE_MODEL_UNKNOWN, 1),
    ],
)
async def test_refusals_are_told_and_only_what_may_pass_is_tried_again(
    kokoro: Double, fault: dict[str, object], problem: object, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    voice = engine_of(kokoro)
    kokoro.faults = [dict(fault) for _ in range(9)]
    with pytest.raises(DubError) as caught:
        await voice.speak(line("kokoro"))
    assert caught.value.problem is problem and len(kokoro.calls) == tries
    assert KEY not in caught.value.message + repr(caught.value) + caplog.text
    await voice.close()


async def test_retry_after_is_kept(kokoro: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def told(seconds: float, *_: object) -> None:
        waited.append(seconds)

    voice = engine_of(kokoro)
    await voice.check(line("kokoro"))
    monkeypatch.setattr("app.speech.openai.service.asyncio.sleep", told)
    kokoro.faults = [{"status": 429, "headers": {"retry-after": "7"}}]
    await voice.speak(line("kokoro"))
    assert waited == [7.0]
    await voice.close()


async def test_no_more_lines_at_once_than_the_limit(kokoro: Double) -> None:
    voice = engine_of(kokoro, most_at_once=2)
    assert await voice.limit(line("kokoro")) == 2
    kokoro.faults = [{"delay_s": 0.05} for _ in range(6)]
    await asyncio.gather(*(voice.speak(line("kokoro", f"Line number {n}.")) for n in range(6)))
    assert kokoro.most_at_once == 2
    await voice.close()


async def test_a_server_of_ones_own_costs_nothing_and_one_on_the_internet_does() -> None:
    own, far = OpenAIVoice("http://kokoro:8880/v1"), OpenAIVoice("https://api.openai.com/v1", usd_per_million=15)
    assert own.cost_unit is None and far.cost_unit is not None and far.cost_unit.usd == pytest.approx(15e-6)
    assert all(map(is_local, ("http://10.0.0.5:80/v1", "http://[::1]:1/v1", "http://nas.local/v1", "http://x/v1", "")))
    assert not any(map(is_local, ("https://api.openai.com/v1", "http://8.8.8.8/v1")))
    with pytest.raises(DubError) as caught:
        await far.check(line("openai"))
    assert caught.value.problem is KEY_MISSING


async def test_without_an_address_and_without_an_answer_the_reason_is_told() -> None:
    assert "AUTODUBBER_SPEECH_URL" in (await OpenAIVoice("").info()).availability.remedy
    voice = OpenAIVoice("http://127.0.0.1:9/v1", pause_s=0.01)
    info = await voice.info()
    assert not info.availability.available and "cannot be reached" in info.availability.reason
    await voice.close()


def test_the_fingerprint_has_all_that_decides_the_sound_and_no_key() -> None:
    voice = OpenAIVoice("http://one/v1")
    request = line("kokoro", key=KEY)
    prints = [
        voice.fingerprint(request),
        voice.fingerprint(line("kokoro", speed=1.1)),
        voice.fingerprint(line("kokoro", model="kokoro")),
        voice.fingerprint(line("kokoro", voice="af_sky")),
        OpenAIVoice("http://two/v1").fingerprint(request),
    ]
    assert len(set(prints)) == 5 and KEY not in "".join(prints)
    assert voice.fingerprint(line("kokoro", model="gpt-4o-mini-tts", speed=1.1)) == voice.fingerprint(
        line("kokoro", model="gpt-4o-mini-tts")
    )
