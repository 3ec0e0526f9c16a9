import math

import numpy as np
import pytest

from app.domain.job import Background
from app.dubbing import levels
from app.dubbing.levels import VOICE_ABOVE_DUCKED_LU, VOICE_ABOVE_KEPT_LU, Voice, choose
from app.dubbing.loudness import ENERGY_N, energies_of, integrated_lufs, linear
from tests.unit.dubbing.sounds import noise

SPANS = [(5.0, 8.0), (20.0, 23.0)]


def _energies(lufs: float, seconds: float) -> np.ndarray:
    """The energies of a steady sound of that loudness."""
    return np.full(round(seconds * 10), 10 ** ((lufs + 0.691) / 10))


def _voices(*lufs: float) -> list[Voice]:
    return [Voice(round(start_s * 48_000), 3 * 48_000, _energies(level, 3)) for (start_s, _), level in zip(SPANS, lufs, strict=True)]


def _under(gain_at: np.ndarray, source: np.ndarray) -> float:
    """The loudness of what is left of the source where the first line is spoken."""
    return integrated_lufs((source * gain_at**2)[50:80])


@pytest.mark.parametrize("source_lufs", [-35.0, -23.0, -12.0])
def test_the_voice_sits_at_its_distance_over_the_ducked_original(source_lufs: float) -> None:
    source = _energies(source_lufs, 60)
    chosen = choose(Background.DUCK, source, _voices(-20, -20), SPANS, (), None)
    left = _under(chosen.background.per_energy(len(source)), source)
    assert -20 + chosen.voices_db[0] - left == pytest.approx(VOICE_ABOVE_DUCKED_LU, abs=0.51)
    assert chosen.background.per_energy(len(source))[0] == 1.0


@pytest.mark.parametrize("source_lufs", [-35.0, -12.0])
def test_a_kept_original_is_not_touched_and_the_voice_still_leads(source_lufs: float) -> None:
    source = _energies(source_lufs, 60)
    chosen = choose(Background.KEEP, source, _voices(-20, -20), SPANS, (), None)
    assert set(chosen.background.per_energy(len(source))) == {1.0}
    assert -20 + chosen.voices_db[0] - source_lufs == pytest.approx(VOICE_ABOVE_KEPT_LU, abs=0.51)


def test_a_replaced_original_is_silent_but_for_what_is_kept() -> None:
    chosen = choose(Background.REPLACE, _energies(-20, 60), _voices(-20, -20), SPANS, [(40.0, 42.0)], None)
    left = chosen.background.per_energy(600)
    assert left[:395].max() == 0.0
    assert left[405] == 1.0


def test_lines_of_different_loudness_come_out_alike() -> None:
    chosen = choose(Background.DUCK, _energies(-23, 60), _voices(-35, -12), SPANS, (), -16.0)
    assert -35 + chosen.voices_db[0] == pytest.approx(-12 + chosen.voices_db[1], abs=1e-6)


def test_a_silent_line_and_a_silent_source_are_left_alone() -> None:
    voices = [Voice(0, 48_000, np.zeros(10)), *_voices(-20, -20)[:1]]
    chosen = choose(Background.DUCK, np.zeros(600), voices, SPANS, (), -16.0)
    assert chosen.voices_db[0] == 0.0
    assert math.isfinite(chosen.gain_db)
    assert choose(Background.DUCK, np.zeros(600), [], [], (), -16.0).gain_db == 0.0


def test_an_original_that_is_silent_under_the_voice_is_not_ducked() -> None:
    source = _energies(-20, 60)
    source[40:90] = source[190:240] = 0
    chosen = choose(Background.DUCK, source, _voices(-20, -20), SPANS, (), None)
    assert chosen.background.per_energy(600).min() == 1.0


@pytest.mark.parametrize("background", list(Background))
@pytest.mark.parametrize("target", [-23.0, -16.0])
def test_the_whole_is_predicted_to_reach_the_target(background: Background, target: float) -> None:
    sound = noise(30, level=0.05)
    source = energies_of(np.repeat(sound[:, None], 2, axis=1))
    voice = noise(3, level=0.3, seed=1)
    voices = [Voice(round(start_s * 48_000) + 1_234, len(voice), 2 * energies_of(voice)) for start_s, _ in SPANS]
    chosen = choose(background, source, voices, SPANS, (), target)
    shape = chosen.background.block(0, len(sound))
    mixed = np.broadcast_to(sound[:, None] * shape, (len(sound), 1)).copy()
    for placed, gain_db in zip(voices, chosen.voices_db, strict=True):
        mixed[placed.start_n : placed.start_n + len(voice), 0] += voice * linear(gain_db)
    heard = integrated_lufs(energies_of(np.repeat(mixed * linear(chosen.gain_db), 2, axis=1).astype(np.float32)))
    assert heard == pytest.approx(target, abs=0.16)


def test_a_small_edit_does_not_move_the_levels() -> None:
    source = energies_of(np.repeat(noise(60, level=0.05)[:, None], 2, axis=1))
    before = choose(Background.DUCK, source, _voices(-20, -20), SPANS, (), -16.0)
    shorter = [_voices(-20, -20)[0], Voice(20 * 48_000, 2 * 48_000 + 4_800, _energies(-20, 2.1))]
    after = choose(Background.DUCK, source, shorter, [SPANS[0], (20.0, 22.1)], (), -16.0)
    assert before.voices_db[0] == pytest.approx(after.voices_db[0], abs=1e-9)
    assert before.gain_db % 0.25 == after.gain_db % 0.25 == 0.0


def test_a_clip_between_two_cells_is_divided_between_them() -> None:
    voice = Voice(ENERGY_N * 3 + ENERGY_N // 4, ENERGY_N * 2, np.array([1.0, 2.0]))
    energies = levels._voice_energies([voice], [0.0], 8)
    np.testing.assert_allclose(energies, [0, 0, 0, 0.75, 0.25 + 1.5, 0.5, 0, 0])
    np.testing.assert_allclose(levels._voice_energies([voice], [0.0], 4), [0, 0, 0, 0.75])  # the track ends before the clip


def test_hiss_alone_stays_hiss() -> None:
    chosen = choose(Background.DUCK, _energies(-65, 60), [], [], (), -16.0)
    assert chosen.gain_db == 30.0
    spoken = choose(Background.DUCK, _energies(-65, 60), _voices(-20, -20), SPANS, (), -16.0)
    assert spoken.gain_db < 10.0  # the voice sets the level, not the hiss
