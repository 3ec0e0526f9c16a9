"""ElevenLabs' voice isolation as a separation engine: a recording goes up in pieces, its voice comes back.

The service takes up to 500 MB and an hour at once, and nothing shorter than 4.6 s; its answer is MP3. It costs credits
by the minute, so it is used only where a person chose it, and every piece is on disk before the next one is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from app.domain.errors import DubError
from app.domain.problems.separation import SEPARATION_FAILED
from app.domain.problems.voices import KEY_INVALID, KEY_MISSING, SPEECH_FAILED
from app.domain.secret_names import ELEVENLABS
from app.domain.spending import CREDIT, Charge
from app.speech.elevenlabs.client import Response, Service
from app.speech.failures import CallFailure, Retry
from app.speech.ports import Availability, CostUnit, EngineInfo
from app.spending.prices import PUBLISHED, Prices
from app.system.durable_files import Durable, replacing

_MOST_ANSWER_BYTES: Final = 64 << 20
_LEAST_ANSWER_BYTES: Final = 256
_CREDITS_A_MINUTE: Final = 1000


class Isolation:
    """`key` gives the server's own key, or None; the person's comes first."""

    name = "elevenlabs-isolation"
    title = "ElevenLabs voice isolation"
    licence = ""
    key_name = ELEVENLABS
    piece_s = 600.0
    margin_s = 3.0  # heard on both sides of a piece
    least_s = 6.0

    def __init__(
        self,
        key: Callable[[], str | None],
        *,
        base_url: str = "https://api.elevenlabs.io",
        pause_s: float = 1.0,
        deadline_s: float = 300.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self._own_key, self._deadline_s, self._prices = key, deadline_s, prices
        self._service = Service(base_url, pause_s=pause_s, deadline_s=deadline_s)

    async def info(self, key: str | None = None) -> EngineInfo:
        available = Availability(True, "", "")
        try:
            self.check(key)
        except DubError as error:
            available = Availability(False, error.message, error.problem.hint)
        cost = CostUnit(CREDIT, self._prices.usd(ELEVENLABS, CREDIT))
        return EngineInfo(self.name, "separator", self.title, True, available, (), cost_unit=cost)

    def ready(self) -> bool:
        """Never by itself: it costs money."""
        return False

    def check(self, key: str | None = None) -> None:
        """Raises key_missing, key_invalid."""
        self._key(key)

    def charge(self, length_s: float) -> Charge | None:
        """The published price: 1,000 credits a minute."""
        credits, usd = math.ceil(length_s / 60 * _CREDITS_A_MINUTE), self._prices.usd(ELEVENLABS, CREDIT)
        return Charge(ELEVENLABS, "", CREDIT, credits, None if usd is None else credits * usd)

    def fingerprint(self) -> str:
        return f"{self.name} 1"

    async def fetch(self, on_progress: Callable[[str], None]) -> Path:
        """Nothing has to be there."""
        return Path()

    async def isolate(self, recording: Path, voice: Path, length_s: float, key: str | None) -> None:
        """Send a FLAC file; the voice that comes is in the file `voice`, whole, when this returns. With retries. Raises
        key_missing, key_invalid, quota_exceeded, plan_required, separation_failed, speech_busy."""
        own = self._key(key)

        async def check(response: Response) -> None:
            kind = response.content_type.partition(";")[0].strip().lower()
            if not kind.startswith("audio/") or len(response.body) < _LEAST_ANSWER_BYTES:
                raise CallFailure(SPEECH_FAILED, "It sent no sound.", Retry.ANSWER)
            # from here on neither a kill nor a cancelled job pays for it again
            await asyncio.shield(asyncio.to_thread(_keep, voice, response.body))

        with contextlib.ExitStack() as files:

            def content() -> Mapping[str, Any]:
                file: BinaryIO = files.enter_context(recording.open("rb"))
                return {"data": {"file_format": "other"}, "files": {"audio": ("piece.flac", file, "audio/flac")}}

            try:
                await self._service.upload(
                    "/v1/audio-isolation",
                    own,
                    content,
                    check,
                    deadline_s=self._deadline_s + length_s,
                    most_bytes=_MOST_ANSWER_BYTES,
                    charge=self.charge(length_s),
                )
            except DubError as error:
                if error.problem is SPEECH_FAILED:
                    raise DubError(SEPARATION_FAILED, error.detail, retryable=error.retryable) from None
                raise

    async def close(self) -> None:
        await self._service.close()

    def _key(self, given: str | None) -> str:
        key = (given or self._own_key() or "").strip()
        if not key:
            raise DubError(KEY_MISSING, "ElevenLabs' key is needed to take the old voice out.")
        if not key.isascii() or not key.isprintable() or " " in key or len(key) > 200:
            raise DubError(KEY_INVALID, "It has characters that no key has.")
        return key


def _keep(path: Path, data: bytes) -> None:
    with replacing(path, durable=Durable.CONTENT) as part:
        part.write_bytes(data)
