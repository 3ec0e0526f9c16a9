"""Recognition by services, OpenAI's audio API and ElevenLabs' Scribe, against strict doubles that hear tones."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.domain.dub_options import Task
from app.domain.errors import DubError
from app.domain.problems.lines import NO_SPEECH
from app.domain.problems.recognition import (
    CANNOT_TRANSLATE,
    MODEL_UNKNOWN,
    RECOGNITION_BUSY,
    RECOGNITION_KEY_INVALID,
    RECOGNITION_KEY_MISSING,
    RECOGNITION_QUOTA,
    RECOGNITION_UNUSABLE,
)
from app.speech.elevenlabs.scribe import Scribe
from app.speech.openai.recognizer import OpenAITranscription
from app.speech.openai.transcription import read
from app.speech.ports import Answer, Recognised, RecognitionProgress, RecognitionRequest
from app.speech.recording_pieces import cut, wav_of
from tests.doubles import elevenlabs, openai_audio
from tests.doubles.elevenlabs.calls import Fault
from tests.doubles.heard_tones import heard, word_of, written

# start, end, Hz: words of 0.3 s; every second dozen is a higher voice
WORDS = tuple(
    (0.4 + n * 0.5, 0.7 + n * 0.5, (300.0 if n // 12 % 2 == 0 else 1400.0) + 20 * (n % 12)) for n in range(48)
)
LENGTH_S = 25.0
SAID = [word_of(frequency) for _, _, frequency in WORDS]
MODELS = {"openai": "whisper-1", "speaches": "Systran/faster-whisper-small", "localai": "whisper-1"}


class Store:
    """Answers in memory, by their names."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.landed = threading.Event()

    def __call__(self, name: str) -> Answer:
        store = self

        class Place:
            def load(self) -> bytes | None:
                return store.kept.get(name)

            def keep(self, data: bytes) -> None:
                store.kept[name] = data
                store.landed.set()

        return Place()


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("speech") / "speech.wav", WORDS, LENGTH_S)


def request(speech: Path, **changes: object) -> RecognitionRequest:
    given = {"model": "", "language": None, "task": Task.TRANSCRIBE, "duration_s": LENGTH_S, "resume_at_s": 0.0}
    return RecognitionRequest(speech, **(given | changes))  # type: ignore[arg-type]


class Heard:
    """What a recogniser has handed over."""

    def __init__(self) -> None:
        self.chunks: list[Recognised] = []
        self.progress: list[RecognitionProgress] = []

    def __call__(self, event: RecognitionProgress | Recognised) -> None:
        (self.chunks if isinstance(event, Recognised) else self.progress).append(event)  # type: ignore[arg-type]

    @property
    def words(self) -> list[str]:
        return [word.text.strip() for chunk in self.chunks for line in chunk.segments for word in line.words]

    @property
    def starts(self) -> list[float]:
        return [word.start_s for chunk in self.chunks for line in chunk.segments for word in line.words]


@pytest.fixture
async def openai() -> AsyncIterator[openai_audio.Double]:
    async with openai_audio.Double("openai") as double:
        yield double
        assert double.violations == []


@pytest.fixture
async def eleven() -> AsyncIterator[elevenlabs.Double]:
    async with elevenlabs.Double() as double:
        yield double
        assert double.violations == []


def transcription(double: openai_audio.Double, **changes: object) -> OpenAITranscription:
    given = {"model": MODELS[double.kind], "key": lambda: openai_audio.KEY, "pause_s": 0.01, "longest_s": 6.0}
    return OpenAITranscription(double.url, **(given | changes))  # type: ignore[arg-type]


def scribe(double: elevenlabs.Double, **changes: object) -> Scribe:
    return Scribe(**({"key": lambda: elevenlabs.KEY, "base_url": double.url, "pause_s": 0.01} | changes))  # type: ignore[arg-type]


def test_pieces_meet_and_are_cut_in_silence(speech: Path, tmp_path: Path) -> None:
    pieces = cut(speech, 6.0)
    assert pieces[0].start_s == 0 and pieces[-1].end_s == LENGTH_S
    assert all(one.end_s == two.start_s for one, two in pairwise(pieces))
    assert all(one.end_s - one.start_s <= 6.0 for one in pieces)
    assert not any(start < one.end_s < end for one in pieces[:-1] for start, end, _ in WORDS)
    alone = [word["word"] for piece in pieces for word in heard(wav_of(speech, piece))[0]]
    assert alone == SAID
    noisy = written(tmp_path / "noise.wav", (), 20.0, noise=0.2)
    assert sum(one.end_s - one.start_s for one in cut(noisy, 6.0)) == pytest.approx(20.0)


