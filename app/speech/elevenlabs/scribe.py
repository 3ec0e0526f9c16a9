"""The engine "scribe": recognition by ElevenLabs, with speakers.

A recording of up to three hours is one request, because only within one are its speakers the same.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec

from app.domain.errors import DubError
from app.domain.iso_639 import primary_code
from app.domain.problems.recognition import RECOGNITION_KEY_INVALID, RECOGNITION_KEY_MISSING, RECOGNITION_UNUSABLE
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.domain.secret_names import ELEVENLABS
from app.domain.segment import Word
from app.domain.spending import Charge
from app.speech.elevenlabs.client import Response, Service
from app.speech.failures import CallFailure, Retry
from app.speech.ports import Answer, Availability, CostUnit, EngineInfo, ModelInfo, RecognitionRequest
from app.speech.recording_pieces import Piece, PieceFile, piece_file
from app.speech.service_problems import of_recognition
from app.speech.service_recognition import HeardLine, HeardPiece, OnEvent, model_of, recognise
from app.spending.prices import PUBLISHED, Prices

LONGEST_S: Final = 3 * 3600.0
_SLACK_S: Final = 2.0
_LINE_PAUSE_S: Final = 1.5
_MODELS: Final = ("scribe_v1", "scribe_v2")
_MOST_SPEAKERS: Final = 32
_MOST_ANSWER_BYTES: Final = 64 << 20


class ScribeWord(msgspec.Struct, frozen=True):
    """An entry of the answer. `kind` is "word", "spacing" or "audio_event"."""

    text: str
    start: float | None = None
    end: float | None = None
    kind: str = msgspec.field(default="word", name="type")
    speaker_id: str | None = None


class Transcript(msgspec.Struct, frozen=True):
    """What of an answer is needed, and stored."""

    words: tuple[ScribeWord, ...]
    language_code: str | None = None
    language_probability: float | None = None


class Scribe:
    """`key` gives the server's own key, or None; it is ElevenLabs'."""

    name = "scribe"
    key_name = ELEVENLABS
    cost_unit: CostUnit | None

    def __init__(
        self,
        key: Callable[[], str | None],
        *,
        base_url: str = "https://api.elevenlabs.io",
        model: str = "scribe_v1",
        longest_s: float = LONGEST_S,
        pause_s: float = 1.0,
        deadline_s: float = 300.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self.cost_unit = CostUnit("minute", prices.usd(self.name, "minute", model=model))
        self._prices = prices
        self._own_key, self._model, self._longest_s, self._deadline_s = key, model, longest_s, deadline_s
        self._service = Service(base_url, pause_s=pause_s, deadline_s=deadline_s)

    async def info(self, key: str | None = None) -> EngineInfo:
        availability = Availability(True, "", "")
        try:
            if importlib.util.find_spec("elevenlabs") is None:
                raise DubError(ENGINE_UNAVAILABLE, "The elevenlabs package is not installed.")
            self._key(key)
        except DubError as error:
            availability = Availability(False, error.message, error.problem.hint)
        models = tuple(
            ModelInfo(model, model.replace("_", " ").title(), True, 0, 0, (), 0.0)
            for model in dict.fromkeys((self._model, *_MODELS))
        )
        return EngineInfo(
            self.name, "recognizer", "ElevenLabs Scribe", True, availability, models, cost_unit=self.cost_unit
        )

    def check_model(self, model: str) -> None:
        """The service says which it has, when it is asked to hear."""

    async def transcribe(self, request: RecognitionRequest, on_event: OnEvent) -> str:
        key = self._key(request.key)
        fields: dict[str, str] = {
            "model_id": model_of(request.model, self._model),
            "timestamps_granularity": "word",
            "tag_audio_events": "false",
            "diarize": "false" if request.speakers == "off" else "true",
        }
        if isinstance(request.speakers, int):
            fields["num_speakers"] = str(min(request.speakers, _MOST_SPEAKERS))
        if request.language:
            fields["language_code"] = request.language.partition("-")[0]
        numbers: dict[Piece, int] = {}

        async def hear(piece: Piece, answer: Answer | None) -> HeardPiece:
            part = numbers.setdefault(piece, round(piece.start_s // self._longest_s) + 1)
            transcript = await self._hear(request.speech, piece, answer, fields, key)
            return HeardPiece(
                lines_of(transcript.words, part),
                primary_code(transcript.language_code),
                transcript.language_probability,
            )

        asked = tuple(f"{name}={value}" for name, value in fields.items())
        return await recognise(request, on_event, hear, asked=asked, longest_s=self._longest_s, engine=self.name)

    async def _hear(
        self, speech: Path, piece: Piece, answer: Answer | None, fields: dict[str, str], key: str
    ) -> Transcript:
        length_s = piece.end_s - piece.start_s
        if answer is not None and (stored := await asyncio.to_thread(answer.load)) is not None:
            return msgspec.json.decode(stored, type=Transcript)

        files: list[PieceFile] = []

        def content() -> dict[str, Any]:
            files.append(piece_file(speech, piece))
            return {"data": fields, "files": {"file": ("speech.wav", cast(BinaryIO, files[-1]), "audio/wav")}}

        async def check(response: Response) -> Transcript:
            transcript = await asyncio.to_thread(read, response.body, length_s)
            # from here on neither a kill nor a cancelled job pays for it again
            if answer is not None:
                await asyncio.shield(asyncio.to_thread(answer.keep, msgspec.json.encode(transcript)))
            return transcript

        try:
            return await self._service.upload(
                "/v1/speech-to-text",
                key,
                content,
                check,
                deadline_s=self._deadline_s + length_s,
                most_bytes=_MOST_ANSWER_BYTES,
                charge=self.charge(fields["model_id"], length_s),
            )
        except DubError as error:
            raise DubError(of_recognition(error.problem), error.detail, retryable=error.retryable) from None
        finally:
            for file in files:
                file.close()

    def charge(self, model: str, length_s: float) -> Charge | None:
        model = model_of(model, self._model)
        usd, minutes = self._prices.usd(self.name, "minute", model=model), length_s / 60
        return Charge(self.name, model, "minute", minutes, None if usd is None else usd * minutes)

    def _key(self, given: str | None) -> str:
        key = (given or self._own_key() or "").strip()
        if not key:
            raise DubError(RECOGNITION_KEY_MISSING, "It is ElevenLabs' key: set ELEVENLABS_API_KEY, or enter it there.")
        if not key.isascii() or not key.isprintable() or " " in key or len(key) > 200:
            raise DubError(RECOGNITION_KEY_INVALID, "It has characters that no key has.")
        return key

    async def close(self) -> None:
        await self._service.close()


def read(body: bytes, length_s: float) -> Transcript:
    """The answer. Raises `CallFailure` for what is no transcript of a sound of `length_s`. Blocks: long films take a
    while."""
    try:
        found = msgspec.json.decode(body, type=Transcript)
    except (msgspec.DecodeError, UnicodeDecodeError):  # a wrong type too
        raise CallFailure(RECOGNITION_UNUSABLE, "Its answer was not understood.", Retry.ANSWER) from None
    for word in found.words:
        if word.kind == "word" and not 0 <= (word.start or 0.0) <= (word.end or 0.0) <= length_s + _SLACK_S:
            raise CallFailure(RECOGNITION_UNUSABLE, "It tells times that the sound does not have.", Retry.ANSWER)
    certainty = found.language_probability
    sure = certainty if certainty is not None and 0 <= certainty <= 1 else None
    return msgspec.structs.replace(found, language_probability=sure)


def lines_of(words: Sequence[ScribeWord], part: int = 1) -> tuple[HeardLine, ...]:
    """Stretches of one speaker, parted at long pauses too. Where only one speaks, nobody is named; speakers of a later
    part of the recording are others than those of the first."""
    names: dict[str, str] = {}
    for word in words:
        if word.kind == "word" and word.speaker_id is not None:
            names.setdefault(word.speaker_id, f"Speaker {len(names) + 1}" + (f" (part {part})" if part > 1 else ""))
    if len(names) < 2 and part == 1:
        names = {}
    lines: list[HeardLine] = []
    run: list[Word] = []
    space, speaker = "", ""

    def end() -> None:
        if run:
            text = "".join(word.text for word in run).strip()
            lines.append(HeardLine(run[0].start_s, run[-1].end_s, text, tuple(run), speaker))
            run.clear()

    for word in words:
        if word.kind != "word" or word.start is None or word.end is None:
            space = word.text if word.kind == "spacing" else space
            continue
        name = names.get(word.speaker_id or "", "")
        if run and (name != speaker or word.start - run[-1].end_s > _LINE_PAUSE_S):
            end()
        speaker = name
        run.append(Word(space + word.text, word.start, word.end))
        space = ""
    end()
    return tuple(lines)
