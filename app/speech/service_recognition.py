"""Recognition by a service that takes a piece of the recording and answers with words and their times.

Each answer is stored the moment its last byte has come, under a hash of the piece's samples and all that was asked: a
killed run, and another job of the same recording, ask for no piece again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from app.domain.dub_options import Task
from app.domain.errors import DubError
from app.domain.problems.lines import NO_SPEECH
from app.domain.problems.recognition import CANNOT_TRANSLATE
from app.domain.segment import Segment, Word
from app.observability import metrics
from app.speech.ports import Answer, Recognised, RecognitionProgress, RecognitionRequest
from app.speech.recording_pieces import Piece, cut, digest
from app.spending.paying import stored_as

_TELL_S: Final = 1.0
_WHISPER_NAMES: Final = ("tiny", "base", "small", "medium", "large", "turbo")
OnEvent = Callable[[RecognitionProgress | Recognised], None]


class HeardLine(msgspec.Struct, frozen=True):
    """A stretch of speech of one speaker ("": nobody told). Times are seconds of the piece; `words` may be empty."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: str = ""


class HeardPiece(msgspec.Struct, frozen=True):
    """What was said in a piece. `language` is ISO 639-1, "" where the service does not tell; `certainty` 0..1."""

    lines: tuple[HeardLine, ...]
    language: str
    certainty: float | None = None


# asks the service for one piece; stores the raw answer (None: nowhere) and checks it
Hear = Callable[[Piece, Answer | None], Awaitable[HeardPiece]]


def model_of(asked: str, default: str) -> str:
    """The service's model. The name of a Whisper model, or a file, is what the local engines use: the default then."""
    name = asked.strip()
    local = name.partition(".")[0].partition("-")[0] in _WHISPER_NAMES or name.startswith("/") or name.endswith(".pt")
    return default if not name or local else name


async def recognise(
    request: RecognitionRequest, on_event: OnEvent, hear: Hear, *, asked: tuple[str, ...], longest_s: float, engine: str
) -> str:
    """Every piece after the other, from `resume_at_s` on; returns the language. `asked` is everything that decides an
    answer beside the sound. Raises cannot_translate, no_speech and the service's errors."""
    if request.task is Task.TRANSLATE:
        raise DubError(CANNOT_TRANSLATE, "This service transcribes only.")
    pieces = await asyncio.to_thread(cut, request.speech, longest_s)
    language, heard_any = request.language or "", request.resume_at_s > 0
    certainty: float | None = None
    for number, piece in enumerate(pieces):
        if piece.end_s <= request.resume_at_s:
            continue
        began_s = time.monotonic()
        sound = await asyncio.to_thread(digest, request.speech, piece)
        name = hashlib.sha256(msgspec.json.encode([engine, *asked, sound])).hexdigest()
        answer = request.answers(name) if request.answers is not None else None
        what = f"part {number + 1} of {len(pieces)}"
        async with _telling(max(piece.start_s, request.resume_at_s), what, on_event), stored_as(name):
            found = await hear(piece, answer)
        metrics.RECOGNITION_MEDIA_SECONDS.add(engine, "service", amount=piece.end_s - piece.start_s)
        metrics.RECOGNITION_SECONDS.add(engine, "service", amount=time.monotonic() - began_s)
        lines = tuple(_segments(found, piece, request.resume_at_s))
        heard_any = heard_any or bool(lines)
        if lines and not request.language:
            language = language or found.language
            certainty = found.certainty if certainty is None else certainty
        on_event(Recognised(lines, language, piece.end_s, certainty))
    if not heard_any:
        raise DubError(NO_SPEECH)
    return language


@contextlib.asynccontextmanager
async def _telling(done_s: float, what: str, on_event: OnEvent) -> AsyncIterator[None]:
    """While the service works, the person sees every second that it does."""
    began_s = time.monotonic()

    async def tell() -> None:
        while True:
            on_event(RecognitionProgress(done_s, f"{what}, {time.monotonic() - began_s:.0f} s"))
            await asyncio.sleep(_TELL_S)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling


def _segments(found: HeardPiece, piece: Piece, resume_at_s: float) -> list[Segment]:
    """The lines on the recording's time; what an earlier run had finished is left out."""
    made: list[Segment] = []
    length_s = piece.end_s - piece.start_s
    for line in found.lines:
        words = tuple(
            Word(word.text, piece.start_s + min(word.start_s, length_s), piece.start_s + min(word.end_s, length_s))
            for word in line.words
        )
        later = tuple(word for word in words if (word.start_s + word.end_s) / 2 > resume_at_s)
        start_s, end_s = piece.start_s + line.start_s, piece.start_s + min(line.end_s, length_s)
        text = line.text.strip()
        if words and len(later) < len(words):
            if not later:
                continue
            text, words, start_s = "".join(word.text for word in later).strip(), later, later[0].start_s
        elif not words and end_s <= resume_at_s:
            continue
        if text and end_s > start_s:
            made.append(Segment(uuid.uuid4().hex, start_s, end_s, text, text, line.speaker, False, words))
    return made
