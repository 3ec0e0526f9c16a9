"""The recognition child: `python -m app.speech.whisper.child`. A request comes on stdin, events leave on stdout, one
JSON object a line.

Events: {"event": "loaded", "device"}, {"event": "language", "place", "places"}, {"event": "hearing", "done_s"},
{"event": "chunk", "lines", "language", "certainty", "done_s"}, {"event": "done", "language"}, {"event": "failed",
"code", "detail"}. Killing the process is how it is cancelled; its memory goes with it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from app.speech.whisper.child_process import WhisperFailure, answering, emit
from app.speech.whisper.cleanup import RecognisedLine, settle
from app.speech.whisper.heard import Model
from app.speech.whisper.language import ENOUGH_S, LanguageVotes, listen
from app.speech.whisper.pace import Pace
from app.speech.whisper.vad import SpeechChunk, chunks, wav_blocks

_MOST_HELD: Final = 8  # chunks held back while the language is not known


class Request(msgspec.Struct, frozen=True):
    """`engine` is openai or ctranslate, `model` the path of its form of the checkpoint, `language` Whisper's code or
    None, `device` cpu, cuda or auto. `prompt` is text that is taken to have come before, `hotwords` are likely words.
    """

    engine: str
    speech: str
    model: str
    language: str | None
    task: str
    resume_at_s: float
    threads: int
    device: str
    prompt: str = ""
    hotwords: tuple[str, ...] = ()


def main() -> None:
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    with answering():
        run(request)


def run(request: Request) -> None:
    warnings.filterwarnings("ignore")
    model = _load(request)
    if request.language is not None and not model.multilingual and request.language != "en":
        raise WhisperFailure("language_unknown", "This model knows English only.")
    emit(event="loaded", device=model.device)
    start_s, language = request.resume_at_s, request.language
    known: tuple[str | None, float | None] = language, None
    if model.multilingual and language is None:
        known = listen(
            model, Path(request.speech), start_s, lambda n, of: emit(event="language", place=n, places=of)
        ) or (None, None)
    pace = Pace(start_s, lambda done_s: emit(event="hearing", done_s=round(done_s, 3)))
    with pace.told():
        source = chunks(wav_blocks(Path(request.speech), start_s), start_s)
        for language, certainty, chunk in _with_language(model, pace, source, *known):
            lines: list[RecognisedLine] = []
            if chunk.speech:
                with pace.over(chunk.end_s):
                    said = model.transcribe(
                        chunk.samples, language or "en", request.task, request.prompt, chunk.speech_end_s
                    )
                    lines = settle(said, chunk.at, chunk.speech)
            pace.done(chunk.end_s)
            emit(event="chunk", lines=lines, language=language, certainty=certainty, done_s=round(chunk.end_s, 3))
    emit(event="done", language=language)


def _load(request: Request) -> Model:
    if request.engine == "ctranslate":
        from app.speech.whisper.ctranslate_model import CTranslateModel

        return CTranslateModel(request.model, request.device, request.threads, request.hotwords)
    from app.speech.whisper.openai_model import OpenAIModel

    return OpenAIModel(request.model, request.device, request.threads, request.hotwords)


def _with_language(
    model: Model, pace: Pace, source: Iterator[SpeechChunk], language: str | None, certainty: float | None
) -> Iterator[tuple[str | None, float | None, SpeechChunk]]:
    """Each chunk with the language and its certainty: the known one, or detected once, on the first chunks that hold
    enough speech."""
    language = language if model.multilingual else "en"
    held: list[SpeechChunk] = []
    for chunk in source:
        if language is not None:
            yield language, certainty, chunk
            continue
        if chunk.speech or held:
            held.append(chunk)
        else:
            yield None, None, chunk
        if sum(one.speech_s for one in held) >= ENOUGH_S or len(held) >= _MOST_HELD:
            language, certainty = _detect(model, pace, held)
            yield from ((language, certainty, one) for one in held)
            held = []
    if held:
        language, certainty = _detect(model, pace, held)
        yield from ((language, certainty, one) for one in held)


def _detect(model: Model, pace: Pace, held: list[SpeechChunk]) -> tuple[str, float]:
    votes = LanguageVotes()
    for chunk in held:
        if chunk.speech:
            with pace.over(chunk.end_s, share=0.1):
                votes.add(model, chunk)
    return votes.best()


if __name__ == "__main__":
    main()
