"""Terms in texts: found as words, replaced, and told to recognition."""

from __future__ import annotations

from app.domain.glossary import Term, hotwords, pronounced, replaced, translated, within


def test_a_term_is_found_as_a_word_and_small_letters_in_capitals_too() -> None:
    assert within("table", "The Table, here.") and not within("table", "tablecloth")
    assert within("US", "the US is") and not within("US", "for us all")
    assert within("C++", "in C++.") and within("東京", "私は東京に") and not within("x", "")


def test_words_are_replaced_once_each_the_longest_first() -> None:
    pairs = [("New York", "Nuyork"), ("York", "Jork")]
    assert replaced("New York, York and york.", pairs) == "Nuyork, Jork and york."
    assert replaced("GIF and gif", [("gif", "jif")]) == "jif and jif"
    assert replaced("a.b (a) $1", [("a", r"\1$&")]) == r"\1$&.b (\1$&) $1"
    assert replaced("as it is", []) == "as it is"


def test_each_is_told_what_concerns_it() -> None:
    terms = (
        Term("Ada", say="Eida"),
        Term("York", translation="Yorque", phonemes="j'O:k"),
        Term("AutoDubber", keep=True),
        Term("GIF"),
    )
    assert hotwords(terms) == ("Ada", "York", "AutoDubber", "GIF")
    assert [(each.term, each.wanted) for each in translated(terms)] == [
        ("York", "Yorque"),
        ("AutoDubber", "AutoDubber"),
    ]
    assert [each.written for each in pronounced(terms)] == ["Yorque", "York", "Ada"]
    assert sum(map(len, hotwords([Term(f"{n:0100}") for n in range(50)]))) <= 600
