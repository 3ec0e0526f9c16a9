"""The engine "openai-transcription": recognition by a server with OpenAI's audio API, at the operator's address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from app.domain.secret_names import OPENAI_TRANSCRIPTION
from app.domain.spending import Charge
from app.speech.failures import CallFailure
from app.speech.openai.service import Answered, Kind, Listed, Service
from app.speech.openai.transcription import read
from app.speech.ports import Answer, CostUnit, EngineInfo, ModelInfo, RecognitionRequest
from app.speech.recording_pieces import Piece, wav_of
from app.speech.service_problems import RECOGNISING
from app.speech.service_recognition import HeardPiece, OnEvent, model_of, recognise
from app.spending.prices import PUBLISHED, Price, Prices

LONGEST_S: Final = 600.0  # 19.2 MB of WAV; OpenAI takes 25 MB
_MOST_ANSWER_BYTES: Final = 32 << 20
_HEARS: Final = ("whisper", "transcri", "parakeet", "canary", "voxtral", "asr", "stt", "moonshine", "sensevoice")


class OpenAITranscription:
    """`usd_per_minute`, 0 where nobody has said it. A server of one's own network costs nothing."""

    name = OPENAI_TRANSCRIPTION
    key_name = OPENAI_TRANSCRIPTION

    def __init__(
        self,
        url: str,
        *,
        model: str = "whisper-1",
        key: Callable[[], str | None] = lambda: None,
        usd_per_minute: float = 0.0,
        longest_s: float = LONGEST_S,
        pause_s: float = 1.0,
        deadline_s: float = 300.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self._service = Service(self.name, url, RECOGNISING, key, pause_s=pause_s)
        self._model, self._longest_s, self._deadline_s = model, longest_s, deadline_s
        self._prices = Prices((*_told(usd_per_minute), *prices.rows))
        usd = self._prices.usd(self.name, "minute", model=model, url=url)
        self.cost_unit: CostUnit | None = CostUnit("minute", usd) if self._service.paid or usd else None

    async def info(self, key: str | None = None) -> EngineInfo:
        remedy = "The operator sets AUTODUBBER_TRANSCRIPTION_URL, such as http://127.0.0.1:8000/v1."
        availability, models = await self._service.state(key, self._model, _hearing, remedy)
        listed = tuple(ModelInfo(model, model, True, 0, 0, (), 0.0) for model in models)
        return EngineInfo(
            self.name,
            "recognizer",
            "OpenAI-compatible transcription",
            self._service.is_openai,
            availability,
            listed,
            cost_unit=self.cost_unit,
        )

    def check_model(self, model: str) -> None:
        """The server says which it has, when it is asked to hear."""

    async def transcribe(self, request: RecognitionRequest, on_event: OnEvent) -> str:
        key = self._service.key(request.key)
        model = model_of(request.model, self._model)
        hints = " ".join(filter(None, (request.prompt, ", ".join(request.hotwords))))
        fields = {"model": model, "response_format": "verbose_json"}
        fields |= {"language": request.language.partition("-")[0]} if request.language else {}
        fields |= {"prompt": hints} if hints else {}

        async def hear(piece: Piece, answer: Answer | None) -> HeardPiece:
            return await self._hear(request, piece, answer, fields, key)

        asked = (self._service.url, *(f"{name}={value}" for name, value in fields.items()))
        return await recognise(request, on_event, hear, asked=asked, longest_s=self._longest_s, engine=self.name)

    async def _hear(
        self, request: RecognitionRequest, piece: Piece, answer: Answer | None, fields: dict[str, str], key: str
    ) -> HeardPiece:
        length_s = piece.end_s - piece.start_s
        if answer is not None and (stored := await asyncio.to_thread(answer.load)) is not None:
            try:
                return read(stored, length_s)
            except CallFailure:  # it was none either when it came
                pass
        sound = await asyncio.to_thread(wav_of, request.speech, piece)

        async def check(answered: Answered) -> HeardPiece:
            # first of all: from here on neither a kill nor a cancelled job pays for it again
            if answer is not None:
                await asyncio.shield(asyncio.to_thread(answer.keep, answered.body))
            return await asyncio.to_thread(read, answered.body, length_s)

        def content() -> dict[str, Any]:
            granularities = {"timestamp_granularities[]": ["word", "segment"]}
            return {"data": {**fields, **granularities}, "files": {"file": ("speech.wav", sound, "audio/wav")}}

        heard: HeardPiece = await self._service.post(
            "/audio/transcriptions",
            key,
            deadline_s=self._deadline_s + length_s * (1 if self._service.paid else 10),  # a processor of one's own
            most_bytes=_MOST_ANSWER_BYTES,
            check=check,
            content=content,
            charge=self.charge(fields["model"], length_s),
        )
        return heard

    def charge(self, model: str, length_s: float) -> Charge | None:
        if self.cost_unit is None:
            return None
        model = model_of(model, self._model)
        usd, minutes = self._prices.usd(self.name, "minute", model=model, url=self._service.url), length_s / 60
        return Charge(self.name, model, "minute", minutes, None if usd is None else usd * minutes)

    async def close(self) -> None:
        await self._service.close()


def _told(usd_per_minute: float) -> tuple[Price, ...]:
    return (Price(engine=OPENAI_TRANSCRIPTION, unit="minute", usd=usd_per_minute),) if usd_per_minute > 0 else ()


def _hearing(server: Listed, default: str) -> tuple[str, ...]:
    """The models that recognise and tell times, as far as names and tasks tell; the default first."""
    if server.kind is Kind.SPEACHES:
        found = [name for name, task in server.models if task == "automatic-speech-recognition"]
    elif server.kind is Kind.OPENAI:
        found = [name for name, _ in server.models if name.startswith("whisper")]  # the others tell no times
    else:
        found = [name for name, _ in server.models if any(word in name.lower() for word in _HEARS)]
    return tuple(dict.fromkeys((default, *found[:50])))
