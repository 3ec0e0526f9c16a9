"""Speech to segments, streamed; or the person's own subtitles instead."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

from app.domain.errors import SUBTITLES_EMPTY, DubError
from app.domain.job import DubOptions
from app.domain.segment import Segment, Word
from app.dubbing.kit import Kit, Report
from app.dubbing.subtitles import parse
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest

SUBTITLES = "subtitles"  # the recognizer of a job whose lines the person brought


async def transcribe(
    kit: Kit,
    speech: Path,
    options: DubOptions,
    duration_s: float,
    *,
    language: str | None,
    resume_at_s: float,
    on_chunk: Callable[[Recognised], None],
    report: Report,
) -> str:
    """Recognise `speech` (16 kHz mono WAV) from `resume_at_s` on; every finished chunk goes to `on_chunk`. Returns the language.

    `language` is the one an earlier run detected. Raises the recogniser's errors.
    """
    recognizer = kit.engines.recognizer(options.recognizer)

    def on_event(event: RecognitionProgress | Recognised) -> None:
        if isinstance(event, Recognised):
            on_chunk(event)
            report(event.done_s / max(duration_s, 0.001), "")
        else:
            report(event.done_s / max(duration_s, 0.001), event.message)

    request = RecognitionRequest(
        speech=speech, model=options.model, language=options.language or language, task=options.task, duration_s=duration_s, resume_at_s=resume_at_s
    )
    return await recognizer.transcribe(request, on_event)


def from_subtitles(data: bytes, duration_s: float) -> tuple[Segment, ...]:
    """The lines of an SRT, WebVTT or ASS file that lie within the video. Raises subtitles_invalid, subtitles_empty."""
    segments = []
    for cue in parse(data):
        start_s, end_s = max(cue.start_s, 0.0), min(cue.end_s, duration_s)
        text = " ".join(cue.text.split())
        if end_s - start_s >= 0.05 and text:
            words = tuple(Word(word.text, word.start_s, min(word.end_s, end_s)) for word in cue.words if word.start_s < end_s)
            words = words if len(words) == len(cue.words) else ()  # a text that is cut by the video's end is spoken whole
            segments.append(Segment(uuid.uuid4().hex, round(start_s, 3), round(end_s, 3), text, text, cue.speaker, False, words))
    if not segments:
        raise DubError(SUBTITLES_EMPTY, "No cue lies within the video.")
    return tuple(segments)
