"""DeepL: `POST /v2/translate`, at most 50 texts and 128 KiB a request, with the neighbours as context."""

from __future__ import annotations

import hashlib
import html
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from app.domain.dub_options import Formality
from app.domain.errors import DubError
from app.domain.glossary import Term, replaced
from app.domain.problems.translation import TRANSLATION_FAILED, TRANSLATOR_KEY_MISSING
from app.domain.spending import Charge
from app.spending.prices import PUBLISHED, Prices
from app.translation.ports import TranslationRequest, TranslatorState, Wordings
from app.translation.service import Refusal, Service

_DEADLINE_S: Final = 60.0
_LEFT_S: Final = 60.0
_PAID, _FREE = "https://api.deepl.com", "https://api-free.deepl.com"
_REMEDY: Final = "Enter the key in the settings or set DEEPL_API_KEY."
_TAG: Final = "x"
_FORMALITY: Final = {Formality.FORMAL: "more", Formality.INFORMAL: "less"}
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

    def __init__(
        self,
        url: str = "",
        *,
        key: Callable[[], str | None] = lambda: None,
        pause_s: float = 1.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self._url, self._key, self._prices = url.rstrip("/"), key, prices
        self._service = Service(self.title, deadline_s=_DEADLINE_S, pause_s=pause_s)
        self._left: dict[str, tuple[float, float | None]] = {}  # by the key's hash

    def state(self, key: str | None = None) -> TranslatorState:
        if key or self._key():
            return TranslatorState(True)
        return TranslatorState(False, "There is no key.", _REMEDY)

    def charge(self, request: TranslationRequest) -> Charge | None:
        """By the characters of the lines; neither context nor tags are billed."""
        characters = sum(len(line.text) for line in request.lines)
        usd = self._prices.usd(self.name, "character", url=self._host(request.key or self._key() or ""))
        return Charge(self.name, self.model, "character", characters, None if usd is None else usd * characters)

    async def quota_left(self, given: str | None = None) -> float | None:
        """Characters that the account may still translate, as it was told within the last minute; None where the
        service does not tell. It bills nothing for that."""
        key = given or self._key()
        if not key:
            return None
        name = hashlib.sha256(key.encode()).hexdigest()
        told = self._left.get(name)
        if told is None or time.monotonic() - told[0] > _LEFT_S:
            headers = {"Authorization": f"DeepL-Auth-Key {key}"}
            found = await self._service.get(f"{self._host(key)}/v2/usage", headers)
            numbers = [found.get(f"character_{what}") for what in ("limit", "count")] if isinstance(found, dict) else []
            limit, used = (each if isinstance(each, int) else None for each in numbers or (None, None))
            left = None if limit is None or used is None else float(max(0, limit - used))
            told = self._left[name] = time.monotonic(), left
        return told[1]

    def _host(self, key: str) -> str:
        return self._url or (_FREE if key.endswith(":fx") else _PAID)

    async def translate(self, request: TranslationRequest) -> Wordings:
        key = request.key or self._key()
        if not key:
            raise DubError(TRANSLATOR_KEY_MISSING, _REMEDY)
        target = request.target.upper()
        fixed = request.wishes.terms
        body: dict[str, Any] = {
            "text": [_fixed(line.text, fixed) if fixed else line.text for line in request.lines],
            "target_lang": _VARIANTS.get(target, target),
            "split_sentences": "0",
            "context": " ".join((*request.before, *request.after)),
        }
        if fixed:
            body |= {"tag_handling": "xml", "ignore_tags": [_TAG]}
        if request.wishes.formality is not Formality.DEFAULT:  # ignored for a language that has none
            body["formality"] = f"prefer_{_FORMALITY[request.wishes.formality]}"
        if request.source:
            body["source_lang"] = request.source.partition("-")[0].upper()
        host = self._host(key)
        headers = {"Authorization": f"DeepL-Auth-Key {key}"}
        try:
            answer = await self._service.post(f"{host}/v2/translate", body, headers, key, charge=self.charge(request))
        except Refusal as refusal:
            raise refusal.error from None
        found = answer.get("translations") if isinstance(answer, dict) else None
        if not isinstance(found, list) or len(found) != len(request.lines):
            raise DubError(TRANSLATION_FAILED, "Its answer was not understood.", retryable=True)
        texts = [one.get("text") if isinstance(one, dict) else None for one in found]
        return {
            line.number: (_plain(text) if fixed else text,)
            for line, text in zip(request.lines, texts, strict=True)
            if isinstance(text, str)
        }


def _fixed(text: str, terms: Sequence[Term]) -> str:
    """The text as XML, with every term as it is to be written, in a tag that is left as it is."""
    pairs = [
        (html.escape(each.term, quote=False), f"<{_TAG}>{html.escape(each.wanted, quote=False)}</{_TAG}>")
        for each in terms
    ]
    return replaced(html.escape(text, quote=False), pairs)


def _plain(text: str) -> str:
    return html.unescape(re.sub(rf"</?{_TAG}>", "", text))
