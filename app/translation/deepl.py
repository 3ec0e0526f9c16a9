"""DeepL: `POST /v2/translate`, at most 50 texts and 128 KiB a request, with the neighbours as context."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.problems.translation import TRANSLATION_FAILED, TRANSLATOR_KEY_MISSING
from app.translation.ports import TranslationRequest, TranslatorState, Wordings
from app.translation.service import Refusal, Service

_DEADLINE_S: Final = 60.0
_PAID, _FREE = "https://api.deepl.com", "https://api-free.deepl.com"
_REMEDY: Final = "Enter the key in the settings or set DEEPL_API_KEY."
_VARIANTS: Final = {"EN": "EN-US", "PT": "PT-BR", "ZH": "ZH-HANS"}  # a target needs one


class DeepL:
    """A key that ends in ":fx" belongs to the free service, which has another address."""

    name = "deepl"
    title = "DeepL"
    needs_key = True
    takes_key = True
    instructed = False
    most_lines = 50
    most_bytes = 60_000  # JSON may double them
    model = ""

    def __init__(self, url: str = "", *, key: Callable[[], str | None] = lambda: None, pause_s: float = 1.0) -> None:
        self._url, self._key = url.rstrip("/"), key
        self._service = Service(self.title, deadline_s=_DEADLINE_S, pause_s=pause_s)

    def state(self, key: str | None = None) -> TranslatorState:
        if key or self._key():
            return TranslatorState(True)
        return TranslatorState(False, "There is no key.", _REMEDY)

    async def translate(self, request: TranslationRequest) -> Wordings:
        key = request.key or self._key()
        if not key:
            raise DubError(TRANSLATOR_KEY_MISSING, _REMEDY)
        target = request.target.upper()
        body: dict[str, Any] = {
            "text": [line.text for line in request.lines],
            "target_lang": _VARIANTS.get(target, target),
            "split_sentences": "0",
            "context": " ".join((*request.before, *request.after)),
        }
        if request.source:
            body["source_lang"] = request.source.partition("-")[0].upper()
        host = self._url or (_FREE if key.endswith(":fx") else _PAID)
        headers = {"Authorization": f"DeepL-Auth-Key {key}"}
        try:
            answer = await self._service.post(f"{host}/v2/translate", body, headers, key)
        except Refusal as refusal:
            raise refusal.error from None
        found = answer.get("translations") if isinstance(answer, dict) else None
        if not isinstance(found, list) or len(found) != len(request.lines):
            raise DubError(TRANSLATION_FAILED, "Its answer was not understood.", retryable=True)
        texts = [one.get("text") if isinstance(one, dict) else None for one in found]
        return {line.number: (text,) for line, text in zip(request.lines, texts, strict=True) if isinstance(text, str)}
