"""Captions that roll: each phrase is read once, at its time."""

import pytest

from app.dubbing.subtitles.srt_vtt import read
from tests.unit.dubbing.subtitles.test_faulty_files import faults, shown

YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:02.429 align:start position:0%
 
Linus,<00:00:00.960><c> do</c><00:00:01.520><c> your</c><00:00:01.759><c> kids</c>

00:00:02.429 --> 00:00:02.439 align:start position:0%
Linus, do your kids
 

00:00:02.439 --> 00:00:05.749 align:start position:0%
Linus, do your kids
think<00:00:02.760><c> your</c><00:00:04.000><c> job</c><00:00:04.200><c> is</c><00:00:04.480><c> cool</c>

00:00:05.749 --> 00:00:05.759 align:start position:0%
think your job is cool
 

00:00:05.759 --> 00:00:08.000 align:start position:0%
think your job is cool
or<00:00:06.000><c> is</c><00:00:06.300><c> it</c><00:00:06.600><c> boring</c>
"""
PHRASES = [
    (0.16, 2.429, "Linus, do your kids"),
    (2.439, 5.749, "think your job is cool"),
    (5.759, 8.0, "or is it boring"),
]
CONVERTED = [
    (0.16, 2.429, "\r\nLinus, do your kids"),
    (2.429, 2.439, "Linus, do your kids\r\n "),
    (2.439, 5.749, "Linus, do your kids\r\nthink your job is cool"),
    (5.749, 5.759, "think your job is cool\r\n "),
    (5.759, 8.0, "think your job is cool\r\nor is it boring"),
]


def clock(seconds: float) -> str:
    return f"00:00:{int(seconds):02},{round(seconds * 1000) % 1000:03}"


def converted(cues: list[tuple[float, float, str]]) -> str:
    return "\n".join(f"{n}\n{clock(start)} --> {clock(end)}\n{text}\n" for n, (start, end, text) in enumerate(cues, 1))


@pytest.mark.parametrize(
    "text", [YOUTUBE, YOUTUBE.replace("\n \n", "\n"), converted(CONVERTED), converted(CONVERTED).replace("\n", "\r\n")]
)
def test_rolling_captions_give_each_phrase_once_at_its_time(text: str) -> None:
    assert shown(text) == PHRASES
    assert read(text.encode()).rolling
    assert faults(text) == []


def test_the_words_of_a_rolling_caption_have_their_own_times() -> None:
    first, _, third = read(YOUTUBE.encode()).cues
    assert [(word.text, word.start_s) for word in first.words] == [
        ("Linus,", 0.16),
        (" do", 0.96),
        (" your", 1.52),
        (" kids", 1.759),
    ]
    assert [(word.text, word.start_s) for word in third.words] == [
        ("or", 5.759),
        (" is", 6.0),
        (" it", 6.3),
        (" boring", 6.6),
    ]
    for cue in read(YOUTUBE.encode()).cues:
        assert "".join(word.text for word in cue.words) == cue.text
        assert all(cue.start_s <= word.start_s < word.end_s <= cue.end_s for word in cue.words)


def test_captions_that_scroll_in_three_lines_or_grow_word_by_word_are_said_once() -> None:
    scroll = [
        (0, 2, "one a"),
        (2, 4, "one a\ntwo b"),
        (4, 6, "one a\ntwo b\nthree c"),
        (6, 8, "two b\nthree c\nfour d"),
        (8, 9, "three c\nfour d"),
    ]
    assert shown(converted(scroll)) == [
        (0.0, 2.0, "one a"),
        (2.0, 4.0, "two b"),
        (4.0, 6.0, "three c"),
        (6.0, 8.0, "four d"),
    ]
    grows = [
        (0, 1, "I"),
        (1, 2, "I think"),
        (2, 3, "I think so"),
        (3, 4, "I think so\nWell"),
        (4, 5, "I think so\nWell then"),
    ]
    found = read(converted(grows).encode())
    assert [(cue.start_s, cue.end_s, cue.text) for cue in found.cues] == [
        (0.0, 3.0, "I think so"),
        (3.0, 5.0, "Well then"),
    ]
    assert [(word.text, word.start_s) for word in found.cues[0].words] == [("I", 0.0), (" think", 1.0), (" so", 2.0)]


def test_what_is_said_twice_in_a_rolling_caption_is_heard_twice() -> None:
    rolls = [(0, 2, "yeah"), (2, 2.01, "yeah"), (2.01, 4, "yeah\nyeah"), (4, 4.01, "yeah"), (4.01, 6, "yeah\nno")]
    assert [text for _, _, text in shown(converted(rolls))] == ["yeah", "yeah", "no"]


def test_what_is_said_twice_in_other_subtitles_is_heard_twice() -> None:
    calls = [(1, 2, "Go!"), (2, 3, "Go!"), (3, 4, "Go!"), (4, 5, "Go!\nNow!"), (6, 7, "Now!")]
    assert [text for _, _, text in shown(converted(calls))] == ["Go!", "Go!", "Go!", "Go!\nNow!", "Now!"]
    assert not read(converted(calls).encode()).rolling


def test_captions_that_stay_under_the_next_end_where_it_begins() -> None:
    over = [(n, n + 3, f"phrase {n}") for n in range(0, 16, 2)]
    assert [(start, end) for start, end, _ in shown(converted(over))] == [
        (float(n), float(n + 2)) for n in range(0, 14, 2)
    ] + [(14.0, 17.0)]
    some = [(n, n + (3 if n == 4 else 1), f"phrase {n}") for n in range(0, 16, 2)]
    assert [(start, end) for start, end, _ in shown(converted(some))] == [(float(a), float(b)) for a, b, _ in some]
