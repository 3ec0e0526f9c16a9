"""Recognises speech into segments as it goes, or reads the person's subtitles instead."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import DubOptions
from app.domain.errors import DubError
from app.domain.glossary import hotwords
from app.domain.job import Joined
from app.domain.media import MediaInfo
from app.domain.problems.lines import NO_SPEECH, SUBTITLES_EMPTY, TOO_MANY_LINES
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import MAX_LINES, Segment
from app.domain.subtitle_file import SubtitleReading
from app.dubbing import audio_tracks
from app.dubbing.context import Context, Report
from app.dubbing.spoken.cues_to_lines import lines_of, recognised
from app.dubbing.spoken.sentences import recut, unfinished
from app.dubbing.stored_answer import StoredAnswer
from app.dubbing.subtitles.reading_report import read_subtitle_file, subtitle_reading
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest

_LEAD_S: Final = 0.3  # of silence before a sentence that is recognised again
SUBTITLES = "subtitles"  # the recognizer of a job whose lines the person brought


async def transcribe(
    context: Context,
    speech: Path,
    options: DubOptions,
    duration_s: float,
    *,
    language: str | None,
    resume_at_s: float,
    on_chunk: Callable[[Recognised], None],
    report: Report,
    info: MediaInfo,
    keys: Keys = NO_KEYS,
) -> str:
    """Recognise `speech` (16 kHz mono WAV) from `resume_at_s` on; every finished chunk goes to `on_chunk`. Returns the
    language.

    `language` is the one an earlier run detected. What recognition describes or makes up ("[Music]") is
    subtitle_reading apart from what is spoken. Raises the recogniser's errors; no_speech names the audio tracks of
    `info`, where there is a choice.
    """
    recognizer = context.engines.recognizer(options.recognition.recognizer)

    sentences = Sentences(resume_at_s)

    def keep(chunk: Recognised) -> None:
        segments = recognised(chunk.segments, speak_sounds=options.recognition.speak_sounds)
        on_chunk(msgspec.structs.replace(chunk, segments=segments))

    def on_event(event: RecognitionProgress | Recognised) -> None:
        if isinstance(event, Recognised):
            keep(sentences.take(event))
            report(event.done_s / max(duration_s, 0.001), "")
        else:
            report(event.done_s / max(duration_s, 0.001), event.message)

    request = RecognitionRequest(
        speech=speech,
        model=options.recognition.model,
        language=options.recognition.language or language,
        task=options.recognition.task,
        duration_s=duration_s,
        resume_at_s=resume_at_s,
        speakers=options.recognition.speakers,
        key=keys.of(recognizer.key_name),
        answers=functools.partial(StoredAnswer, context.blobs),
        hotwords=hotwords(options.glossary.terms),
    )
    try:
        found = await recognizer.transcribe(request, on_event)
    except DubError as error:
        if error.problem is NO_SPEECH:
            raise no_speech(info, options) from error
        raise
    if (rest := sentences.rest()) is not None:
        keep(rest)
    return found


class Sentences:
    """Recognised chunks as lines that are sentences. The last sentence of a chunk waits for the next one: a chunk may
    end anywhere."""

    def __init__(self, done_s: float = 0.0) -> None:
        self._waiting: Recognised | None = None
        self._done_s = done_s

    def take(self, chunk: Recognised) -> Recognised:
        """The lines that are whole. `done_s` is where recognition would go on, so that nothing that waits is lost."""
        before = self._waiting.segments if self._waiting is not None else ()
        lines = recut((*before, *chunk.segments), chunk.language)
        if not unfinished(lines, chunk.done_s, chunk.language):
            self._waiting, self._done_s = None, chunk.done_s
            return msgspec.structs.replace(chunk, segments=lines)
        self._waiting = msgspec.structs.replace(chunk, segments=lines[-1:])
        before_s = max(self._done_s, lines[-2].end_s if len(lines) > 1 else 0.0)
        self._done_s = min(max(lines[-1].start_s - _LEAD_S, before_s), chunk.done_s)
        return msgspec.structs.replace(chunk, segments=lines[:-1], done_s=self._done_s)

    def rest(self) -> Recognised | None:
        """What still waits, at the end."""
        waiting, self._waiting = self._waiting, None
        return waiting


def no_speech(info: MediaInfo, options: DubOptions) -> DubError:
    """Nothing was said in the track that was heard; what else the file has is told with it."""
    return DubError(NO_SPEECH, audio_tracks.listed(info, audio_tracks.heard(info, options)))


class SubtitleLines(msgspec.Struct, frozen=True):
    """The lines of a file that a person brought, what was made of short ones, and how it was read."""

    segments: tuple[Segment, ...]
    joined: Joined | None
    subtitles: SubtitleReading


def from_subtitles(data: bytes, duration_s: float, options: DubOptions) -> SubtitleLines:
    """The lines of an SRT, VTT or ASS file that lie within the video. Blocks: seconds for a long file. Raises
    subtitles_invalid, subtitles_empty, too_many_lines."""
    found = read_subtitle_file(data, options)
    lines = lines_of(
        found.cues,
        duration_s,
        speak_sounds=options.recognition.speak_sounds,
        join_short_cues=options.recognition.join_short_cues,
    )
    if not lines.segments:
        raise DubError(SUBTITLES_EMPTY, "No cue lies within the video.")
    if len(lines.segments) > MAX_LINES:
        raise DubError(
            TOO_MANY_LINES,
            f"The subtitles have {len(lines.segments)} lines within the video; a job may have {MAX_LINES}.",
        )
    return SubtitleLines(lines.segments, lines.joined, subtitle_reading(found, duration_s))
