"""The translators against strict doubles of their services: limits, faults, retries and keys."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.domain.errors import DubError, Problem
from app.domain.problems.translation import (
    TRANSLATION_BUSY,
    TRANSLATION_REFUSED,
    TRANSLATOR_KEY_INVALID,
    TRANSLATOR_KEY_MISSING,
    TRANSLATOR_QUOTA,
    TRANSLATOR_UNAVAILABLE,
)
from app.translation.chat import OllamaChat, OpenAIChat, wordings
from app.translation.deepl import DeepL
from app.translation.libretranslate import LibreTranslate
from app.translation.ports import LineToTranslate, TranslationRequest, Translator
from tests.doubles.translators import DEEPL_KEY, KEY, MODEL, Double, word_by_word

TEXTS = ("Welcome to the workshop.", "The glue dries in 30 minutes.")


def asked(*texts: str, target: str = "es", key: str | None = None) -> TranslationRequest:
    lines = tuple(LineToTranslate(number, text, 40) for number, text in enumerate(texts or TEXTS, 1))
    return TranslationRequest(lines, ("Before.",), ("After.",), "en", target, key)


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double() as running:
        yield running
        assert running.violations == []


def translators(url: str) -> dict[str, Translator]:
    return {
        "chat": OpenAIChat(f"{url}/v1", MODEL, key=lambda: KEY, pause_s=0.01),
        "ollama": OllamaChat(url, MODEL, pause_s=0.01),
        "libretranslate": LibreTranslate(url, pause_s=0.01),
        "deepl": DeepL(url, key=lambda: DEEPL_KEY, pause_s=0.01),
    }


@pytest.mark.parametrize("name", ["chat", "ollama", "libretranslate", "deepl"])
async def test_every_line_comes_back_by_its_number(name: str, double: Double) -> None:
    found = await translators(double.url)[name].translate(asked())
    assert {number: texts[0] for number, texts in found.items()} == {
        number: word_by_word(text) for number, text in enumerate(TEXTS, 1)
    }


@pytest.mark.parametrize("name", ["chat", "ollama", "libretranslate", "deepl"])
async def test_a_busy_service_is_asked_again_and_one_that_stays_busy_is_told(name: str, double: Double) -> None:
    one = translators(double.url)[name]
    double.faults = [{"status": 429, "headers": {"retry-after": "0"}}, {"status": 503}]
    assert len(await one.translate(asked())) == 2 and len(double.calls) == 3
    double.faults = [{"status": 500}] * 5
    with pytest.raises(DubError) as caught:
        await one.translate(asked())
    assert caught.value.problem is TRANSLATION_BUSY and caught.value.retryable


async def test_the_waiting_time_that_a_service_names_is_kept(double: Double) -> None:
    import time

    double.faults = [{"status": 429, "headers": {"retry-after": "1"}}]
    began_s = time.monotonic()
    await translators(double.url)["deepl"].translate(asked())
    assert time.monotonic() - began_s >= 1.0


async def test_no_redirect_is_followed(double: Double) -> None:
    for name, one in translators(double.url).items():
        double.faults = [{"location": f"{double.url}/_elsewhere"}]
        with pytest.raises(DubError, match="redirects") as caught:
            await one.translate(asked())
        assert caught.value.problem is TRANSLATION_REFUSED, name


@pytest.mark.parametrize(
    "one, problem",
    [
        (OpenAIChat("", ""), TRANSLATOR_UNAVAILABLE),
        (OllamaChat("http://127.0.0.1:9", ""), TRANSLATOR_UNAVAILABLE),
        (LibreTranslate(""), TRANSLATOR_UNAVAILABLE),
        (DeepL(), TRANSLATOR_KEY_MISSING),
    ],
)
async def test_what_is_not_set_up_says_how(one: Translator, problem: Problem) -> None:
    assert not one.state().available and one.state().remedy
    with pytest.raises(DubError) as caught:
        await one.translate(asked())
    assert caught.value.problem is problem


async def test_a_wrong_key_is_told_without_the_key(double: Double) -> None:
    with pytest.raises(DubError) as caught:
        await OpenAIChat(f"{double.url}/v1", MODEL).translate(asked(key="sk_wrong_and_secret"))
    assert caught.value.problem is TRANSLATOR_KEY_INVALID
    assert "sk_wrong_and_secret" not in str(caught.value) and "[key]" in caught.value.detail
    with pytest.raises(DubError) as caught:
        await DeepL(double.url).translate(asked(key="another"))
    assert caught.value.problem is TRANSLATOR_KEY_INVALID


async def test_a_spent_quota_and_an_unknown_language_are_told(double: Double) -> None:
    double.faults = [{"status": 456, "body": {"message": "Quota Exceeded"}}]
    with pytest.raises(DubError) as caught:
        await translators(double.url)["deepl"].translate(asked())
    assert caught.value.problem is TRANSLATOR_QUOTA
    with pytest.raises(DubError, match="tlh is not supported") as caught:
        await translators(double.url)["libretranslate"].translate(asked(target="tlh"))
    assert caught.value.problem is TRANSLATION_REFUSED


def test_a_free_key_goes_to_the_free_host(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    hosts: list[str] = []

    async def post(self: Any, url: str, body: Any, headers: Any, key: str | None, **_: Any) -> Any:
        hosts.append(url)
        return {"translations": [{"text": "x"}, {"text": "y"}]}

    monkeypatch.setattr("app.translation.service.Service.post", post)
    for key in ("abc:fx", "abc"):
        asyncio.run(DeepL().translate(asked(key=key)))
    assert hosts == ["https://api-free.deepl.com/v2/translate", "https://api.deepl.com/v2/translate"]


async def test_a_server_without_json_schema_is_asked_for_plain_json() -> None:
    async with Double(schema=False) as double:
        one = OpenAIChat(f"{double.url}/v1", MODEL, key=lambda: KEY)
        assert len(await one.translate(asked())) == 2
        assert len(await one.translate(asked())) == 2, "and at once the second time"
        assert [call["body"]["response_format"]["type"] for call in double.calls] == ["json_object"] * 2


async def test_ollama_gets_room_for_all_that_it_is_asked(double: Double) -> None:
    one = OllamaChat(double.url, MODEL, context_tokens=2048)
    text = "ж" * (one.most_bytes // 2)
    await one.translate(asked(text))
    assert double.calls[0]["body"]["options"]["num_ctx"] == 2048


@pytest.mark.parametrize(
    "content, found",
    [
        ('{"lines": [{"id": 1, "text": "Hola."}]}', {1: ("Hola.",)}),
        ('Sure!\n```json\n{"lines": [{"id": 1, "text": "Hola.", "short": "Ay."}]}\n```', {1: ("Hola.", "Ay.")}),
        ('{"lines": [{"id": 1, "text": "A"}, {"id": 1, "text": "B"}, {"id": 2, "text": "C"}]}', {2: ("C",)}),
        ('{"lines": [{"id": "1", "text": "A"}, {"text": "B"}, 3, {"id": 2, "text": " "}]}', {}),
        ('{"lines": [{"id": 1, "text": "Ho', {}),
        ("I cannot do that.", {}),
        ('{"lines": 3}', {}),
        ("[]", {}),
    ],
)
def test_what_a_model_says_is_read_with_care(content: str, found: dict[int, tuple[str, ...]]) -> None:
    assert wordings(content) == found
