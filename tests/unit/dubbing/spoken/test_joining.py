"""Subtitles of a word or two become sentences, with every word and its time kept."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.segment import Word
from app.dubbing.spoken.joining import LONGEST_S, JoinedLine, ends_sentence, join, looks_short
from app.dubbing.spoken.speaker_labels import NOBODY, names_in
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.srt_vtt import parse


def spread(texts: list[str], every_s: float = 0.3, shown_s: float = 0.28, start_s: float = 0.0) -> list[Cue]:
    """A cue for each text, one right after the other."""
    return [Cue(start_s + n * every_s, start_s + n * every_s + shown_s, text) for n, text in enumerate(texts)]


def texts(cues: list[Cue]) -> list[str]:
    return [joint.text for joint in join(cues, names_in(cue.text for cue in cues))]


def test_one_word_a_cue_becomes_sentences() -> None:
    assert texts(spread(["It", "is", "late.", "Shall", "we", "go?", "Yes,", "let", "us", "go", "home."])) == [
        "It is late.",
        "Shall we go?",
        "Yes, let us go home.",
    ]


@pytest.mark.parametrize(
    "words, lines",
    [
        (["Mr.", "Smith", "met", "Dr.", "No."], ["Mr. Smith met Dr. No."]),
        (["J.", "K.", "Rowling", "wrote."], ["J. K. Rowling wrote."]),
        (["It", "costs", "3.", "5", "euros."], ["It costs 3. 5 euros."]),
        (["Wait...", "what?", "Wait...", "No."], ["Wait... what?", "Wait...", "No."]),
        (["e.g.", "this", "vs.", "that."], ["e.g. this vs. that."]),
        (["“Go!”", "she", "said."], ["“Go!”", "she said."]),
        (["I", "don", "'t", "know", ".", "Yes", "!"], ["I don't know.", "Yes!"]),
        (["well", "-known", "words"], ["well-known words"]),
        (["我", "们", "走", "吧。", "好", "的。"], ["我们走吧。", "好的。"]),
        (["今日は", "いい", "天気", "です。"], ["今日はいい天気です。"]),
        (["สวัสดี", "ครับ"], ["สวัสดีครับ"]),
        (["안녕", "하세요."], ["안녕 하세요."]),
        (["كيف", "حالك؟", "بخير", "۔"], ["كيف حالك؟", "بخير۔"]),
        (["मैं", "ठीक", "हूँ।", "तुम?"], ["मैं ठीक हूँ।", "तुम?"]),
        (["Τι", "κάνεις;", "Καλά."], ["Τι κάνεις;", "Καλά."]),
        (["JOHN:", "Hi", "there.", "MARY:", "Hello."], ["JOHN: Hi there.", "MARY: Hello."]),
        ([">> I", "say", ">> you", "say"], [">> I say", ">> you say"]),
        (["I", "say", "–", "well", "–", "no"], ["I say – well – no"]),
        (["I", "say", "- You", "say"], ["I say", "- You say"]),
        (["[door", "slams]", "What", "now?"], ["[door slams] What now?"]),
    ],
)
def test_where_a_line_ends_and_what_stands_between_words(words: list[str], lines: list[str]) -> None:
    assert texts(spread(words)) == lines


def test_a_pause_ends_a_line_and_a_shorter_one_does_where_nothing_is_punctuated() -> None:
    assert texts([*spread(["so", "it", "goes."]), *spread(["and", "on."], start_s=0.28 + 0.6 + 0.9)]) == [
        "so it goes.",
        "and on.",
    ]
    paused = [*spread(["it", "is"]), *spread(["not", "so"], start_s=0.58 + 0.6)]
    assert texts(paused) == ["it is", "not so"]
    assert texts([*paused, Cue(9, 9.5, "End.")]) == ["it is not so", "End."]


def test_never_across_speakers_that_the_file_names() -> None:
    cues = [
        Cue(0, 0.2, "I", (), "Ann"),
        Cue(0.2, 0.4, "go", (), "Ann"),
        Cue(0.4, 0.6, "you", (), "Bob"),
        Cue(0.6, 0.8, "stay", (), "Bob"),
    ]
    assert [(joint.speaker, joint.text) for joint in join(cues, NOBODY)] == [("Ann", "I go"), ("Bob", "you stay")]


def test_what_is_said_at_the_same_time_is_not_one_line() -> None:
    assert texts([Cue(0, 4, "a long one"), Cue(1, 2, "another")]) == ["a long one", "another"]


def test_endless_talk_is_cut_at_clauses_and_pauses() -> None:
    words = [f"w{n}," if n == 33 else f"w{n}" for n in range(60)]
    joints = list(join(spread(words), NOBODY))
    assert len(joints) == 2 and joints[0].text.endswith("w33,")
    slow = spread([f"w{n}" for n in range(60)])
    slow = [*slow[:20], *(Cue(cue.start_s + 0.3, cue.end_s + 0.3, cue.text) for cue in slow[20:])]
    assert next(join(slow, NOBODY)).text.endswith("w19")


def test_a_line_has_no_more_characters_than_a_line_may_have() -> None:
    joints = list(join(spread(["a" * 3000, "b" * 1999, "c" * 3000]), NOBODY))
    assert [len(joint.text) for joint in joints] == [5000, 3000]


def test_a_word_has_its_own_time_or_its_share_of_the_cue() -> None:
    cues = [Cue(0.0, 1.0, "one three"), Cue(1.0, 2.0, "four five", (Word("four", 1.1, 1.3), Word("five", 1.6, 1.9)))]
    joint = next(join(cues, NOBODY))
    assert [(word.text, word.start_s, word.end_s) for word, _ in joint.words] == [
        ("one", 0.0, 0.375),
        ("three", 0.375, 1.0),
        ("four", 1.1, 1.3),
        ("five", 1.6, 1.9),
    ]
    assert all(joint.text[start:end] == word.text for word, (start, end) in joint.words)


# ---- what looks like it


def test_a_file_of_single_words_looks_short() -> None:
    assert looks_short(spread(["this", "is", "one", "word", "in", "every", "cue"]))
    assert looks_short(spread(["我们", "现在", "走吧", "好的", "再见"]))
    assert looks_short(spread(["this is", "two or three", "words a", "time as", "phones show"], 0.8, 0.75))


@pytest.mark.parametrize(
    "cues",
    [
        spread(["Yes.", "No.", "Why?", "Come on!", "All right.", "Go."], 2.0, 1.0),  # short answers, with time between
        spread(
            ["He gave me the printed report in your", "notes.", "I have read all of it by now.", "Thank you."], 3.0, 2.9
        ),
        spread(["Yes", "No", "Maybe", "Never", "Always"], 3.0, 1.0),
        spread(["one", "two"]),
        spread(["今天我们去公园散步", "明天我们去看电影吧", "后天我们去吃火锅", "然后回家"], 1.2, 1.1),
        [],
    ],
)
def test_other_files_do_not(cues: list[Cue]) -> None:
    assert not looks_short(cues)


def test_a_real_film_does_not() -> None:
    film = "\n\n".join(
        (
            f"{n}\n00:{n // 20:02}:{n % 20 * 3:02},000 --> "
            f"00:{n // 20:02}:{n % 20 * 3 + 2:02},500\n{'I never thought it would end' if n % 2 else 'like this. Did you?'}"
        )
        for n in range(1, 200)
    )
    assert not looks_short(parse(film.encode()))


@pytest.mark.parametrize(
    "text, following, ends",
    [
        ("No.", "Go", True),
        ("Mr.", "Go", False),
        ("etc...", "and", False),
        ("了。", "", True),
        ("approx.", "five", False),
        ("U.S.", "law", False),
        ("He is 12.", "Then", True),
        ("go", "", False),
        ('"Go."', "", True),
    ],
)
def test_the_end_of_a_sentence(text: str, following: str, ends: bool) -> None:
    assert ends_sentence(text, following) is ends


# ---- for any file


@st.composite
def files(draw: st.DrawFn) -> list[Cue]:
    word = st.sampled_from(
        [
            "a",
            "it,",
            "is.",
            "No!",
            "Mr.",
            "我",
            "好。",
            "JOHN:",
            ">>",
            "-",
            "(sighs)",
            "♪",
            "3.",
            "5",
            "'t",
            "two words",
            "three of them",
            "longer, or so",
        ]
    )
    at = 0.0
    cues = []
    for _ in range(draw(st.integers(0, 40))):
        at = max(at + draw(st.sampled_from([-0.1, 0.0, 0.02, 0.3, 0.6, 0.9, 3.0])), 0.0)
        end_s = at + draw(st.sampled_from([0.01, 0.2, 1.0, 13.0]))
        cues.append(Cue(round(at, 3), round(end_s, 3), draw(word), (), draw(st.sampled_from(["", "", "", "Ann"]))))
        at += draw(st.sampled_from([0.05, 0.2, 1.0]))
    return sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))


def letters(text: str) -> str:
    return "".join(text.split())


@given(files())
def test_no_word_is_lost_or_doubled_and_times_stay_within_the_originals(cues: list[Cue]) -> None:
    joints: list[JoinedLine] = list(join(cues, names_in(cue.text for cue in cues)))
    assert [letters(joint.text) for joint in joints] == [
        "".join(letters(cue.text) for cue in group) for group in _groups(cues, [len(joint.words) for joint in joints])
    ]
    words = [word for joint in joints for word, _ in joint.words]
    assert [word.text for word in words] == [token for cue in cues for token in cue.text.split()]
    origins = [cue for cue in cues for _ in cue.text.split()]
    for word, cue in zip(words, origins, strict=True):
        assert cue.start_s <= word.start_s <= word.end_s <= cue.end_s
    for joint in joints:
        own = [word for word, _ in joint.words]
        assert all(a.start_s <= b.start_s and a.end_s <= b.end_s for a, b in itertools.pairwise(own))
        assert joint.start_s <= own[0].start_s and own[-1].end_s <= joint.end_s
        assert len(joint.text) <= MAX_TEXT_CHARACTERS
        of = [cue for cue in cues if joint.start_s <= cue.start_s <= cue.end_s <= joint.end_s]
        assert (
            joint.end_s - joint.start_s <= LONGEST_S + 0.5 or max(cue.end_s - cue.start_s for cue in of) > LONGEST_S / 2
        )


def _groups(cues: list[Cue], sizes: list[int]) -> list[list[Cue]]:
    """The cues that have so many words each time."""
    waiting = iter(cues)
    groups = []
    for size in sizes:
        group: list[Cue] = []
        while sum(len(cue.text.split()) for cue in group) < size:
            group.append(next(waiting))
        groups.append(group)
    assert next(waiting, None) is None
    return groups
