"""A chunk made alone has the samples of one continuous pass, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.dubbing.mixing import chunk_render
from app.dubbing.mixing.chunk_plan import CHUNK_N, Chunk, Layer, PlacedClip, plan
from app.dubbing.mixing.chunk_render import mixed
from app.dubbing.mixing.clip_cache import ClipCache, Cut
from app.dubbing.mixing.ducking import DuckedSpan, constant, under
from app.dubbing.mixing.loudness import Floats
from app.dubbing.worker.tasks import Ducking
from tests.unit.dubbing.sounds import RATE_HZ, noise, write_wav

TOTAL_N = 2 * CHUNK_N + 100_001
GAIN_DB = 9.0
CEILING = -2.0


@pytest.fixture(scope="module")
def original() -> Floats:
    """Noise that swells to far over the ceiling, loudest before and after the joins."""
    sound = np.stack([noise(TOTAL_N / RATE_HZ + 1, seed=1), noise(TOTAL_N / RATE_HZ + 1, seed=2)], axis=1)[:TOTAL_N]
    at = np.arange(TOTAL_N)
    for join_n in (CHUNK_N, 2 * CHUNK_N):
        sound *= (1 + 8 * np.exp(-(((at - join_n + 30_000) / 20_000) ** 2)))[:, None].astype(np.float32)
        sound[join_n - 70_000 : join_n - 69_990] *= 40  # a crack whose release is still going on when the chunk begins
    return sound


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClipCache, list[PlacedClip]]:
    folder = tmp_path_factory.mktemp("clips")
    cache = ClipCache(folder)
    path = str(write_wav(folder / "clip.wav", noise(3, 24_000), 24_000))
    starts_n = (0, 333_333, CHUNK_N - 100_000, CHUNK_N - 20_000, 2 * CHUNK_N - 1, TOTAL_N - 50_000)
    return cache, [
        PlacedClip(cache.clip(Cut(path, 0.0, 0.0, 140_000 + n)).stored, start_n, n - 2.5)
        for n, start_n in enumerate(starts_n)
    ]


def _layers(depth_db: float = -15.0) -> tuple[Layer, ...]:
    lines = [DuckedSpan(6.94, 9.9, depth_db), DuckedSpan(28.3, 31.3, depth_db / 2), DuckedSpan(60.8, 62.0, depth_db)]
    return (Layer("original", under(lines, Ducking())),)


def _sound(chunk: Chunk, original: Floats, cache: ClipCache, layers: tuple[Layer, ...]) -> Floats:
    heard = [original[chunk.first_n : chunk.until_n].copy() for _ in chunk.layers]
    return mixed(chunk, layers, heard, cache.samples, GAIN_DB, CEILING)


@pytest.mark.parametrize("block_n", [48_000, 7_777])
def test_chunks_made_alone_are_the_continuous_pass_bit_by_bit(
    original: Floats, clips: tuple[ClipCache, list[PlacedClip]], monkeypatch: pytest.MonkeyPatch, block_n: int
) -> None:
    cache, placed = clips
    layers = _layers()
    chunks = plan(TOTAL_N, layers, placed, GAIN_DB, CEILING)
    everything = Chunk(0, 0, TOTAL_N, 0, TOTAL_N, True, (0,), tuple(placed), "")
    whole = _sound(everything, original, cache, layers)
    assert np.abs(whole).max() < 1.0
    monkeypatch.setattr(chunk_render, "_BLOCK_N", block_n)
    for chunk in chunks:
        alone = _sound(chunk, original, cache, layers)
        from_n = chunk.start_n - 24 * 1_024 if chunk.index else 0  # the encoder's run-up too
        until_n = min(chunk.end_n + 4 * 1_024, TOTAL_N)
        assert np.array_equal(alone[from_n - chunk.first_n : until_n - chunk.first_n], whole[from_n:until_n])


def test_the_own_parts_of_all_chunks_are_the_track_without_a_hole(clips: tuple[ClipCache, list[PlacedClip]]) -> None:
    chunks = plan(TOTAL_N, _layers(), clips[1], GAIN_DB, CEILING)
    assert [chunk.start_n for chunk in chunks] == [0, CHUNK_N, 2 * CHUNK_N]
    assert [chunk.end_n for chunk in chunks] == [CHUNK_N, 2 * CHUNK_N, TOTAL_N]
    assert [chunk.last for chunk in chunks] == [False, False, True]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moved=st.integers(0, 5),
    by_n=st.integers(-30_000, 30_000),
    louder_db=st.sampled_from([0.0, 0.5]),
    depth_db=st.sampled_from([-15.0, -15.5]),
)
def test_a_chunk_keeps_its_name_exactly_when_nothing_that_it_hears_has_changed(
    clips: tuple[ClipCache, list[PlacedClip]], moved: int, by_n: int, louder_db: float, depth_db: float
) -> None:
    """Where the names are equal the windows' clips and gains are, and the other way round."""
    before = plan(TOTAL_N, _layers(), clips[1], GAIN_DB, CEILING)
    old = clips[1][moved]
    changed = [
        *clips[1][:moved],
        PlacedClip(old.clip, old.start_n + by_n, old.gain_db + louder_db),
        *clips[1][moved + 1 :],
    ]
    layers = _layers(depth_db)
    for chunk, other in zip(before, plan(TOTAL_N, layers, changed, GAIN_DB, CEILING), strict=True):
        span = chunk.first_n, chunk.until_n - chunk.first_n
        gains = [np.broadcast_to(found[0].gain.block(*span), (span[1], 1)) for found in (_layers(), layers)]
        placed = [{(clip.clip.name, clip.start_n, clip.gain_db) for clip in found.clips} for found in (chunk, other)]
        assert (chunk.name == other.name) == (np.array_equal(*gains) and placed[0] == placed[1])


def test_the_gain_the_ceiling_and_the_source_are_in_every_name() -> None:
    layers = (Layer("a", constant(0.0)),)
    names = {
        chunk.name
        for gain_db, ceiling in ((0, -2), (1, -2), (0, -1))
        for chunk in plan(TOTAL_N, layers, [], gain_db, ceiling)
    }
    names |= {chunk.name for chunk in plan(TOTAL_N, (Layer("b", constant(0.0)),), [], 0, -2)}
    assert len(names) == 12


def test_silence_is_made_once_wherever_it_is(tmp_path: Path) -> None:
    chunks = plan(6 * CHUNK_N, (), [], 0.0, CEILING)
    assert len({chunk.name for chunk in chunks[1:-1]}) == 1
