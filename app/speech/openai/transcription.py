"""Reads the answers of `POST /audio/transcriptions` (verbose_json) of OpenAI, Speaches and LocalAI."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.domain.iso_639 import primary_code
from app.domain.problems.recognition import RECOGNITION_UNUSABLE
from app.domain.segment import Word
from app.speech.failures import CallFailure, Retry
from app.speech.service_recognition import HeardLine, HeardPiece

_NANO: Final = 1e-9  # LocalAI wrote times as Go does, in nanoseconds
_SLACK_S: Final = 2.0
_SILENT: Final = 0.9  # a segment that is surely no speech, by Whisper's own measure, and not surely what it says
_UNSURE: Final = -1.0


def read(body: bytes, length_s: float) -> HeardPiece:
    """Raises `CallFailure` for what is no transcription of a sound of `length_s`."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CallFailure(RECOGNITION_UNUSABLE, "Its answer is not JSON.", Retry.ANSWER) from None
    if not isinstance(answer, dict) or not isinstance(answer.get("text", ""), str):
        raise CallFailure(RECOGNITION_UNUSABLE, "Its answer was not understood.", Retry.ANSWER)
    segments = _dicts(answer.get("segments"))
    words = _dicts(answer.get("words")) or [word for segment in segments for word in _dicts(segment.get("words"))]
    times = [_time(one, name) for one in (*segments, *words) for name in ("start", "end")]
    scale = _NANO if times and max(times) > 1000 * (length_s + 1) else 1.0
    if any(not 0 <= time * scale <= length_s + _SLACK_S for time in times):
        raise CallFailure(RECOGNITION_UNUSABLE, "It tells times that the sound does not have.", Retry.ANSWER)
    if answer.get("text", "").strip() and not segments and not words:
        raise CallFailure(RECOGNITION_UNUSABLE, "It tells no times; choose a model that does.", Retry.NEVER)
    timed = [_word(word, scale) for word in words if str(word.get("word") or "").strip()]
    lines = [line for segment in segments if (line := _line(segment, timed, scale)) is not None]
    if not segments and timed:
        text = "".join(word.text for word in timed).strip()
        lines = [HeardLine(timed[0].start_s, timed[-1].end_s, text, tuple(timed))]
    return HeardPiece(tuple(lines), primary_code(answer.get("language")))


def _dicts(given: Any) -> list[dict[str, Any]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _time(entry: dict[str, Any], name: str) -> float:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CallFailure(RECOGNITION_UNUSABLE, "A time in its answer is no number.", Retry.ANSWER)
    return float(value)


def _word(entry: dict[str, Any], scale: float) -> Word:
    start_s, end_s = _time(entry, "start") * scale, _time(entry, "end") * scale
    return Word(f" {str(entry['word']).strip()}", start_s, max(start_s, end_s))


def _line(segment: dict[str, Any], words: list[Word], scale: float) -> HeardLine | None:
    """A segment with the words that lie within it; None for one that the model takes for no speech."""
    text = str(segment.get("text") or "").strip()
    silent, sure = segment.get("no_speech_prob"), segment.get("avg_logprob")
    if isinstance(silent, float) and isinstance(sure, int | float) and silent > _SILENT and sure < _UNSURE:
        return None
    start_s, end_s = _time(segment, "start") * scale, _time(segment, "end") * scale
    within = tuple(word for word in words if start_s <= (word.start_s + word.end_s) / 2 < end_s)
    if not text or end_s <= start_s:
        return None
    return HeardLine(start_s, end_s, text, within, str(segment.get("speaker") or "")[:60])
