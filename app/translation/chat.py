"""Translation by a chat model: what it is told, and how its answer is read. The answer is numbered JSON."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.domain.dub_options import Formality
from app.domain.errors import DubError
from app.domain.problems.translation import TRANSLATION_FAILED, TRANSLATOR_UNAVAILABLE
from app.domain.spending import Charge
from app.spending.prices import INPUT, OUTPUT, PUBLISHED, Prices, is_local
from app.translation.ports import TranslationRequest, TranslatorState, Wordings
from app.translation.service import Refusal, Service

_DEADLINE_S: Final = 600.0  # a large model on a processor is slow
_RULES: Final = """You translate the lines of a film into the language "{target}" ({source}), for dubbing.
Answer with one JSON object only: {{"lines": [{{"id": 1, "text": "...", "short": "..."}}]}}.
Give exactly one entry for each of `lines`, with its id. `before` and `after` are context: do not translate them.
`text` is a natural spoken translation that keeps the whole meaning. `short` says the same in fewer words. Both should
have at most `max` characters. Keep names, negations, and numbers (as digits). No notes, no quotation marks around a
line, no line breaks. Where a line has `wrong`, an earlier answer was refused for that reason."""
_GLOSSARY: Final = "\nWhere a line has a term of `glossary`, write it as given there, inflected if it must be."
_FORMALITY: Final = {
    Formality.FORMAL: "\nPeople address each other formally (usted, vous, Sie).",
    Formality.INFORMAL: "\nPeople address each other informally (tú, tu, du).",
}
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "text": {"type": "string"}, "short": {"type": "string"}},
                "required": ["id", "text", "short"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["lines"],
    "additionalProperties": False,
}
_INSTRUCTIONS_TOKENS: Final = 600
_READ_OF_A_BYTE: Final = 0.4  # tokens; four bytes of English are one, two of other letters
_WRITTEN_OF_A_BYTE: Final = 1.0  # of the lines: two wordings, each as long as the line
_WRITTEN_OF_A_LINE: Final = 16  # the JSON around them
_TOKENS_OF_A_BYTE: Final = 1.8  # half a token for each byte, of the line and of its two wordings


class _Chat:
    """What both kinds have in common: a request has as much text as the model can hold."""

    needs_key = False
    takes_key = False
    instructed = True
    most_lines = 25
    title = ""

    name = ""

    def __init__(self, url: str, model: str, context_tokens: int, pause_s: float, prices: Prices) -> None:
        self._url, self.model, self._prices = url.rstrip("/"), model, prices
        self._context_tokens = context_tokens
        self._service = Service(self.title, deadline_s=_DEADLINE_S, pause_s=pause_s)
        self.most_bytes = max(200, round((context_tokens * 0.9 - _INSTRUCTIONS_TOKENS) / _TOKENS_OF_A_BYTE))

    def charge(self, request: TranslationRequest) -> Charge | None:
        """A guess by the bytes, that is rather too high: the model's own count is known when it has answered. A server
        of one's own network costs nothing, unless the price table says so."""
        told = sum(len(message["content"].encode()) for message in messages(request))
        lines = sum(len(line.text.encode()) for line in request.lines)
        written = lines * _WRITTEN_OF_A_BYTE + len(request.lines) * _WRITTEN_OF_A_LINE
        return self._charge(round(told * _READ_OF_A_BYTE), round(written))

    async def quota_left(self, given: str | None = None) -> None:
        """It does not tell."""

    def _charge(self, reads: int, writes: int) -> Charge | None:
        a_read, a_written = (
            self._prices.usd(self.name, unit, model=self.model, url=self._url) for unit in (INPUT, OUTPUT)
        )
        if is_local(self._url) and not (a_read or a_written):
            return None
        usd = None if a_read is None or a_written is None else reads * a_read + writes * a_written
        return Charge(self.name, self.model, "token", reads + writes, usd)

    def _cost(self, answer: Any) -> Charge | None:
        """What the answer says that it used; None where it does not."""
        told = answer.get("usage") if isinstance(answer, dict) else None
        used = [told.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(told, dict) else []
        reads, writes = (each if isinstance(each, int) and each >= 0 else None for each in used or (None, None))
        return None if reads is None or writes is None else self._charge(reads, writes)

    def _state(self, variables: str) -> TranslatorState:
        if self._url and self.model:
            return TranslatorState(True)
        return TranslatorState(False, "Its address or model is not set.", f"Set {variables}.")

    def state(self, key: str | None = None) -> TranslatorState:
        raise NotImplementedError

    def _check(self, key: str | None) -> None:
        if not (state := self.state(key)).available:
            raise DubError(TRANSLATOR_UNAVAILABLE, f"{state.reason} {state.remedy}")


class OpenAIChat(_Chat):
    """`POST /chat/completions` as OpenAI, vLLM, LocalAI and Groq have it. `url` ends where `/chat/completions` begins;
    `key` is the server's own."""

    name = "chat"
    title = "Chat model (OpenAI-compatible)"
    takes_key = True

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: Any = lambda: None,
        context_tokens: int = 8192,
        pause_s: float = 1.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        super().__init__(url, model, context_tokens, pause_s, prices)
        self._key = key
        self._schema = True  # until the server refuses it

    def state(self, key: str | None = None) -> TranslatorState:
        return self._state("AUTODUBBER_CHAT_URL and AUTODUBBER_CHAT_MODEL")

    async def translate(self, request: TranslationRequest) -> Wordings:
        key = request.key or self._key()
        self._check(key)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        while True:
            schema = self._schema
            try:
                answer = await self._service.post(
                    f"{self._url}/chat/completions",
                    self._body(request),
                    headers,
                    key,
                    charge=self.charge(request),
                    cost=self._cost,
                )
            except Refusal as refusal:
                if refusal.status in (400, 422) and schema:  # not every server knows json_schema
                    self._schema = False
                    continue
                raise refusal.error from None
            return wordings(_part(answer, "choices", 0, "message", "content"))

    def _body(self, request: TranslationRequest) -> dict[str, Any]:
        schema = {"name": "lines", "strict": True, "schema": _SCHEMA}
        form = {"type": "json_schema", "json_schema": schema} if self._schema else {"type": "json_object"}
        return {"model": self.model, "messages": messages(request), "response_format": form, "stream": False}


class OllamaChat(_Chat):
    """Ollama's own `POST /api/chat`: its OpenAI-compatible door ignores `num_ctx` and cuts long input silently
    (ollama#2963)."""

    name = "ollama"
    title = "Ollama"

    def __init__(
        self,
        url: str,
        model: str,
        *,
        context_tokens: int = 8192,
        pause_s: float = 1.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        super().__init__(url, model, context_tokens, pause_s, prices)

    def state(self, key: str | None = None) -> TranslatorState:
        return self._state("AUTODUBBER_OLLAMA_URL and AUTODUBBER_OLLAMA_MODEL")

    async def translate(self, request: TranslationRequest) -> Wordings:
        self._check(None)
        body = {
            "model": self.model,
            "messages": messages(request),
            "stream": False,
            "format": _SCHEMA,
            "options": {"num_ctx": self._context_tokens, "temperature": 0},
        }
        try:
            answer = await self._service.post(f"{self._url}/api/chat", body, {}, None, charge=self.charge(request))
        except Refusal as refusal:
            raise refusal.error from None
        return wordings(_part(answer, "message", "content"))


def messages(request: TranslationRequest) -> list[dict[str, str]]:
    """What the model is told."""
    source = f'from "{request.source}"' if request.source else "the source language is not known"
    lines = [
        {"id": line.number, "text": line.text, "max": line.most_characters}
        | ({"wrong": line.complaint} if line.complaint else {})
        for line in request.lines
    ]
    wishes = request.wishes
    texts = "\n".join(line.text for line in request.lines)
    glossary = {each.term: each.wanted for each in wishes.of(texts).terms}
    asked: dict[str, Any] = {"before": request.before, "lines": lines, "after": request.after}
    rules = _RULES.format(target=request.target, source=source) + _FORMALITY.get(wishes.formality, "")
    if wishes.style:
        rules += f"\nStyle: {' '.join(wishes.style.split())}"
    if glossary:
        rules += _GLOSSARY
        asked["glossary"] = glossary
    return [
        {"role": "system", "content": rules},
        {"role": "user", "content": msgspec.json.encode(asked).decode()},
    ]


def wordings(content: str) -> Wordings:
    """The wordings in a model's answer, which may stand between other words. An answer that cannot be read has none; a
    line that is answered twice is left out."""
    found: Wordings = {}
    twice: set[int] = set()
    begin, end = content.find("{"), content.rfind("}")
    try:
        lines = msgspec.json.decode(content[begin : end + 1])["lines"] if begin >= 0 else []
    except (msgspec.DecodeError, KeyError, TypeError):
        return {}
    for line in lines if isinstance(lines, list) else []:
        if not isinstance(line, dict) or not isinstance(number := line.get("id"), int):
            continue
        texts = tuple(text for name in ("text", "short") if isinstance(text := line.get(name), str) and text.strip())
        if number in found:
            twice.add(number)
        found[number] = texts
    return {number: texts for number, texts in found.items() if number not in twice and texts}


def _part(answer: Any, *path: str | int) -> str:
    """A text inside of an answer; "" where a model gave none. Raises translation_failed for another shape."""
    for step in path:
        try:
            answer = answer[step]
        except (KeyError, IndexError, TypeError):
            raise DubError(TRANSLATION_FAILED, "Its answer was not understood.", retryable=True) from None
    return answer if isinstance(answer, str) else ""
