"""LibreTranslate: `POST /translate` with several texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.glossary import replaced
from app.domain.problems.translation import TRANSLATION_FAILED, TRANSLATOR_UNAVAILABLE
from app.domain.spending import Charge
from app.spending.prices import PUBLISHED, Prices, is_local
from app.translation.ports import TranslationRequest, TranslatorState, Wordings
from app.translation.service import Refusal, Service

_DEADLINE_S: Final = 120.0


class LibreTranslate:
    """A server of one's own needs no key; a public one may."""

    name = "libretranslate"
    title = "LibreTranslate"
    needs_key = False
    takes_key = True
    instructed = False
    most_lines = 25
    most_bytes = 20_000
    model = ""

    def __init__(
        self,
        url: str,
        *,
        key: Callable[[], str | None] = lambda: None,
        pause_s: float = 1.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self._url, self._key, self._prices = url.rstrip("/"), key, prices
        self._service = Service(self.title, deadline_s=_DEADLINE_S, pause_s=pause_s)

    def state(self, key: str | None = None) -> TranslatorState:
        if self._url:
            return TranslatorState(True)
        return TranslatorState(False, "Its address is not set.", "Set AUTODUBBER_LIBRETRANSLATE_URL.")

    def charge(self, request: TranslationRequest) -> Charge | None:
        """A server of one's own network costs nothing, unless the price table says so."""
        usd = self._prices.usd(self.name, "character", url=self._url)
        if is_local(self._url) and not usd:
            return None
        characters = sum(len(line.text) for line in request.lines)
        return Charge(self.name, self.model, "character", characters, None if usd is None else usd * characters)

    async def quota_left(self, given: str | None = None) -> None:
        """It does not tell."""

    async def translate(self, request: TranslationRequest) -> Wordings:
        if not (state := self.state()).available:
            raise DubError(TRANSLATOR_UNAVAILABLE, f"{state.reason} {state.remedy}")
        key, terms = request.key or self._key(), request.wishes.terms
        body: dict[str, Any] = {
            # a word that it does not know is mostly left as it is; what is lost is refused afterwards
            "q": [replaced(line.text, [(each.term, each.wanted) for each in terms]) for line in request.lines],
            "source": request.source.partition("-")[0] if request.source else "auto",
            "target": request.target.partition("-")[0],
            "format": "text",
        }
        if key:
            body["api_key"] = key
        try:
            answer = await self._service.post(f"{self._url}/translate", body, {}, key, charge=self.charge(request))
        except Refusal as refusal:
            raise refusal.error from None
        texts = answer.get("translatedText") if isinstance(answer, dict) else None
        if not isinstance(texts, list) or len(texts) != len(request.lines):
            raise DubError(TRANSLATION_FAILED, "Its answer was not understood.", retryable=True)
        return {line.number: (text,) for line, text in zip(request.lines, texts, strict=True) if isinstance(text, str)}
