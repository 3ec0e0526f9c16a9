"""The real faster-whisper and openai-whisper on a small trained checkpoint: words, times, streaming, cancelling,
failing."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from app.domain.dub_options import Task
from app.domain.errors import DubError, Problem
from app.domain.problems.lines import NO_SPEECH
from app.domain.problems.recognition import (
    CANNOT_TRANSLATE,
    LANGUAGE_UNKNOWN,
    MODEL_DAMAGED,
    MODEL_UNKNOWN,
    OUT_OF_MEMORY,
    RECOGNITION_FAILED,
)
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.domain.segment import Segment
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest
from app.speech.whisper.models import ModelStore
from app.speech.whisper.recognizer import FasterWhisper, OpenAIWhisper, WhisperRecognizer
from tests.unit.speech.conftest import Compose, Recording, read, write

Event = Recognised | RecognitionProgress


class Listener:
    """Collects events; `first` is set with the first recognised chunk."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.first = asyncio.Event()
        self.loaded = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        (self.first if isinstance(event, Recognised) else self.loaded).set()

    @property
    def chunks(self) -> list[Recognised]:
        return [event for event in self.events if isinstance(event, Recognised)]

    @property
    def segments(self) -> list[Segment]:
        return [segment for chunk in self.chunks for segment in chunk.segments]


@pytest.fixture(params=[FasterWhisper, OpenAIWhisper], ids=lambda kind: kind.name)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> WhisperRecognizer:
    kind: type[WhisperRecognizer] = request.param
    return kind(ModelStore(tmp_path / "models", paths=True), threads=1, device="cpu")


def request(recording: Recording, model: Path, **changes: object) -> RecognitionRequest:
    given: dict[str, object] = {
        "speech": recording.path,
        "model": str(model),
        "language": None,
        "task": Task.TRANSCRIBE,
    }
    given["duration_s"] = recording.duration_s
    return RecognitionRequest(**(given | {"resume_at_s": 0.0} | changes))  # type: ignore[arg-type]


def assert_says(segments: list[Segment], lines: tuple[tuple[float, str], ...]) -> None:
    assert [segment.text for segment in segments] == [text for _, text in lines]
    assert max(abs(segment.start_s - start_s) for segment, (start_s, _) in zip(segments, lines, strict=True)) < 0.3
    for before, after in itertools.pairwise(segments):
        assert before.start_s < before.end_s <= after.start_s
    assert len({segment.id for segment in segments}) == len(segments)


@pytest.mark.parametrize("name", ["en_short", "en_60s", "es_30s", "fr_30s"])
async def test_a_clip_gives_its_words_its_times_and_its_language(
    engine: WhisperRecognizer, whisper_checkpoint: Path, clips: dict[str, Recording], name: str
) -> None:
    heard = Listener()
    language = await engine.transcribe(request(clips[name], whisper_checkpoint), heard)
    assert language == name[:2]
    assert_says(heard.segments, clips[name].lines)
    done = [event.done_s for event in heard.events]
    assert done == sorted(done) and done[-1] == pytest.approx(clips[name].duration_s, abs=0.1)
    assert all(segment.source_text == segment.text for segment in heard.segments)


def test_long_pauses_and_a_late_start_do_not_move_the_lines(
    engine: WhisperRecognizer, whisper_checkpoint: Path, compose: Compose
) -> None:
    recording = compose(
        [
            (6.2, "Welcome to the workshop.", "en-us"),
            (9.9, "Cut the board with a sharp saw.", "en-us+f2"),
            (20.0, "Thank you very much for watching.", "en-us"),
        ],
        30.0,
    )
    heard = Listener()
    asyncio.run(engine.transcribe(request(recording, whisper_checkpoint), heard))
    assert_says(heard.segments, recording.lines)


