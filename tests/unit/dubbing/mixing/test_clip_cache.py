import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from app.dubbing.mixing.clip import prepare
from app.dubbing.mixing.clip_cache import PEAK_N, ClipCache, Cut
from tests.unit.dubbing.sounds import noise, write_wav


@pytest.fixture
def cut(tmp_path: Path) -> Cut:
    return Cut(str(write_wav(tmp_path / "clip.wav", noise(0.5, 24_000), 24_000)), 0.0, 0.0, 20_000)


def test_a_cached_clip_is_made_once_and_is_the_same(tmp_path: Path, cut: Cut) -> None:
    cache = ClipCache(tmp_path)
    clip = cache.clip(cut)
    first = cache.samples(clip.stored)
    made_ns = (tmp_path / clip.stored.name).stat().st_mtime_ns
    again = ClipCache(tmp_path)
    np.testing.assert_array_equal(again.samples(again.clip(cut).stored), first)
    assert (tmp_path / clip.stored.name).stat().st_mtime_ns == made_ns
    assert again.used == {clip.stored.name}
    ready = prepare(Path(cut.path), 0.0, 0.0, 20_000)
    np.testing.assert_allclose(first, ready.samples, atol=1e-4)
    np.testing.assert_array_equal(clip.energies, ready.energies)


def test_the_peaks_are_those_of_five_milliseconds_each(tmp_path: Path, cut: Cut) -> None:
    clip = ClipCache(tmp_path).clip(cut)
    samples = np.abs(prepare(Path(cut.path), 0.0, 0.0, 20_000).samples)
    assert len(clip.peaks) == -(-20_000 // PEAK_N)
    assert clip.peaks[3] == samples[3 * PEAK_N : 4 * PEAK_N].max()
    assert clip.peaks[-1] == samples[len(samples) // PEAK_N * PEAK_N :].max()


def test_another_cut_or_other_speech_is_another_clip(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "clip.wav", noise(0.5))
    cache = ClipCache(tmp_path)
    for trim_start_s, trim_end_s, length_n in (
        (0.0, 0.0, 20_000),
        (0.1, 0.0, 20_000),
        (0.0, 0.1, 20_000),
        (0.0, 0.0, 20_001),
    ):
        cache.clip(Cut(str(path), trim_start_s, trim_end_s, length_n))
    write_wav(path, noise(0.5, seed=1))
    cache.clip(Cut(str(path), 0.0, 0.0, 20_000))
    assert len(cache.used) == 5


def test_a_damaged_cached_clip_is_made_again(tmp_path: Path, cut: Cut) -> None:
    cache = ClipCache(tmp_path)
    clip = cache.clip(cut)
    first = cache.samples(clip.stored)
    whole = (tmp_path / clip.stored.name).read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"x" * 100, whole[:-1] + bytes([whole[-1] ^ 1])):
        (tmp_path / clip.stored.name).write_bytes(damaged)
        np.testing.assert_array_equal(cache.samples(clip.stored), first)
    assert (tmp_path / clip.stored.name).read_bytes() == whole


def test_clips_that_wait_for_their_turn_hold_none_of_their_samples(tmp_path: Path) -> None:
    path, length_n = write_wav(tmp_path / "clip.wav", noise(2.0)), 90_000
    cache = ClipCache(tmp_path)
    tracemalloc.start()
    try:
        waiting = [cache.clip(Cut(str(path), 0.0, 0.0, length_n + n)) for n in range(10)]
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(waiting) == 10
    assert held_bytes < 10 * length_n * 2 / 10  # a tenth of their 16-bit samples: energies and peaks
