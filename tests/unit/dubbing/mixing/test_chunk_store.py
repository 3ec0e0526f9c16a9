"""Chunks: encoded alone, joined, kept, found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.dubbing.mixing.chunk_encode import CODED_CEILING_DBTP
from app.dubbing.mixing.chunk_plan import CHUNK_N, Chunk, Layer, plan
from app.dubbing.mixing.chunk_store import ChunkStore, Made, Mix, make
from app.dubbing.mixing.clip_cache import ClipCache
from app.dubbing.mixing.ducking import constant
from app.dubbing.mixing.loudness import energies_of, integrated_lufs
from app.dubbing.mixing.true_peak import dbtp, true_peak
from app.media.packets import AAC, OPUS, PacketCodec, encode, packet_file
from tests.unit.dubbing.sounds import RATE_HZ, decode, noise, tone

CODECS = pytest.mark.parametrize(("codec", "extension"), [(AAC, "m4a"), (OPUS, "opus")], ids=["aac", "opus"])


def _music(seconds: float) -> np.ndarray:
    """A chord that swells: easy to encode, so that a fault at a join stands out."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (220, 277, 330)) * 0.1 * (1 + 0.3 * np.sin(2 * np.pi * 0.21 * t))
    return np.stack([chord, chord * 0.7], axis=1).astype(np.float32)


def _hiss(seconds: float) -> np.ndarray:
    """What AAC encodes quickly."""
    return np.stack([noise(seconds, seed=1), noise(seconds, seed=2)], axis=1)


def _encode(
    samples: np.ndarray, out: Path, cache: Path, codec: PacketCodec = AAC, *, threads: int = 2, identity: str = "a"
) -> Made:
    """As `mix` does it, with this sound for a background."""
    cache.mkdir(exist_ok=True)
    layers = (Layer(identity, constant(0.0)),)
    chunks = plan(len(samples), layers, [], 0.0, CODED_CEILING_DBTP)
    store = ChunkStore(cache)

    def hear(chunk: Chunk) -> list[np.ndarray]:
        return [samples[chunk.first_n : chunk.until_n].copy()]

    made = make(
        chunks,
        Mix(layers, 0.0, CODED_CEILING_DBTP),
        [codec],
        store,
        ClipCache(cache),
        hear,
        threads,
    )
    with packet_file(codec, out, len(samples)) as writer:
        for chunk in chunks:
            writer.write(store.packets(chunk, codec) or [])
    return made


@CODECS
@pytest.mark.parametrize(
    "length_n", [1, 1_000, 1_024, 1_025, 48_023, CHUNK_N, CHUNK_N + 1, CHUNK_N + 4 * 1_024 - 1, CHUNK_N + 4 * 1_024]
)
def test_a_decoder_sees_every_sample_and_not_one_more(
    ffmpeg: str, tmp_path: Path, length_n: int, codec: PacketCodec, extension: str
) -> None:
    samples = _music(length_n / RATE_HZ + 1)[:length_n]
    out = tmp_path / f"out.{extension}"
    _encode(samples, out, tmp_path / "cache", codec)
    heard = decode(ffmpeg, out)
    assert len(heard) == length_n
    # a codec takes two frames to settle after an abrupt start
    assert np.abs(heard - samples)[2 * codec.frame_n : -200].max(initial=0.0) < 0.02


@CODECS
def test_a_join_sounds_like_any_other_place(ffmpeg: str, tmp_path: Path, codec: PacketCodec, extension: str) -> None:
    samples = _music(65)
    out = tmp_path / f"out.{extension}"
    assert _encode(samples, out, tmp_path / "cache", codec).made == 5
    error = np.abs(decode(ffmpeg, out) - samples).max(axis=1)
    frame_n = codec.frame_n
    usual = np.quantile(error[frame_n * 50 : frame_n * 900].reshape(-1, frame_n).max(axis=1), 0.999)
    for join_n in range(CHUNK_N, len(samples), CHUNK_N):
        assert error[join_n - 2 * frame_n : join_n + 2 * frame_n].max() < 1.5 * usual


@CODECS
def test_threads_do_not_change_the_file(tmp_path: Path, codec: PacketCodec, extension: str) -> None:
    samples = _hiss(33)
    _encode(samples, tmp_path / f"a.{extension}", tmp_path / "a", codec, threads=1)
    _encode(samples, tmp_path / f"b.{extension}", tmp_path / "b", codec, threads=3)
    assert (tmp_path / f"a.{extension}").read_bytes() == (tmp_path / f"b.{extension}").read_bytes()


