"""Phonemes by the real espeak-ng library: of texts, and of signs that a glossary gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.speech.espeak.child import open_library
from app.speech.espeak.voice import found_libraries
from app.speech.neural.phonemes import IPA, Phonemizer
from app.speech.spoken_text import with_phonemes


@pytest.fixture
def phonemizer() -> Iterator[Phonemizer]:
    with open_library([list(pair) for pair in found_libraries()]) as (library, _):
        yield Phonemizer(library)


def test_signs_are_spoken_in_place_of_words_and_marks_stay(phonemizer: Phonemizer) -> None:
    text = with_phonemes("Hello, Nguyen: are you there?", [("Nguyen", "w'In,dI:")])
    phonemizer.take_signs(True)
    said = phonemizer.phonemes(text, "en-us", IPA)
    phonemizer.take_signs(False)
    expected = phonemizer.phonemes("Hello, Winn: are you there?", "en-us", IPA)
    assert "wˈɪn" in said and "," in said and ":" in said and said.endswith("?")
    assert expected.split(":")[1] == said.split(":")[-1]


def test_brackets_of_a_text_are_no_signs(phonemizer: Phonemizer) -> None:
    plain = phonemizer.phonemes("say [[w'In]] now", "en-us", IPA)
    phonemizer.take_signs(True)
    beside = with_phonemes("say [[w'In]] now Ada", [("Ada", "'eId@")])
    assert "wˈɪn" not in plain and "wˈɪn" not in phonemizer.phonemes(beside, "en-us", IPA)