async def test_chunks_arrive_while_the_rest_is_still_being_heard(
    engine: WhisperRecognizer, whisper_checkpoint: Path, clips: dict[str, Recording]
) -> None:
    heard = Listener()
    task = asyncio.create_task(engine.transcribe(request(clips["en_60s"], whisper_checkpoint), heard))
    await heard.first.wait()
    assert not task.done()
    assert 0 < len(heard.segments) < len(clips["en_60s"].lines)
    await task
    assert len(heard.chunks) >= 3


async def test_cancelling_ends_the_child_within_a_second(
    engine: WhisperRecognizer,
    whisper_checkpoint: Path,
    clips: dict[str, Recording],
    own_children: Callable[[], list[psutil.Process]],
) -> None:
    heard = Listener()
    task = asyncio.create_task(engine.transcribe(request(clips["en_60s"], whisper_checkpoint), heard))
    await heard.loaded.wait()
    (child,) = own_children()
    task.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not psutil.pid_exists(child.pid)


async def test_a_killed_child_is_an_error_and_the_next_run_goes_on_where_it_stopped(
    engine: WhisperRecognizer,
    whisper_checkpoint: Path,
    clips: dict[str, Recording],
    own_children: Callable[[], list[psutil.Process]],
) -> None:
    recording = clips["en_60s"]
    first = Listener()
    task = asyncio.create_task(engine.transcribe(request(recording, whisper_checkpoint), first))
    await first.first.wait()
    (child,) = own_children()
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(DubError) as caught:
        await task
    assert caught.value.problem is RECOGNITION_FAILED
    second = Listener()
    resume_at_s = first.chunks[-1].done_s
    language = await engine.transcribe(request(recording, whisper_checkpoint, resume_at_s=resume_at_s), second)
    assert language == "en"
    assert all(segment.start_s >= resume_at_s for segment in second.segments)
    assert_says(first.segments + second.segments, recording.lines)


async def test_a_kill_for_memory_is_told_as_that(
    engine: WhisperRecognizer,
    whisper_checkpoint: Path,
    clips: dict[str, Recording],
    monkeypatch: pytest.MonkeyPatch,
    own_children: Callable[[], list[psutil.Process]],
) -> None:
    counts = iter((3, 4))
    monkeypatch.setattr("app.speech.whisper.recognizer.oom_kills", lambda: next(counts))
    heard = Listener()
    task = asyncio.create_task(engine.transcribe(request(clips["en_60s"], whisper_checkpoint), heard))
    await heard.loaded.wait()
    os.kill(own_children()[0].pid, signal.SIGKILL)
    with pytest.raises(DubError) as caught:
        await task
    assert caught.value.problem is OUT_OF_MEMORY


async def test_a_given_language_and_the_translate_task_reach_whisper(
    engine: WhisperRecognizer, whisper_checkpoint: Path, clips: dict[str, Recording]
) -> None:
    heard = Listener()
    language = await engine.transcribe(
        request(clips["en_short"], whisper_checkpoint, language="es-419", task=Task.TRANSLATE), heard
    )
    assert language == "es"


async def test_a_transcript_has_the_times_of_words_and_a_translation_has_none(
    engine: WhisperRecognizer, whisper_checkpoint: Path, clips: dict[str, Recording]
) -> None:
    for task, timed in ((Task.TRANSCRIBE, True), (Task.TRANSLATE, False)):
        heard = Listener()
        await engine.transcribe(request(clips["en_short"], whisper_checkpoint, language="en", task=task), heard)
        assert heard.segments
        for line in heard.segments:
            assert "".join(word.text for word in line.words) == (line.text if timed else "")
            times = [time_s for word in line.words for time_s in (word.start_s, word.end_s)]
            assert times == sorted(times)


async def test_a_prompt_and_likely_words_are_taken_and_do_no_harm(
    engine: WhisperRecognizer, whisper_checkpoint: Path, clips: dict[str, Recording]
) -> None:
    heard = Listener()
    asked = request(
        clips["en_short"],
        whisper_checkpoint,
        language="en",
        prompt="Welcome to the workshop.",
        hotwords=("saw", "glue"),
    )
    await engine.transcribe(asked, heard)
    assert_says(heard.segments, clips["en_short"].lines)


