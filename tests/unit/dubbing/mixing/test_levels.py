import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.dub_options import Background
from app.dubbing.mixing import levels
from app.dubbing.mixing.ducking import Gain
from app.dubbing.mixing.levels import (
    LEAST_ABOVE_DUCKED_LU,
    LEAST_ABOVE_LU,
    LEAST_ABOVE_MUSIC_LU,
    VOICE_ABOVE_DUCKED_LU,
    VOICE_ABOVE_MUSIC_LU,
    ClipLevels,
    Levels,
    MixChoices,
    choose,
)
from app.dubbing.mixing.loudness import ENERGY_N, energies_of, integrated_lufs, linear, speech_lufs
from app.dubbing.worker.tasks import Ducking
from tests.unit.dubbing.sounds import noise

SPANS = [(5.0, 8.0), (20.0, 23.0)]
DUCK, KEEP, REPLACE = (
    MixChoices(background, target_lufs=None) for background in (Background.DUCK, Background.KEEP, Background.REPLACE)
)
CEILING = -2.0


def _energies(lufs: float, seconds: float) -> np.ndarray:
    """The energies of a steady sound of that loudness."""
    return np.full(round(seconds * 10), 10 ** ((lufs + 0.691) / 10))


def _voice(start_s: float, lufs: float, seconds: float = 3.0, *, crest_db: float = 6.0) -> ClipLevels:
    """A steady clip whose peaks are `crest_db` above its RMS."""
    energies = _energies(lufs, seconds)
    peaks = np.full(round(seconds * 200), np.sqrt(energies[0] / 2) * linear(crest_db), np.float32)
    return ClipLevels(round(start_s * 48_000), round(seconds * 48_000), energies, peaks)


def _voices(*lufs: float) -> list[ClipLevels]:
    return [_voice(start_s, level) for (start_s, _), level in zip(SPANS, lufs, strict=True)]


def _eight_voices() -> list[ClipLevels]:
    return [_voice(5.0 + 7 * index, -20) for index in range(8)]


def _once_loud() -> np.ndarray:
    """A minute that is quiet but for a moment under the first of eight lines."""
    source = _energies(-30, 60)
    source[60:75] = _energies(-12, 1.5)
    return source


def _choose(
    wishes: MixChoices, original: np.ndarray, voices: list[ClipLevels], stem: np.ndarray | None = None
) -> Levels:
    return choose(wishes, original, stem, voices, CEILING)


def _lead_lu(chosen: Levels, index: int, voices: list[ClipLevels], bed: np.ndarray, gain: Gain) -> float:
    """How far a line is over what is left of the background under it."""
    first, last = (round(at_s * 10) for at_s in voices[index].span)
    under, factor = bed[first:last], gain.per_energy(len(bed))[first:last]
    if not (under * factor**2).sum():
        return math.inf
    # The loudness of what was there, less what was taken: measured afterwards, its quiet parts would fall under the
    # gate of -70 LUFS and not count.
    left = speech_lufs(under) + 10 * math.log10((under * factor**2).sum() / under.sum())
    return speech_lufs(voices[index].energies) + chosen.voices_db[index] - left


# ---------------------------------------------------------------- what is under the voice


@pytest.mark.parametrize("source_lufs", [-35.0, -23.0, -12.0])
def test_the_voice_sits_at_its_distance_over_the_ducked_original(source_lufs: float) -> None:
    source, voices = _energies(source_lufs, 60), _voices(-20, -20)
    chosen = _choose(DUCK, source, voices)
    assert _lead_lu(chosen, 0, voices, source, chosen.original) == pytest.approx(VOICE_ABOVE_DUCKED_LU, abs=0.51)
    assert chosen.original.per_energy(len(source))[0] == 1.0


