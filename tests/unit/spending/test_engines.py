"""What every paid engine reserves and books, against strict doubles of the services."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from app.domain.dub_options import Task
from app.domain.errors import DubError
from app.domain.problems.spending import CEILING_REACHED
from app.domain.secret_names import NO_KEYS
from app.domain.spending import Ceiling, Charge
from app.jobs.costs import with_quotas
from app.jobs.estimate_schemas import CostItem, Costs
from app.speech.elevenlabs.scribe import Scribe
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.openai.recognizer import OpenAITranscription
from app.speech.openai.voice import OpenAIVoice
from app.speech.ports import RecognitionRequest, SpeechRequest
from app.speech.registry import Registry
from app.spending.paying import MemoryLedger, paid_by
from app.spending.prices import INPUT, OUTPUT, Price, Prices
from app.translation.chat import OpenAIChat
from app.translation.deepl import DeepL
from app.translation.libretranslate import LibreTranslate
from app.translation.ports import LineToTranslate, TranslationRequest, Translator
from tests.doubles import elevenlabs, openai_audio, translators
from tests.doubles.elevenlabs.calls import Fault

if TYPE_CHECKING:
    from app.dubbing.context import Context

NO_CEILING = Ceiling()
TEXT = "Welcome to the workshop."
PRICES = Prices(
    [
        Price(engine="chat", unit=INPUT, usd=1, per=1e3),
        Price(engine="chat", unit=OUTPUT, usd=2, per=1e3),
        Price(engine="deepl", unit="character", usd=20, per=1e6),
        Price(engine="openai", unit="character", usd=15, per=1e6),
        Price(engine="openai-transcription", unit="minute", usd=0.006),
        Price(engine="scribe", unit="minute", usd=0.22, per=60),
        Price(engine="elevenlabs", unit="credit", usd=0.08, per=1000),
    ]
)


class Told(MemoryLedger):
    """A ledger that tells what was booked."""

    def __init__(self, ceiling: Ceiling = NO_CEILING) -> None:
        super().__init__(ceiling)
        self.booked: list[Charge] = []

    def book(self, reservation: str, charge: Charge) -> None:
        self.booked.append(charge)
        super().book(reservation, charge)


def line(voice: str) -> SpeechRequest:
    return SpeechRequest(voice, "", TEXT, "en", 1.0, "", "", None)


@pytest.fixture
async def eleven() -> AsyncIterator[elevenlabs.Double]:
    async with elevenlabs.Double(tones=True) as double:
        yield double


@pytest.fixture
async def chat() -> AsyncIterator[translators.Double]:
    async with translators.Double() as double:
        yield double


async def test_elevenlabs_books_the_credits_that_it_tells_and_each_bought_answer(eleven: elevenlabs.Double) -> None:
    voice = ElevenLabsVoice(lambda: elevenlabs.KEY, base_url=eleven.url, pause_s=0.01, prices=PRICES)
    request = line("EnglishMale000000002")
    kept = Told()
    with paid_by(kept):
        eleven.faults = [Fault("status", status=503)]
        await voice.speak(request)  # refused, then spoken
        eleven.faults = [Fault("silence")]
        await voice.speak(request)  # paid for silence, then spoken
    await voice.close()
    assert [charge.credits for charge in kept.booked] == [len(TEXT)] * 2
    spent = kept.spent()
    assert (spent.credits, spent.open_credits) == (2 * len(TEXT), len(TEXT)) and eleven.used == 3 * len(TEXT)
    assert spent.usd == pytest.approx(2 * len(TEXT) * 0.08 / 1000)


async def test_a_line_that_would_pass_the_ceiling_is_not_sent(eleven: elevenlabs.Double) -> None:
    voice = ElevenLabsVoice(lambda: elevenlabs.KEY, base_url=eleven.url, pause_s=0.01, prices=PRICES)
    with paid_by(Told(Ceiling(credits=len(TEXT) - 1))), pytest.raises(DubError) as refused:
        await voice.speak(line("EnglishMale000000002"))
    await voice.close()
    assert refused.value.problem is CEILING_REACHED and eleven.calls == []


async def test_openai_speech_is_booked_by_the_character() -> None:
    kept = Told(Ceiling(usd=len(TEXT) * 15e-6 * 1.5))
    async with openai_audio.Double("openai") as double:
        voice = OpenAIVoice(double.url, key=lambda: openai_audio.KEY, pause_s=0.01, prices=PRICES)
        with paid_by(kept):
            await voice.speak(line("alloy"))
            with pytest.raises(DubError) as refused:
                await voice.speak(line("alloy"))
        await voice.close()
    assert refused.value.problem is CEILING_REACHED
    assert kept.booked == [Charge("openai", "tts-1", "character", len(TEXT), pytest.approx(len(TEXT) * 15e-6))]


def recording(path: Path, seconds: int = 6) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(range(1, 251)) * (seconds * 16_000 * 2 // 250))
    return path


@pytest.mark.parametrize("name", ["scribe", "openai-transcription"])
async def test_recognition_is_booked_by_the_minute_and_stops_before_the_ceiling(name: str, tmp_path: Path) -> None:
    request = RecognitionRequest(recording(tmp_path / "a.wav"), "", "en", Task.TRANSCRIBE, 6.0, 0.0)
    a_minute = 0.22 / 60 if name == "scribe" else 0.006
    async with elevenlabs.Double() as eleven, openai_audio.Double("openai") as openai:
        engine = (
            Scribe(lambda: elevenlabs.KEY, base_url=eleven.url, pause_s=0.01, prices=PRICES)
            if name == "scribe"
            else OpenAITranscription(openai.url, key=lambda: openai_audio.KEY, pause_s=0.01, prices=PRICES)
        )
        with paid_by(MemoryLedger(Ceiling(usd=a_minute / 11))), pytest.raises(DubError) as refused:
            await engine.transcribe(request, lambda _: None)
        assert refused.value.problem is CEILING_REACHED
        assert not eleven.heard and not openai.calls
        charge = engine.charge("", 6.0)
        assert charge is not None and (charge.unit, charge.amount) == ("minute", pytest.approx(0.1))
        assert charge.usd == pytest.approx(a_minute / 10)
        await engine.close()


def to_translate(*texts: str) -> TranslationRequest:
    lines = tuple(LineToTranslate(number, text, 40) for number, text in enumerate(texts, 1))
    return TranslationRequest(lines, (), (), "en", "es")


async def test_a_chat_reserves_a_guess_and_books_the_tokens_that_it_tells(chat: translators.Double) -> None:
    one = OpenAIChat(f"{chat.url}/v1", translators.MODEL, key=lambda: translators.KEY, prices=PRICES)
    chat.usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    request, kept = to_translate(TEXT), Told()
    with paid_by(kept):
        await one.translate(request)
    assert kept.booked == [Charge("chat", translators.MODEL, "token", 110, pytest.approx(0.12))]
    guess = one.charge(request)
    assert guess is not None and guess.usd is not None and guess.usd > 0.12
    with paid_by(MemoryLedger(Ceiling(usd=guess.usd * 0.9))), pytest.raises(DubError) as refused:
        await one.translate(request)
    assert refused.value.problem is CEILING_REACHED and len(chat.calls) == 1


async def test_deepl_is_booked_by_the_characters_of_the_lines(chat: translators.Double) -> None:
    one = DeepL(chat.url, key=lambda: translators.DEEPL_KEY, pause_s=0.01, prices=PRICES)
    kept = Told()
    chat.faults = [{"status": 429, "headers": {"retry-after": "0"}}]  # costs nothing
    with paid_by(kept):
        await one.translate(to_translate(TEXT, TEXT))
    assert [charge.amount for charge in kept.booked] == [2 * len(TEXT)]
    assert kept.spent().usd == pytest.approx(2 * len(TEXT) * 20e-6)


async def test_deepl_tells_what_is_left_and_is_not_asked_again_and_again(chat: translators.Double) -> None:
    one = DeepL(chat.url, key=lambda: translators.DEEPL_KEY, pause_s=0.01)
    item = CostItem(Costs.TRANSLATION, "deepl", "", "character", 12.0, 0.0)
    house = cast("Context", SimpleNamespace(engines=Registry((), (), (one,))))
    for _ in range(3):
        assert [each.quota_left for each in await with_quotas(house, [item], NO_KEYS)] == [319_882.0]
    assert chat.usages == 1
    assert await one.quota_left("another:fx") is None
    assert await DeepL("http://127.0.0.1:9", key=lambda: "x:fx").quota_left() is None


def test_a_server_of_ones_own_costs_nothing_and_one_on_the_internet_has_no_price_until_it_is_told() -> None:
    request = to_translate(TEXT)
    own: list[Translator] = [OpenAIChat("http://127.0.0.1:9/v1", "m"), LibreTranslate("http://nas.local:5000")]
    assert [one.charge(request) for one in own] == [None, None]
    far: list[Translator] = [OpenAIChat("https://a.example.org/v1", "m"), LibreTranslate("https://a.example.org")]
    for one in far:
        charge = one.charge(request)
        assert charge is not None and charge.usd is None and charge.amount > 0
