"""A glossary: read from files, suggested from lines, and kept to by translation and voices."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.dub_options import Formality
from app.domain.errors import DubError
from app.domain.glossary import Term, pronounced
from app.domain.segment import Segment, Translation
from app.dubbing.casting import VoiceChoice, spoken_lines
from app.dubbing.glossary_file import read_glossary
from app.dubbing.glossary_suggestions import suggestions
from app.dubbing.translate import TranslationChoice, translate
from app.speech.registry import build_registry
from app.translation.chat import OpenAIChat
from app.translation.deepl import DeepL
from app.translation.libretranslate import LibreTranslate
from app.translation.ports import Wishes
from tests.doubles.translators import DEEPL_KEY, KEY, MODEL, Double, word_by_word

TERMS = (Term("Workshop", keep=True), Term("glue", translation="cola"))


def line(n: int, text: str) -> Segment:
    return Segment(f"l{n}", 5.0 * n, 5.0 * n + 4.5, text, text, "", False, ())


LINES = [line(0, "Welcome to the Workshop here."), line(1, "We need the glue & the saw."), line(2, "It is a good day.")]


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double() as running:
        yield running
        assert running.violations == []


def choice(**wishes: Any) -> TranslationChoice:
    return TranslationChoice("en", "es", wishes=Wishes(TERMS, **wishes))


async def translated(translator: Any, cache: Path, asked: TranslationChoice) -> dict[str, Segment]:
    done = await translate(translator, LINES, asked, cache, lambda fraction, message: None)
    return {each.id: each for each in done}


async def test_a_chat_model_is_told_the_terms_of_its_lines_and_asked_again_for_a_lost_one(
    double: Double, tmp_path: Path
) -> None:
    chat = OpenAIChat(f"{double.url}/v1", MODEL, key=lambda: KEY, pause_s=0.01)
    right = {"1": "Welcome al Workshop.", "2": "Falta la cola y la sierra."}
    double.faults = [{}, {"text": {"1": right["1"]}}, {"text": {"1": right["2"]}}]  # lost in the first answer
    found = await translated(chat, tmp_path, choice(formality=Formality.FORMAL, style="like a\nfairy tale"))
    assert [found["l0"].text, found["l1"].text] == list(right.values())
    assert found["l2"].text == word_by_word(LINES[2].text)
    first, again = (json.loads(call["body"]["messages"][1]["content"]) for call in double.calls[:2])
    rules = double.calls[0]["body"]["messages"][0]["content"]
    assert first["glossary"] == {"Workshop": "Workshop", "glue": "cola"}
    assert "formally" in rules and "Style: like a fairy tale" in rules
    assert again["lines"][0]["wrong"] == "The glossary's term “Workshop” is lost; write “Workshop”."


async def test_what_is_wished_is_bought_again_only_where_it_matters(double: Double, tmp_path: Path) -> None:
    chat = OpenAIChat(f"{double.url}/v1", MODEL, key=lambda: KEY, pause_s=0.01)
    await translate(chat, LINES, TranslationChoice("en", "es"), tmp_path, lambda *_: None)
    before = len(double.calls)
    await translated(chat, tmp_path, choice())
    asked = [text for call in double.calls[before:] for text in call["texts"]]
    assert LINES[0].text in asked and LINES[2].text not in asked


async def test_deepl_keeps_the_terms_in_a_tag_and_gets_the_formality(double: Double, tmp_path: Path) -> None:
    deepl = DeepL(double.url, key=lambda: DEEPL_KEY, pause_s=0.01)
    found = await translated(deepl, tmp_path, choice(formality=Formality.INFORMAL))
    assert found["l0"].text == word_by_word("Welcome to the ") + "Workshop" + word_by_word(" here.")
    assert found["l1"].text == word_by_word("We need the ") + "cola & " + word_by_word("the saw.")
    body = double.calls[0]["body"]
    assert (body["tag_handling"], body["ignore_tags"], body["formality"]) == ("xml", ["x"], "prefer_less")
    assert body["text"][1] == "We need the <x>cola</x> &amp; the saw."


async def test_a_service_that_loses_a_term_leaves_the_line_marked(double: Double, tmp_path: Path) -> None:
    found = await translated(LibreTranslate(double.url), tmp_path, choice())
    assert [found[name].translation for name in ("l0", "l1", "l2")] == [Translation.FAILED] * 2 + [Translation.DONE]
    assert found["l0"].text == LINES[0].text, "it stays in the source language"
    assert double.calls[0]["body"]["q"][1] == "We need the cola & the saw."


async def test_a_lost_name_is_asked_for_once_more_and_then_let_go(double: Double, tmp_path: Path) -> None:
    chat = OpenAIChat(f"{double.url}/v1", MODEL, key=lambda: KEY, pause_s=0.01)
    lines = [line(0, "Yesterday we saw Berta there."), line(1, "Today we saw Carla there.")]
    double.faults = [{}, {"text": {"1": "Ayer vimos a Berta alla."}}]
    found = await translate(chat, lines, TranslationChoice("en", "es"), tmp_path, lambda *_: None)
    assert [each.text for each in found] == ["Ayer vimos a Berta alla.", word_by_word(lines[1].text)]
    assert [each.translation for each in found] == [Translation.DONE] * 2
    assert len(double.calls) == 3  # the lines that lack one, in two parts


def requests(voice: str, terms: tuple[Term, ...], folder: Path) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    some = [line(0, "Ada saw the GIF, and Ada's GIF."), line(1, "Nobody here.")]
    spoken = spoken_lines(
        some, VoiceChoice(voice, "", 1.0, "en", pronounced=pronounced(terms)), build_registry(models=folder)
    )
    assert [each.line.text for each in spoken] == [each.text for each in some], "subtitles keep what is written"
    return [(each.request.text, each.request.phonemes) for each in spoken]


def test_a_voice_is_given_another_spelling_or_signs_where_it_takes_them(tmp_path: Path) -> None:
    terms = (Term("Ada", say="Eyda", phonemes="'eId@"), Term("GIF", say="jif"))
    assert requests("elevenlabs:v", terms, tmp_path)[0] == ("Ada saw the GIF, and Ada's GIF.", ()), "told beside it"
    assert requests("openai:v", terms, tmp_path) == [
        ("Eyda saw the jif, and Eyda's jif.", ()),
        ("Nobody here.", ()),
    ]
    assert requests("espeak:en-us", terms, tmp_path) == [
        ("Ada saw the jif, and Ada's jif.", (("Ada", "'eId@"),)),
        ("Nobody here.", ()),
    ]


async def test_espeak_speaks_the_signs_and_not_brackets_of_the_text(tmp_path: Path) -> None:
    voice, _ = build_registry(models=tmp_path).voice("espeak:en-us")

    async def sound(text: str, *terms: Term) -> bytes:
        choice = VoiceChoice("espeak:en-us", "", 1.0, "en", pronounced=pronounced(terms))
        (asked,) = spoken_lines([line(0, text)], choice, build_registry(models=tmp_path))
        return (await voice.speak(asked.request)).pcm

    assert await sound("Hello Nguyen there.", Term("Nguyen", phonemes="w'In")) == await sound("Hello Winn there.")
    assert await sound("Hello Nguyen there.") != await sound("Hello Winn there.")
    assert await sound("Say [[w'In]] now.") != await sound("Say Winn now.")


def test_csv_tsv_and_a_row_of_names_are_read() -> None:
    plain = read_glossary(b"Workshop,Workshop\nglue,cola\nAda,,Eyda,'eId@\n")
    assert plain == (Term("Workshop", keep=True), Term("glue", "cola"), Term("Ada", say="Eyda", phonemes="'eId@"))
    named = read_glossary("Say;Keep;Source\nEyda;;Ada\n;yes;Größe\n".encode("cp1252"))
    assert named == (Term("Ada", say="Eyda"), Term("Größe", keep=True))
    assert read_glossary(b"# mine\nNew York\tNueva York\nGIF\n") == (Term("New York", "Nueva York"), Term("GIF"))


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "no terms"), (b"a\n" + b"b" * 101, "Row 2"), (b",x", "Row 1"), (b"a,,,[[x]]", "phonemes"),
     (b"\n".join(b"t%d" % n for n in range(501)), "501 terms")],
)  # fmt: skip
def test_what_is_no_glossary_is_refused_with_its_row(data: bytes, says: str) -> None:
    with pytest.raises(DubError) as refused:
        read_glossary(data)
    assert refused.value.problem.code == "glossary_invalid" and says in refused.value.message


def test_names_and_repeated_terms_are_suggested() -> None:
    texts = [
        "Today we meet Ada Lovelace in London.",
        "Lovelace wrote about the transmogrifier, I'm told.",
        "The transmogrifier is not an iPhone. The day is long.",
        "Every transmogrifier needs London, and NASA agrees.",
    ]
    found = suggestions([line(n, text) for n, text in enumerate(texts)], [Term("NASA")], "en")
    names = [each.term for each in found]
    assert set(names) == {"Ada Lovelace", "London", "iPhone", "transmogrifier"}
    assert next(each.count for each in found if each.term == "transmogrifier") == 3
    german = [line(0, "Das ist der Tisch von Ada Lovelace."), line(1, "Der Tisch ist neu.")]
    assert [each.term for each in suggestions(german, [], "de")] == ["Ada Lovelace"]