@settings(max_examples=80, deadline=None)
@given(
    loud=st.lists(st.floats(-70, 0), min_size=60, max_size=60),
    said=st.lists(st.floats(-40, -5), min_size=6, max_size=6),
    depth_db=st.one_of(st.none(), st.floats(-40, 0)),
    keep_db=st.floats(-20, 6),
    background=st.sampled_from([Background.DUCK, Background.KEEP]),
    with_stem=st.booleans(),
)
def test_every_line_leads_over_what_is_under_it(
    loud: list[float],
    said: list[float],
    depth_db: float | None,
    keep_db: float,
    background: Background,
    with_stem: bool,
) -> None:
    bed = np.concatenate([_energies(lufs, 1) for lufs in loud])
    voices = [_voice(1.0 + 10 * index, lufs) for index, lufs in enumerate(said)]
    wishes = MixChoices(background, Ducking(depth_db), keep_db, target_lufs=None)
    chosen = _choose(wishes, _energies(-30, 60) if with_stem else bed, voices, bed if with_stem else None)
    least = LEAST_ABOVE_DUCKED_LU if background == Background.DUCK and depth_db is None else LEAST_ABOVE_LU
    for index in range(len(voices)):
        assert _lead_lu(chosen, index, voices, bed, chosen.stem if with_stem else chosen.original) >= least - 0.05


def test_a_loud_moment_under_one_line_is_lowered_there_alone() -> None:
    left = _choose(DUCK, _once_loud(), _eight_voices()).original.per_energy(600)
    assert left[65] < 0.7 * left[135]
    assert left[135] == left[205] == left[555]


def test_the_wished_depth_is_taken_as_long_as_the_voice_leads() -> None:
    source = _energies(-30, 60)
    for depth_db in (-24.0, -9.0):
        chosen = _choose(MixChoices(Background.DUCK, Ducking(depth_db), target_lufs=None), source, _voices(-20, -20))
        assert 20 * math.log10(chosen.original.per_energy(600)[65]) == pytest.approx(depth_db)
    shallow = _choose(MixChoices(Background.DUCK, Ducking(0.0), target_lufs=None), source, _voices(-20, -20))
    assert 20 * math.log10(shallow.original.per_energy(600)[65]) == pytest.approx(-LEAST_ABOVE_LU, abs=0.51)


@pytest.mark.parametrize("source_lufs", [-35.0, -12.0])
@pytest.mark.parametrize("keep_db", [0.0, -6.0])
def test_a_kept_original_is_heard_at_its_level_and_the_voice_leads(source_lufs: float, keep_db: float) -> None:
    source, voices = _energies(source_lufs, 60), _voices(-20, -20)
    chosen = _choose(MixChoices(Background.KEEP, keep_db=keep_db, target_lufs=None), source, voices)
    assert chosen.original.per_energy(600) == pytest.approx([linear(keep_db)] * 600)
    assert -20 + chosen.voices_db[0] - source_lufs - keep_db >= LEAST_ABOVE_LU - 0.3


def test_a_line_in_a_loud_moment_calls_louder_and_the_background_gives_way_to_the_rest() -> None:
    chosen = _choose(KEEP, _once_loud(), _eight_voices())
    assert 0 < chosen.voices_db[0] - chosen.voices_db[1] <= 6.0
    left = chosen.original.per_energy(600)
    assert left[65] < 1.0
    assert left[135] == left[0] == 1.0


def test_a_replaced_original_is_silent_but_for_what_is_kept() -> None:
    chosen = _choose(
        msgspec.structs.replace(REPLACE, original_spans=((40.0, 42.0),)), _energies(-20, 60), _voices(-20, -20)
    )
    left = chosen.original.per_energy(600)
    assert left[:395].max() == 0.0
    assert left[405] == 1.0


