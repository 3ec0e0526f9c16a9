"""Translation services: OpenAI's and Ollama's chat, LibreTranslate and DeepL, as strict as the real ones.

`python -m tests.doubles.translators --port 0` prints its address on the first line and serves until it is ended. Every
request is checked (method, path, headers, schema, limits); what a real service would refuse is refused and stands in
`violations`. `GET /_journal` tells what was asked; `POST /_faults` makes answers wrong.

Every word comes back with its letters turned around. With a verbosity of
1.3, the first wording of a chat is 30 % longer than the source, and the short one as long as the source.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import difflib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.doubles.http import Reply, Request, Server

KEY = "sk_chat_of_the_double_4711"
DEEPL_KEY = "0f0e0d0c-double:fx"
MODEL = "gemma3:4b"
SCHEMA_KEYS = {"type", "properties", "required", "additionalProperties"}


def word_by_word(text: str, verbosity: float = 1.0) -> str:
    """Each word of letters turned around, so that no word is the source's; padded to the verbosity."""
    turned = re.sub(r"[^\W\d_]{2,}", lambda match: match[0][::-1].lower(), text)
    missing = round(len(text) * verbosity) - len(turned)
    return turned if missing < 2 else f"{turned} {'lo' * missing}"[: len(turned) + missing]