@pytest.mark.parametrize("kind", ["openai", "speaches", "localai"])
async def test_every_word_comes_once_with_its_time(kind: str, speech: Path) -> None:
    async with openai_audio.Double(kind) as double:
        recognizer, found = transcription(double), Heard()
        assert await recognizer.transcribe(request(speech), found) == "en"
        assert found.words == SAID
        assert found.starts == pytest.approx([start for start, _, _ in WORDS], abs=0.03)
        assert len(double.calls) == len(cut(speech, 6.0)) and double.violations == []
        assert [chunk.done_s for chunk in found.chunks] == [piece.end_s for piece in cut(speech, 6.0)]
        info = await recognizer.info()
        assert info.availability.available and not info.translates
        assert info.models[0].id == MODELS[kind] and "tts-1" not in {model.id for model in info.models}
        await recognizer.close()


async def test_what_was_answered_is_not_asked_for_again(openai: openai_audio.Double, speech: Path) -> None:
    store, first, second = Store(), Heard(), Heard()
    openai.faults = [{"delay_s": 0}, *({"delay_s": 600} for _ in range(20))]  # one piece is answered, the others wait
    recognizer = transcription(openai)
    working = asyncio.create_task(recognizer.transcribe(request(speech, answers=store), first))
    await asyncio.to_thread(store.landed.wait, 10)
    working.cancel()  # as a kill would: the answer of one piece is there, the rest is not
    with pytest.raises(asyncio.CancelledError):
        await working
    openai.faults = []
    answered = len(store.kept)
    assert answered >= 1
    asked = len(openai.calls)
    assert await transcription(openai).transcribe(request(speech, answers=store), second) == "en"
    assert second.words == SAID
    pieces = len(cut(speech, 6.0))
    assert len(store.kept) == pieces and len(openai.calls) <= asked + pieces - answered
    before, third = len(openai.calls), Heard()
    await transcription(openai).transcribe(request(speech, answers=store), third)
    assert third.words == SAID and len(openai.calls) == before
    await transcription(openai).transcribe(request(speech, answers=store, language="de"), Heard())
    assert len(openai.calls) == before + pieces, "another language is another answer"


async def test_a_resumed_run_hands_over_only_the_rest(openai: openai_audio.Double, speech: Path) -> None:
    found = Heard()
    await transcription(openai).transcribe(request(speech, resume_at_s=9.2), found)
    assert found.words == [word for word, (start, end, _) in zip(SAID, WORDS, strict=True) if (start + end) / 2 > 9.2]


async def test_the_person_sees_every_second_that_the_service_works(openai: openai_audio.Double, speech: Path) -> None:
    openai.faults = [{"delay_s": 1.3}]
    found = Heard()
    await transcription(openai, longest_s=60.0).transcribe(request(speech), found)
    assert len(found.progress) >= 2 and found.progress[-1].message.startswith("part 1 of 1")


