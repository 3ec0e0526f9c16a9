from pathlib import Path

import numpy as np
import pytest

from app.dubbing.encode import CHUNK_N, ChunkedEncoder
from app.media.encode import FRAME_N, PRIMING_N, M4aWriter, encode_aac
from tests.unit.dubbing.sounds import RATE_HZ, decode, tone


def _music(seconds: float) -> np.ndarray:
    """A chord that swells: easy for AAC, so that a fault at a join stands out."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * t) for hz in (220, 277, 330)) * 0.1 * (1 + 0.3 * np.sin(2 * np.pi * 0.21 * t))
    return np.stack([chord, chord * 0.7], axis=1).astype(np.float32)


def _encode(samples: np.ndarray, out: Path, cache: Path, *, block_n: int = RATE_HZ, threads: int = 2) -> ChunkedEncoder:
    cache.mkdir(exist_ok=True)
    with M4aWriter(out, len(samples)) as writer, ChunkedEncoder(writer, cache, threads) as encoder:
        for at in range(0, len(samples), block_n):
            encoder.push(samples[at : at + block_n])
        encoder.finish()
    return encoder


@pytest.mark.parametrize("length_n", [1, 1_000, FRAME_N, FRAME_N + 1, 48_023, CHUNK_N, CHUNK_N + 1, CHUNK_N + 4 * FRAME_N - 1, CHUNK_N + 4 * FRAME_N])
def test_a_decoder_sees_every_sample_and_not_one_more(ffmpeg: str, tmp_path: Path, length_n: int) -> None:
    samples = _music(length_n / RATE_HZ + 1)[:length_n]
    _encode(samples, tmp_path / "out.m4a", tmp_path / "cache")
    heard = decode(ffmpeg, tmp_path / "out.m4a")
    assert len(heard) == length_n
    assert np.abs(heard - samples)[2 * FRAME_N : -200].max(initial=0.0) < 0.02  # AAC takes two frames to settle after an abrupt start


def test_a_join_sounds_like_any_other_place(ffmpeg: str, tmp_path: Path) -> None:
    samples = _music(65)
    assert _encode(samples, tmp_path / "out.m4a", tmp_path / "cache").encoded == 3
    error = np.abs(decode(ffmpeg, tmp_path / "out.m4a") - samples).max(axis=1)
    usual = np.quantile(error[FRAME_N * 50 : FRAME_N * 900].reshape(-1, FRAME_N).max(axis=1), 0.999)
    for join_n in (CHUNK_N, 2 * CHUNK_N):
        assert error[join_n - 2 * FRAME_N : join_n + 2 * FRAME_N].max() < 1.5 * usual


@pytest.mark.parametrize(("block_n", "threads"), [(4_800, 1), (RATE_HZ, 3), (10**9, 1)])
def test_neither_blocks_nor_threads_change_the_file(tmp_path: Path, block_n: int, threads: int) -> None:
    samples = _music(35)
    _encode(samples, tmp_path / "a.m4a", tmp_path / "a")
    _encode(samples, tmp_path / "b.m4a", tmp_path / "b", block_n=block_n, threads=threads)
    assert (tmp_path / "a.m4a").read_bytes() == (tmp_path / "b.m4a").read_bytes()


def test_an_edit_encodes_its_chunk_again_and_no_other(ffmpeg: str, tmp_path: Path) -> None:
    samples = _music(100)
    first = _encode(samples, tmp_path / "out.m4a", tmp_path / "cache")
    assert (first.encoded, first.cached) == (4, 0)
    again = _encode(samples, tmp_path / "again.m4a", tmp_path / "cache")
    assert (again.encoded, again.cached) == (0, 4)
    assert (tmp_path / "again.m4a").read_bytes() == (tmp_path / "out.m4a").read_bytes()

    samples[45 * RATE_HZ : 47 * RATE_HZ] += tone(2, 1_000)[:, None]
    edited = _encode(samples, tmp_path / "edited.m4a", tmp_path / "cache")
    assert (edited.encoded, edited.cached) == (1, 3)
    assert np.abs(decode(ffmpeg, tmp_path / "edited.m4a") - samples)[2 * FRAME_N : -1_000].max() < 0.05
    assert len(edited.used & first.used) == 3


def test_a_damaged_chunk_is_encoded_again(tmp_path: Path) -> None:
    samples = _music(40)
    (name, *_) = sorted(_encode(samples, tmp_path / "out.m4a", tmp_path / "cache").used)
    whole = (tmp_path / "cache" / name).read_bytes()
    for damaged in (b"", whole[:-1], whole[:100] + b"\0" + whole[101:]):
        (tmp_path / "cache" / name).write_bytes(damaged)
        assert _encode(samples, tmp_path / "again.m4a", tmp_path / "cache").encoded == 1
        assert (tmp_path / "again.m4a").read_bytes() == (tmp_path / "out.m4a").read_bytes()


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "out.m4a"
    with pytest.raises(RuntimeError, match="stop"), M4aWriter(out, RATE_HZ) as writer:
        writer.write(encode_aac(_music(1), 0))
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.m4a"
    out.write_bytes(b"old")
    with M4aWriter(out, RATE_HZ) as writer:
        writer.write(encode_aac(_music(1), 0))
        assert out.read_bytes() == b"old"
    assert out.read_bytes() != b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.m4a"]


def test_packets_follow_each_other_from_before_the_start() -> None:
    positions = [at_n for at_n, _ in encode_aac(_music(2), 5 * FRAME_N)]
    assert positions == list(range(5 * FRAME_N - PRIMING_N, positions[-1] + 1, FRAME_N))
    assert positions[-1] + FRAME_N >= 5 * FRAME_N + 2 * RATE_HZ