def test_with_a_stem_the_original_is_heard_in_kept_lines_only_and_the_stem_elsewhere() -> None:
    wishes = MixChoices(Background.DUCK, original_spans=((40.0, 42.0),), target_lufs=None)
    chosen = _choose(wishes, _energies(-20, 60), _voices(-20, -20), _energies(-25, 60))
    original, stem = chosen.original.per_energy(600), chosen.stem.per_energy(600)
    assert original[:395].max() == 0.0
    assert (original[405], stem[405]) == (1.0, 0.0)
    assert stem[350] == 1.0
    assert stem[65] < 0.5


def test_an_original_that_is_silent_under_the_voice_is_not_ducked() -> None:
    source = _energies(-20, 60)
    source[40:90] = source[190:240] = 0
    assert _choose(DUCK, source, _voices(-20, -20)).original.per_energy(600).min() == 1.0


# ---------------------------------------------------------------- the voice


def test_lines_of_different_loudness_come_out_alike() -> None:
    chosen = _choose(DUCK, _energies(-23, 60), _voices(-35, -12))
    assert -35 + chosen.voices_db[0] == pytest.approx(-12 + chosen.voices_db[1], abs=1e-6)


def test_a_silent_line_and_a_silent_source_are_left_alone() -> None:
    silent = ClipLevels(0, 48_000, np.zeros(10), np.zeros(200, np.float32))
    wishes = msgspec.structs.replace(DUCK, target_lufs=-16.0)
    chosen = _choose(wishes, np.zeros(600), [silent, *_voices(-20, -20)[:1]])
    assert chosen.voices_db[0] == 0.0
    assert math.isfinite(chosen.gain_db)
    assert _choose(wishes, np.zeros(600), []).gain_db == 0.0


# ---------------------------------------------------------------- the whole


@pytest.mark.parametrize("background", list(Background))
@pytest.mark.parametrize("target", [-23.0, -16.0])
def test_the_whole_is_predicted_to_reach_the_target(background: Background, target: float) -> None:
    sound = noise(30, level=0.05)
    source = energies_of(np.repeat(sound[:, None], 2, axis=1))
    said = noise(3, level=0.3, seed=1)
    peaks = np.zeros(600, np.float32)  # nothing for the limiter to do
    voices = [
        ClipLevels(round(start_s * 48_000) + 1_234, len(said), 2 * energies_of(said), peaks) for start_s, _ in SPANS
    ]
    chosen = choose(MixChoices(background, target_lufs=target), source, None, voices, 40.0)
    shape = chosen.original.block(0, len(sound))
    mixed = np.broadcast_to(sound[:, None] * shape, (len(sound), 1)).copy()
    for placed, gain_db in zip(voices, chosen.voices_db, strict=True):
        mixed[placed.start_n : placed.start_n + len(said), 0] += said * linear(gain_db)
    heard = integrated_lufs(energies_of(np.repeat(mixed * linear(chosen.gain_db), 2, axis=1).astype(np.float32)))
    assert heard == pytest.approx(target, abs=0.16)


def test_a_small_edit_does_not_move_the_levels() -> None:
    source = energies_of(np.repeat(noise(60, level=0.05)[:, None], 2, axis=1))
    wishes = msgspec.structs.replace(DUCK, target_lufs=-16.0)
    before = _choose(wishes, source, _voices(-20, -20))
    after = _choose(wishes, source, [_voices(-20, -20)[0], _voice(20.0, -20, 2.1)])
    assert before.voices_db[0] == pytest.approx(after.voices_db[0], abs=1e-9)
    assert before.gain_db % 0.25 == after.gain_db % 0.25 == 0.0


def test_peaks_ask_for_more_gain_because_the_limiter_takes_some() -> None:
    wishes = msgspec.structs.replace(REPLACE, target_lufs=-14.0)
    calm = choose(wishes, np.zeros(600), None, [_voice(5, -20, crest_db=6), _voice(20, -20, crest_db=6)], CEILING)
    peaky = choose(wishes, np.zeros(600), None, [_voice(5, -20, crest_db=18), _voice(20, -20, crest_db=18)], CEILING)
    assert calm.gain_db < peaky.gain_db <= peaky.most_db
    assert peaky.most_db == pytest.approx(calm.gain_db + 6, abs=0.2)