@pytest.mark.parametrize(
    ("fault", "problem", "tries"),
    [
        ({"status": 503}, RECOGNITION_BUSY, 5),
        ({"status": 429, "body": {"error": {"message": "pay", "code": "insufficient_quota"}}}, RECOGNITION_QUOTA, 1),
        ({"status": 401, "body": {"error": {"message": f"wrong {openai_audio.KEY}"}}}, RECOGNITION_KEY_INVALID, 1),
        ({"status": 404, "body": {"error": {"message": "no", "code": "model_not_found"}}}, MODEL_UNKNOWN, 1),
        ({"kind": "html"}, RECOGNITION_UNUSABLE, 2),
        ({"kind": "bad-times"}, RECOGNITION_UNUSABLE, 2),
        ({"location": "http://127.0.0.1:9/x"}, None, 1),
    ],
)
async def test_refusals_are_told_without_the_key(
    openai: openai_audio.Double,
    speech: Path,
    fault: dict[str, object],
    problem: object,
    tries: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    openai.faults = [dict(fault) for _ in range(9)]
    with pytest.raises(DubError) as caught:
        await transcription(openai).transcribe(request(speech), Heard())
    assert problem is None or caught.value.problem is problem
    assert len(openai.calls) == tries and openai_audio.KEY not in caught.value.message + caplog.text


async def test_what_a_service_cannot_do_is_said(openai: openai_audio.Double, speech: Path, tmp_path: Path) -> None:
    silent = written(tmp_path / "silent.wav", (), 3.0)
    for asked, problem in (
        (request(speech, task=Task.TRANSLATE), CANNOT_TRANSLATE),
        (request(silent), NO_SPEECH),
        (request(speech, model="whisper-9"), MODEL_UNKNOWN),
    ):
        with pytest.raises(DubError) as caught:
            await transcription(openai).transcribe(asked, Heard())
        assert caught.value.problem is problem
    with pytest.raises(DubError) as caught:
        await OpenAITranscription("https://api.openai.com/v1").transcribe(request(speech), Heard())
    assert caught.value.problem is RECOGNITION_KEY_MISSING


async def test_names_and_terms_are_told_and_a_local_model_s_name_means_the_default(
    openai: openai_audio.Double, speech: Path
) -> None:
    asked = request(speech, model="base", language="en-GB", prompt="A talk.", hotwords=("Kokoro", "Piper"))
    await transcription(openai, longest_s=60.0).transcribe(asked, Heard())
    fields = dict(openai.calls[0]["fields"])
    assert (fields["model"], fields["language"], fields["prompt"]) == ("whisper-1", "en", "A talk. Kokoro, Piper")


def test_times_in_nanoseconds_are_understood() -> None:
    answer = b'{"text": "One two.", "segments": [{"start": 500000000, "end": 2000000000, "text": " One two."}]}'
    (line,) = read(answer, 3.0).lines
    assert (line.start_s, line.end_s, line.text, line.words) == (0.5, 2.0, "One two.", ())


async def test_scribe_tells_words_and_speakers(eleven: elevenlabs.Double, speech: Path) -> None:
    found = Heard()
    assert await scribe(eleven).transcribe(request(speech), found) == "en"
    assert found.words == SAID and found.chunks[0].certainty == 0.98
    assert found.starts == pytest.approx([start for start, _, _ in WORDS], abs=0.03)
    speakers = [line.speaker for chunk in found.chunks for line in chunk.segments]
    assert speakers == ["Speaker 1", "Speaker 2", "Speaker 1", "Speaker 2"]
    assert eleven.heard[0]["fields"]["diarize"] == "true" and "num_speakers" not in eleven.heard[0]["fields"]
    await scribe(eleven).transcribe(request(speech, speakers=2, language="es", model="scribe_v2"), Heard())
    fields = eleven.heard[1]["fields"]
    assert (fields["num_speakers"], fields["language_code"], fields["model_id"]) == ("2", "es", "scribe_v2")
    nobody = Heard()
    await scribe(eleven).transcribe(request(speech, speakers="off"), nobody)
    assert nobody.words == SAID and not any(line.speaker for chunk in nobody.chunks for line in chunk.segments)


async def test_scribe_is_asked_once_for_a_recording(eleven: elevenlabs.Double, speech: Path) -> None:
    store = Store()
    eleven.faults = [Fault("json", route="scribe"), Fault("status", route="scribe", status=503)]
    for _ in range(2):
        found = Heard()
        await scribe(eleven).transcribe(request(speech, answers=store), found)
        assert found.words == SAID
    assert len(eleven.heard) == 2, "the answer that was no transcript, and the one that was"


async def test_scribe_without_a_key_or_with_a_wrong_one(eleven: elevenlabs.Double, speech: Path) -> None:
    wrong = "sk_wrong_0123456789"
    for key, problem in (("", RECOGNITION_KEY_MISSING), (wrong, RECOGNITION_KEY_INVALID)):
        with pytest.raises(DubError) as caught:
            await scribe(eleven, key=lambda key=key: key).transcribe(request(speech), Heard())
        assert caught.value.problem is problem and wrong not in caught.value.message
    eleven.scopes = ["speech"]
    with pytest.raises(DubError) as caught:
        await scribe(eleven).transcribe(request(speech), Heard())
    assert caught.value.problem is RECOGNITION_KEY_INVALID