class Double:
    """`async with Double() as double: double.url`. `faults` are taken in order, one for each request:

    {"status": 429, "headers": {...}}, {"delay_s": 60}, {"drop": [1]} (lines that are left out), {"twice": [1]},
    {"same": [1]} (untranslated), {"note": [1]} (with a comment), {"text": {"1": "..."}}, {"raw": "..."} (the content),
    {"location": "..."}; a fault with "match" waits for a request whose body has it.
    """

    def __init__(self, *, port: int = 0, verbosity: float = 1.0, schema: bool = True) -> None:
        self._server = Server(self._handle, port)
        self.verbosity, self.schema = verbosity, schema
        self.calls: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.faults: list[dict[str, Any]] = []
        self.phrases: dict[str, dict[str, str]] = {}
        self.usages = 0  # how often DeepL's quota was asked for
        self.usage: dict[str, int] | None = None  # tokens of every chat; None: a fourth of the bytes

    async def __aenter__(self) -> Double:
        await self._server.__aenter__()
        self.url = self._server.url
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._server.__aexit__(*error)

    def texts(self) -> list[str]:
        """Every line that was answered, in order."""
        return [text for call in self.calls if call["answered"] for text in call["texts"]]

    async def _handle(self, request: Request, reply: Reply) -> None:
        if request.path == "/_journal":
            return await reply.whole(200, {"calls": self.calls, "violations": self.violations})
        if request.path == "/_phrases":
            self.phrases = request.json()
            return await reply.whole(200, {})
        if request.path == "/_faults":
            self.faults = request.json()
            return await reply.whole(200, {})
        doors = {
            "/v1/chat/completions": self._openai,
            "/api/chat": self._ollama,
            "/translate": self._libretranslate,
            "/v2/translate": self._deepl,
        }
        if (request.method, request.path) == ("GET", "/v2/usage"):
            if request.headers.get("authorization") != f"DeepL-Auth-Key {DEEPL_KEY}":
                return await reply.whole(403, {"message": "Wrong endpoint or key"})
            self.usages += 1
            return await reply.whole(200, {"character_count": 180_118, "character_limit": 500_000})
        if request.method != "POST" or request.path not in doors:
            self.violations.append(f"{request.method} {request.path}")
            return await reply.whole(404, {"error": "not found"})
        if request.headers.get("content-type") != "application/json":
            return await self._refuse(reply, 415, "not JSON")
        await doors[request.path](request, reply)

    async def _refuse(self, reply: Reply, status: int, why: str) -> None:
        self.violations.append(why)
        await reply.whole(status, {"error": {"message": why}})

    def _fault(self, request: Request) -> dict[str, Any]:
        for at, fault in enumerate(self.faults):
            if fault.get("match", "") in request.body.decode():
                return self.faults.pop(at)
        return {}

    async def _begin(
        self, request: Request, reply: Reply, texts: list[str]
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The journal's entry and the fault; None where the fault was the answer."""
        fault = self._fault(request)
        entry = {"path": request.path, "texts": texts, "answered": False, "body": request.json()}
        self.calls.append(entry)
        if "delay_s" in fault:
            await asyncio.sleep(fault["delay_s"])
        if "location" in fault:
            await reply.whole(307, {}, {"location": fault["location"]})
            return None
        if "status" in fault:
            await reply.whole(fault["status"], fault.get("body", {"error": {"message": "no"}}), fault.get("headers"))
            return None
        return entry, fault

    # ---------------------------------------------------------------- chat

    async def _openai(self, request: Request, reply: Reply) -> None:
        if request.headers.get("authorization") not in (f"Bearer {KEY}", None):
            return await reply.whole(
                401, {"error": {"message": f"Incorrect API key provided: {request.headers['authorization']}"}}
            )
        body = request.json()
        form = body.get("response_format", {})
        if form.get("type") == "json_schema":
            if not self.schema:
                return await reply.whole(400, {"error": {"message": "response_format: json_schema is not supported"}})
            named = form.get("json_schema", {})
            if not named.get("name") or named.get("strict") is not True or not self._strict(named.get("schema")):
                return await self._refuse(reply, 400, "not a strict schema")
        elif form.get("type") != "json_object":
            return await self._refuse(reply, 400, "no response_format")
        if set(body) - {"model", "messages", "response_format", "stream"}:
            return await self._refuse(reply, 400, f"unknown fields {sorted(body)}")
        content = await self._chat(request, reply, body)
        if content is not None:
            choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
            reads = sum(len(message["content"].encode()) for message in body["messages"]) // 4
            writes = self.calls[-1]["written"] = len(content.encode()) // 4
            usage = {"prompt_tokens": reads, "completion_tokens": writes}
            answer = {"id": "c1", "object": "chat.completion", "model": body["model"], "choices": [choice]}
            await reply.whole(200, answer | {"usage": self.usage or usage})

    async def _ollama(self, request: Request, reply: Reply) -> None:
        body = request.json()
        if body.get("stream") is not False or not self._strict(body.get("format")):
            return await self._refuse(reply, 400, "streamed, or without a schema")
        context = body.get("options", {}).get("num_ctx", 2048)
        size = sum(len(message["content"].encode()) for message in body["messages"])
        if size / 2 > context:
            self.violations.append(f"{size} bytes would have been cut silently to {context} tokens")
        content = await self._chat(request, reply, body)
        if content is not None:
            await reply.whole(
                200,
                {
                    "model": body["model"],
                    "message": {"role": "assistant", "content": content},
                    "done": True,
                    "done_reason": "stop",
                },
            )

    def _strict(self, schema: Any) -> bool:
        """Whether every object of the schema names all its fields as required, and allows no others."""
        if not isinstance(schema, dict):
            return False
        if schema.get("type") == "object":
            fields = schema.get("properties", {})
            if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(fields):
                return False
            return all(map(self._strict, fields.values()))
        return (
            self._strict(schema["items"])
            if schema.get("type") == "array"
            else schema.get("type") in ("string", "integer")
        )

    async def _chat(self, request: Request, reply: Reply, body: dict[str, Any]) -> str | None:
        if body.get("model") != MODEL:
            await self._refuse(reply, 404, f"model {body.get('model')!r} not found")
            return None
        system, user = body["messages"]
        if (system["role"], user["role"]) != ("system", "user"):
            await self._refuse(reply, 400, "roles")
            return None
        lines = json.loads(user["content"])["lines"]
        begun = await self._begin(request, reply, [line["text"] for line in lines])
        if begun is None:
            return None
        entry, fault = begun
        entry["lines"] = lines
        answer = []
        for line in lines:
            number, text = line["id"], self._translated(line["text"], system["content"])
            if number in fault.get("drop", ()):
                continue
            text = fault.get("text", {}).get(str(number), text)
            given = str(number) in fault.get("text", {}) or self.phrases
            short = text if given else word_by_word(line["text"])
            if number in fault.get("same", ()):
                text = short = line["text"]
            if number in fault.get("note", ()):
                text = short = f"Note: this is a literal translation. {text}"
            answer += [{"id": number, "text": text, "short": short}] * (2 if number in fault.get("twice", ()) else 1)
        entry["answered"] = True
        return fault.get("raw", json.dumps({"lines": answer}, ensure_ascii=False))

    def _translated(self, text: str, rules: str) -> str:
        """By the phrases that were given to `/_phrases`, by language and source, for what comes near one of them."""
        wanted = re.search('into the language "([^"]+)"', rules)
        known = self.phrases.get(wanted[1] if wanted else "", {})
        near = difflib.get_close_matches(text, known, 1, 0.6)
        return known[near[0]] if near else word_by_word(text, self.verbosity)

    # ---------------------------------------------------------------- machine translation

    async def _libretranslate(self, request: Request, reply: Reply) -> None:
        body = request.json()
        if set(body) - {"q", "source", "target", "format", "api_key", "alternatives"} or body.get("format") != "text":
            return await self._refuse(reply, 400, f"unknown fields {sorted(body)}")
        if not isinstance(body["q"], list) or not 1 <= len(body["q"]) <= 25:
            return await reply.whole(400, {"error": "Invalid request: request batch limit"})
        if body["target"] not in ("de", "es", "en", "fr") or body["source"] not in ("auto", "de", "es", "en", "fr"):
            return await reply.whole(400, {"error": f"{body['target']} is not supported"})
        begun = await self._begin(request, reply, body["q"])
        if begun is not None:
            begun[0]["answered"] = True
            await reply.whole(200, {"translatedText": [word_by_word(text, self.verbosity) for text in body["q"]]})

    def _tagged(self, text: str, ignored: list[str]) -> str:
        """The text with what stands outside of the tags translated, as XML."""
        root = ElementTree.fromstring(f"<r>{text}</r>")  # noqa: S314 - what we sent
        parts = [escape(word_by_word(root.text or ""))]
        for tag in root:
            kept = tag.text or "" if tag.tag in ignored else word_by_word(tag.text or "")
            parts.append(f"<{tag.tag}>{escape(kept)}</{tag.tag}>{escape(word_by_word(tag.tail or ''))}")
        return "".join(parts)

    async def _deepl(self, request: Request, reply: Reply) -> None:
        body = request.json()
        if request.headers.get("authorization") != f"DeepL-Auth-Key {DEEPL_KEY}":
            return await reply.whole(403, {"message": "Wrong endpoint or key"})
        if len(request.body) > 128 << 10:
            return await self._refuse(reply, 413, "more than 128 KiB")
        if not 1 <= len(body["text"]) <= 50 or not re.fullmatch("[A-Z]{2}(-[A-Z]{2,4})?", body["target_lang"]):
            return await self._refuse(reply, 400, "too many texts, or no language")
        tags = {"tag_handling", "ignore_tags"}
        if set(body) - {"text", "target_lang", "source_lang", "context", "split_sentences", "formality", *tags}:
            return await self._refuse(reply, 400, f"unknown fields {sorted(body)}")
        if body.get("formality", "default") not in ("default", "more", "less", "prefer_more", "prefer_less"):
            return await self._refuse(reply, 400, "no such formality")
        if body.get("tag_handling", "xml") != "xml" or (tags & set(body)) not in (set(), tags):
            return await self._refuse(reply, 400, "tag_handling")
        begun = await self._begin(request, reply, body["text"])
        if begun is not None:
            begun[0]["answered"] = True
            try:
                ignored = body.get("ignore_tags")
                told = [
                    word_by_word(text, self.verbosity) if ignored is None else self._tagged(text, ignored)
                    for text in body["text"]
                ]
            except ElementTree.ParseError:
                return await self._refuse(reply, 400, "Tag handling parsing failed")
            found = [{"detected_source_language": "EN", "text": text} for text in told]
            await reply.whole(200, {"translations": found})


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The double in a process of its own; gives its address."""
    argv = [sys.executable, "-m", "tests.doubles.translators", "--port", "0", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def serve(arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Double(port=arguments.port, verbosity=arguments.verbosity) as double:
        print(double.url, flush=True)
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for translation services.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--verbosity", type=float, default=1.0)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