def test_a_clip_between_two_cells_is_divided_between_them() -> None:
    voice = ClipLevels(ENERGY_N * 3 + ENERGY_N // 4, ENERGY_N * 2, np.array([1.0, 2.0]), np.zeros(40, np.float32))
    energies = levels._voice_energies([voice], [0.0], 8)
    np.testing.assert_allclose(energies, [0, 0, 0, 0.75, 0.25 + 1.5, 0.5, 0, 0])
    # the track ends before the clip
    np.testing.assert_allclose(levels._voice_energies([voice], [0.0], 4), [0, 0, 0, 0.75])


def test_hiss_alone_stays_hiss() -> None:
    wishes = msgspec.structs.replace(DUCK, target_lufs=-16.0)
    assert _choose(wishes, _energies(-65, 60), []).gain_db == 30.0
    spoken = _choose(wishes, _energies(-65, 60), _voices(-20, -20))
    assert spoken.gain_db < 10.0  # the voice sets the level, not the hiss


def test_a_speaker_is_heard_as_much_quieter_as_a_person_wishes() -> None:
    voices = _voices(-20, -26)
    wished = [voices[0], msgspec.structs.replace(voices[1], level_db=-6.0)]
    plain = _choose(DUCK, _energies(-30, 30), voices).voices_db
    assert _choose(DUCK, _energies(-30, 30), wished).voices_db == [plain[0], pytest.approx(plain[1] - 6.0)]


@pytest.mark.parametrize(("music_lufs", "lowered_db"), [(-25.0, 5.0), (-31.0, 0.0), (-20.0, 10.0)])
def test_music_without_the_old_voice_is_lowered_gently_and_stays_at_its_level_between_the_lines(
    music_lufs: float, lowered_db: float
) -> None:
    original, music = _energies(-20, 60), _energies(music_lufs, 60)
    gentle = msgspec.structs.replace(DUCK, gentle=True)
    chosen, deep = (
        _choose(gentle, original, _voices(-20, -20), music),
        _choose(DUCK, original, _voices(-20, -20), music),
    )
    assert chosen.stem.per_energy(600)[150] == 1.0
    under, under_deep = (20 * np.log10(each.stem.per_energy(600)[65]) for each in (chosen, deep))
    assert under == pytest.approx(-lowered_db, abs=0.6)
    assert under - under_deep <= VOICE_ABOVE_DUCKED_LU - VOICE_ABOVE_MUSIC_LU + 0.01


def test_music_that_is_loud_under_one_line_is_lowered_there_until_the_voice_leads() -> None:
    chosen = _choose(msgspec.structs.replace(DUCK, gentle=True), _energies(-20, 60), _eight_voices(), _once_loud())
    loud, other = (20 * np.log10(chosen.stem.per_energy(600)[at]) for at in (65, 125))
    assert loud < other - 5
    assert -20 - integrated_lufs(_once_loud()[60:75]) - loud >= LEAST_ABOVE_MUSIC_LU - 1


def test_the_pieces_of_a_line_have_one_level() -> None:
    loud, faint = np.full(40, 1e-2), np.full(40, 1e-4)
    pieces = [
        ClipLevels(0, 4 * 48_000, loud, np.full(800, 0.2, np.float32), line="a"),
        ClipLevels(5 * 48_000, 4 * 48_000, faint, np.full(800, 0.02, np.float32), line="a"),
    ]
    apart = [msgspec.structs.replace(piece, line="") for piece in pieces]
    silent = np.zeros(200)
    together_db = choose(MixChoices(Background.REPLACE), silent, None, pieces, -1.0).voices_db
    apart_db = choose(MixChoices(Background.REPLACE), silent, None, apart, -1.0).voices_db
    assert together_db[0] == together_db[1] and apart_db[1] - apart_db[0] > 10