@CODECS
def test_the_levels_are_those_that_a_player_hears(
    ffmpeg: str, tmp_path: Path, codec: PacketCodec, extension: str
) -> None:
    samples = _hiss(33)
    made = _encode(samples, tmp_path / f"out.{extension}", tmp_path / "cache", codec)
    heard = decode(ffmpeg, tmp_path / f"out.{extension}")
    whole = energies_of(heard)
    measured = np.concatenate([chunk.energies for chunk in made.levels])
    assert len(measured) == len(whole)
    assert integrated_lufs(measured) == pytest.approx(integrated_lufs(whole), abs=0.002)
    assert max(chunk.peak for chunk in made.levels) == pytest.approx(true_peak(heard), rel=0.01)


def test_peaks_that_grow_in_coding_are_limited_until_they_do_not_pass_minus_one(ffmpeg: str, tmp_path: Path) -> None:
    squared = np.clip(_hiss(5) * 8, -0.7, 0.7)  # what AAC leaves out of this was holding its edges straight
    made = _encode(squared, tmp_path / "out.m4a", tmp_path / "cache")
    assert -2.0 < dbtp(made.levels[0].peak) <= -1.0
    assert dbtp(true_peak(decode(ffmpeg, tmp_path / "out.m4a"))) <= -0.95


def test_a_damaged_or_missing_chunk_is_made_again(tmp_path: Path) -> None:
    samples = _hiss(17)  # a whole chunk and a short one
    _encode(samples, tmp_path / "out.m4a", tmp_path / "cache")
    for name in sorted(path.name for path in (tmp_path / "cache").iterdir()):
        whole = (tmp_path / "cache" / name).read_bytes()
        changed = whole[:30] + bytes([whole[30] ^ 1]) + whole[31:]
        for damaged in (b"", whole[:-1], changed) if len(whole) < 50_000 else (changed,):
            (tmp_path / "cache" / name).write_bytes(damaged)
            assert _encode(samples, tmp_path / "again.m4a", tmp_path / "cache").made == 1
            assert (tmp_path / "again.m4a").read_bytes() == (tmp_path / "out.m4a").read_bytes()
    assert _encode(samples, tmp_path / "again.m4a", tmp_path / "cache").made == 0


def test_another_source_shares_nothing(tmp_path: Path) -> None:
    _encode(_hiss(17), tmp_path / "a.m4a", tmp_path / "cache", identity="a")
    assert _encode(_hiss(17), tmp_path / "b.m4a", tmp_path / "cache", identity="b").made == 2


@CODECS
def test_the_same_sound_in_both_channels_takes_fewer_bits_and_loses_nothing(
    ffmpeg: str, tmp_path: Path, codec: PacketCodec, extension: str
) -> None:
    heard = {}
    for name, right in (("mono", 1.0), ("stereo", 0.7)):
        samples = (_music(6) / (1.0, 0.7)).astype(np.float32) * np.float32([1.0, right])
        _encode(samples, tmp_path / f"{name}.{extension}", tmp_path / name, codec)
        heard[name] = np.abs(decode(ffmpeg, tmp_path / f"{name}.{extension}") - samples)[RATE_HZ:-RATE_HZ]
    assert (tmp_path / f"mono.{extension}").stat().st_size < (tmp_path / f"stereo.{extension}").stat().st_size
    assert heard["mono"].mean() < 1.5 * heard["stereo"].mean() + 1e-4


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), packet_file(AAC, tmp_path / "out.m4a", RATE_HZ) as writer:
        writer.write(encode(AAC, _music(1), 0).packets)
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.m4a"
    out.write_bytes(b"old")
    with packet_file(AAC, out, RATE_HZ) as writer:
        writer.write(encode(AAC, _music(1), 0).packets)
        assert out.read_bytes() == b"old"
    assert out.read_bytes() != b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.m4a"]


@pytest.mark.parametrize("codec", [AAC, OPUS], ids=["aac", "opus"])
def test_packets_follow_each_other_from_before_the_start(codec: PacketCodec) -> None:
    first_n = 5 * codec.frame_n
    positions = [at_n for at_n, _ in encode(codec, _music(2), first_n).packets]
    assert positions == list(range(first_n - codec.priming_n, positions[-1] + 1, codec.frame_n))
    assert positions[-1] + codec.frame_n >= first_n + 2 * RATE_HZ


def test_a_tone_in_one_channel_is_not_mono() -> None:
    from app.media.packets import is_mono

    left = np.stack([tone(1, 440), np.zeros(RATE_HZ, np.float32)], axis=1)
    assert not is_mono(left)
    assert is_mono(np.repeat(left[:, :1], 2, axis=1))
    assert is_mono(np.zeros((10, 2), np.float32))
