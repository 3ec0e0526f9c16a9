"""espeak-ng's phonemes become Kokoro's letters, punctuation and numbers kept."""

from __future__ import annotations

import pytest

from app.speech.espeak.child import open_library
from app.speech.espeak.voice import found_libraries
from app.speech.neural import kokoro
from app.speech.neural.phonemes import IPA, IPA_TIED, NoPhonemes, Phonemizer, sentences


def letters(text: str, language: str) -> str:
    with open_library([list(pair) for pair in found_libraries()]) as (library, _):
        return kokoro.letters(Phonemizer(library).phonemes(text, language, IPA_TIED), language)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en-us", "Hello there!", "həlˈO ðˈɛɹ!"),
        ("en", "The nurse goes home, there.", "ðə nˈɜːs ɡQz hˈQm, ðˈɛː."),
        ("es", "¿Cómo estás?", "kˈomo estˈas?"),
        ("it", "Cento, ciao.", "ʧˈɛnto, ʧˈao."),
    ],
)
def test_letters_are_those_that_the_model_was_trained_with(language: str, text: str, expected: str) -> None:
    assert letters(text, language) == expected


def test_a_mark_inside_a_number_is_no_pause() -> None:
    said = letters("It is 3.5 at 10:30.", "en-us")
    assert said.count(".") == 1 and ":" not in said and "pYnt" in said


def test_a_word_of_another_language_leaves_no_flag() -> None:
    assert "(" not in letters("Le weekend est là.", "fr")


def test_an_unknown_language_is_told() -> None:
    with open_library([list(pair) for pair in found_libraries()]) as (library, _), pytest.raises(NoPhonemes):
        Phonemizer(library).phonemes("x", "no-such", IPA)


def test_what_is_longer_than_a_call_is_cut_at_marks_then_words_then_anywhere() -> None:
    spoken = "a" * 300 + ". " + "b" * 300 + " " + "c" * 600
    parts = kokoro.cut(spoken)
    assert parts == ["a" * 300 + ".", "b" * 300, "c" * 510, "c" * 90]
    assert kokoro.cut("abc") == ["abc"] and kokoro.cut("") == []


def test_sentences_end_at_their_marks() -> None:
    assert sentences("One. Two? Three… four!") == ["One.", "Two?", "Three…", "four!"]
    assert sentences("Version 3.5 is here.") == ["Version 3.5 is here."]
