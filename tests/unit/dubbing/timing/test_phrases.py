"""A line in phrases: cut at the clip's own silences, each phrase where the original speaks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from app.domain.segment import Placement
from app.dubbing.timing.fit import place
from app.dubbing.timing.phrases import CUT_FROM_S, LEAST_PAUSE_S, original_spans, phrased
from app.dubbing.worker.tasks import FitLine, FitRequest
from tests.unit.dubbing.sounds import write_wav

RATE_HZ = 16_000


def sound(folder: Path, name: str, *parts: float) -> Path:
    """Seconds of sound, silence, sound and so on."""
    noise = np.random.default_rng(3).uniform(-0.3, 0.3, 20 * RATE_HZ).astype(np.float32)
    pieces = [noise[: round(s * RATE_HZ)] * (number % 2 == 0) for number, s in enumerate(parts)]
    return write_wav(folder / f"{name}.wav", np.concatenate(pieces).astype(np.float32), RATE_HZ)


def placement(duration_s: float, *, start_s: float = 1.0, rate: float = 1.0) -> Placement:
    return Placement("a", start_s, duration_s / rate, rate, 0.0, 0.0, ())


def test_a_pause_of_the_original_is_a_pause_of_the_dub(tmp_path: Path) -> None:
    clip = sound(tmp_path, "clip", 1.0, 0.2, 1.0)
    placed = phrased(placement(2.2), clip, [(1.0, 2.1), (3.0, 4.2)], 4.2)
    first, second = placed.phrases
    assert first.start_s == 1.0 and abs(second.start_s - 3.0) <= 0.05
    assert placed.duration_s <= 3.2 + 1e-6 and placed.rate == 1.0
    assert abs(sum(each.duration_s for each in placed.phrases) - 2.06) < 0.05, "nothing of the sound is lost"


def test_a_line_without_a_pause_or_without_room_stays_as_it_is(tmp_path: Path) -> None:
    whole, parted = sound(tmp_path, "whole", 2.0), sound(tmp_path, "parted", 1.0, 0.2, 1.0)
    original = [(1.0, 2.1), (3.0, 4.2)]
    assert phrased(placement(2.0), whole, original, 4.2) == placement(2.0), "it is never cut inside of sound"
    assert phrased(placement(2.2), parted, [(1.0, 4.2)], 4.2) == placement(2.2), "the original does not pause"
    assert phrased(placement(2.2), parted, original, 3.2) == placement(2.2), "no room"


def test_a_closure_inside_a_word_is_no_place_to_cut(tmp_path: Path) -> None:
    clip = sound(tmp_path, "clip", 1.0, CUT_FROM_S - 0.03, 1.0)
    assert phrased(placement(2.1), clip, [(1.0, 2.0), (3.0, 4.0)], 4.2).phrases == ()


def test_phrases_keep_order_pauses_and_rate(tmp_path: Path) -> None:
    clip = sound(tmp_path, "clip", 0.8, 0.3, 0.5, 0.2, 0.9, 0.4, 0.6)
    original = [(1.0, 1.7), (2.4, 3.0), (3.9, 4.6), (5.2, 6.4)]
    for rate in (1.0, 1.2):
        placed = phrased(placement(3.7, rate=rate), clip, original, 6.4)
        assert len(placed.phrases) == 4 and placed.rate == rate
        for before, after in pairwise(placed.phrases):
            assert after.start_s - before.start_s - before.duration_s >= LEAST_PAUSE_S - 0.0601
        last = placed.phrases[-1]
        assert last.start_s + last.duration_s <= 6.4 + 1e-6
        kept = [(p.trim_start_s, 3.7 - p.trim_end_s) for p in placed.phrases]
        assert kept == sorted(kept)
        for phrase, (from_s, to_s) in zip(placed.phrases, kept, strict=True):
            assert phrase.duration_s * rate <= to_s - from_s + 1e-6


def test_the_original_is_heard_or_told_by_its_words(tmp_path: Path) -> None:
    speech = sound(tmp_path, "speech", 0.5, 0.5, 0.5)
    assert [(round(a, 2), round(b, 2)) for a, b in original_spans(speech, 0.0, 1.5, ())] == [(0.0, 0.5), (1.0, 1.5)]
    music = sound(tmp_path, "music", 3.0)
    words = ((0.1, 0.4), (0.45, 0.8), (1.6, 2.2))
    assert original_spans(music, 0.0, 3.0, words) == [(0.1, 0.8), (1.6, 2.2)]


def test_no_phrase_goes_past_the_line_that_follows(tmp_path: Path) -> None:
    clip = sound(tmp_path, "clip", 0.8, 0.2, 0.8)
    speech = sound(tmp_path, "speech", 1.0, 0.9, 1.6, 1.5)
    lines = (FitLine("a", 0.0, 3.5, "x", str(clip), 1.0), FitLine("b", 2.9, 4.9, "y", str(clip), 1.0))
    apart, together = place(FitRequest(lines, 6.0, speech=str(speech))), place(FitRequest(lines, 6.0))
    assert together[0].phrases == () and apart[0].phrases
    assert apart[0].start_s + apart[0].duration_s <= apart[1].start_s
    assert [each.start_s for each in apart] == [each.start_s for each in together]