async def test_silence_is_no_speech(engine: WhisperRecognizer, whisper_checkpoint: Path, tmp_path: Path) -> None:
    import numpy as np

    path = write(tmp_path / "silence.wav", np.random.default_rng(1).normal(0, 20, 16_000 * 12))
    with pytest.raises(DubError) as caught:
        await engine.transcribe(request(Recording(path, (), 12.0), whisper_checkpoint), Listener())
    assert caught.value.problem is NO_SPEECH


async def test_a_rest_without_speech_is_fine_when_resumed(
    engine: WhisperRecognizer, whisper_checkpoint: Path, clips: dict[str, Recording], tmp_path: Path
) -> None:
    import numpy as np

    samples = np.concatenate([read(clips["en_short"].path), np.zeros(16_000 * 8, np.int16)])
    recording = Recording(write(tmp_path / "rest.wav", samples), (), len(samples) / 16_000)
    heard = Listener()
    await engine.transcribe(request(recording, whisper_checkpoint, resume_at_s=clips["en_short"].duration_s + 1), heard)
    assert heard.segments == []


async def test_a_file_that_is_no_checkpoint_is_named_damaged(
    engine: WhisperRecognizer, clips: dict[str, Recording], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pt"
    wrong.write_bytes(b"<html>not a model</html>")
    with pytest.raises(DubError) as caught:
        await engine.transcribe(request(clips["en_short"], wrong), Listener())
    assert caught.value.problem is MODEL_DAMAGED
    assert "wrong.pt" in caught.value.message and str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": "huge"}, MODEL_UNKNOWN),
        ({"model": "/nowhere/x.pt"}, MODEL_UNKNOWN),
        ({"language": "klingon"}, LANGUAGE_UNKNOWN),
        ({"model": "tiny.en", "language": "es"}, LANGUAGE_UNKNOWN),
        ({"model": "turbo", "task": Task.TRANSLATE}, CANNOT_TRANSLATE),
    ],
)
async def test_what_cannot_work_is_refused_before_anything_starts(
    engine: WhisperRecognizer,
    whisper_checkpoint: Path,
    clips: dict[str, Recording],
    changes: dict[str, object],
    problem: Problem,
) -> None:
    with pytest.raises(DubError) as caught:
        await engine.transcribe(
            msgspec.structs.replace(request(clips["en_short"], whisper_checkpoint), **changes), Listener()
        )
    assert caught.value.problem is problem


async def test_a_recording_that_cannot_be_read_is_an_error_without_paths(
    engine: WhisperRecognizer, whisper_checkpoint: Path, tmp_path: Path
) -> None:
    missing = Recording(tmp_path / "secret-folder" / "speech.wav", (), 5.0)
    with pytest.raises(DubError) as caught:
        await engine.transcribe(request(missing, whisper_checkpoint), Listener())
    assert caught.value.problem is RECOGNITION_FAILED
    assert "secret-folder" not in caught.value.message


async def test_cuda_that_is_not_there_is_said(
    whisper_checkpoint: Path, clips: dict[str, Recording], tmp_path: Path
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    for kind in (FasterWhisper, OpenAIWhisper):
        engine = kind(ModelStore(tmp_path, paths=True), threads=1, device="cuda")
        with pytest.raises(DubError) as caught:
            await engine.transcribe(request(clips["en_short"], whisper_checkpoint), Listener())
        assert caught.value.problem is ENGINE_UNAVAILABLE


async def test_info_lists_models_and_says_what_is_missing(
    engine: WhisperRecognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await engine.info()
    assert info.availability.available and {"tiny", "base", "turbo"} <= {model.id for model in info.models}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "torch" else sys)
    info = await engine.info()
    assert not info.availability.available and "torch" in info.availability.reason and info.availability.remedy
