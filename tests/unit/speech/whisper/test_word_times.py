"""Words lie in order within the speech; where the attention follows none, the segment's time is shared out."""

from __future__ import annotations

import itertools

import pytest

from app.speech.whisper.cleanup import settle
from app.speech.whisper.heard import Heard, HeardWord
from app.speech.whisper.vad import SpeechChunk
from app.speech.whisper.word_times import believed, placed


def heard(start_s: float, end_s: float, *words: tuple[str, float, float]) -> Heard:
    made = tuple(HeardWord(text, first_s, last_s, 0.9) for text, first_s, last_s in words)
    return Heard(start_s, end_s, "".join(word.text for word in made), 0.01, -0.2, 1.2, made)


def same(second: float, *, end: bool = False) -> float:
    return second


def test_the_words_next_to_a_pause_begin_and_end_with_the_speech() -> None:
    segment = heard(0.0, 4.0, (" One", 0.1, 0.5), (" two.", 0.5, 1.4), (" Three", 1.6, 2.4), (" four.", 2.4, 3.7))
    words = placed(segment.words, same, [(0.2, 1.2), (2.1, 3.9)])
    assert [(word.start_s, word.end_s) for word in words] == [(0.2, 0.5), (0.5, 1.2), (2.1, 2.4), (2.4, 3.9)]


def test_a_line_keeps_its_words_and_they_are_its_text() -> None:
    (line,) = settle([heard(0.0, 2.0, (" Good", 0.1, 0.5), (" day.", 0.5, 1.9))], same, [(0.0, 2.0)])
    assert [(word.text, word.start_s) for word in line.words] == [("Good", 0.0), (" day.", 0.5)]
    assert line.words[-1].end_s == line.end_s == 2.0


def test_words_that_fell_on_one_moment_share_the_segments_time() -> None:
    moment = [(word, 11.5, 11.5) for word in (" Now", " turn", " it")]
    collapsed = heard(10.0, 12.0, *moment, (" over.", 11.5, 12.0))
    words = believed(collapsed)
    assert words[0].start_s == 10.0 and words[-1].end_s == 12.0
    assert all(a.end_s == b.start_s and a.end_s > a.start_s for a, b in itertools.pairwise(words))


def test_a_text_that_was_cleaned_has_no_words() -> None:
    said = heard(0.0, 4.0, *((" Thank you.", n / 3, n / 3 + 0.3) for n in range(12)))
    (line,) = settle([Heard(0.0, 4.0, said.text, 0.01, -0.2, 9.0, said.words)], same, [(0.0, 4.0)])
    assert (line.text, line.words) == ("Thank you.", ())


def test_the_end_of_the_last_speech_is_told_in_seconds_of_the_chunk() -> None:
    import numpy as np

    chunk = SpeechChunk(np.zeros(64_000, np.float32), ((0, 100.0), (50, 110.0)), ((100.4, 101.0), (110.2, 111.0)), 112)
    assert chunk.speech_end_s == pytest.approx(50 * 0.032 + 1.0)
