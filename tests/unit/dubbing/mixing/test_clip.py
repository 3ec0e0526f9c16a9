from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import DubError
from app.domain.problems.voices import SPEECH_FAILED
from app.dubbing.mixing.clip import edges, prepare, read_wav
from app.dubbing.mixing.loudness import speech_lufs
from tests.unit.dubbing.sounds import RATE_HZ, level_db, noise, speak, write_wav


def _quiet(seconds: float, rate_hz: int) -> np.ndarray:
    return noise(seconds, rate_hz, level=0.0002, seed=9)


def test_a_clip_of_any_rate_is_read_to_minus_one_to_one(tmp_path: Path) -> None:
    for rate_hz in (8_000, 22_050, 44_100, 48_000):
        samples, read_hz = read_wav(write_wav(tmp_path / "clip.wav", noise(0.5, rate_hz), rate_hz))
        assert read_hz == rate_hz
        np.testing.assert_allclose(samples, noise(0.5, rate_hz).clip(-1, 1), atol=1e-4)


def test_two_channels_become_one(tmp_path: Path) -> None:
    both = np.stack([noise(0.1), -noise(0.1)], axis=1)
    samples, _ = read_wav(write_wav(tmp_path / "clip.wav", both))
    assert np.abs(samples).max() < 1e-4


@pytest.mark.parametrize("data", [b"", b"<html>quota</html>", b"RIFF\x24\0\0\0WAVE"])
def test_what_is_no_wav_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(data)
    with pytest.raises(DubError) as raised:
        edges(path)
    assert raised.value.problem is SPEECH_FAILED


@pytest.mark.parametrize("rate_hz", [22_050, 44_100])
def test_silent_edges_are_found_and_a_little_of_them_is_kept(tmp_path: Path, rate_hz: int) -> None:
    sound = np.concatenate(
        [_quiet(0.30, rate_hz), noise(0.5, rate_hz), _quiet(0.4, rate_hz), noise(0.5, rate_hz), _quiet(0.25, rate_hz)]
    )
    found = edges(write_wav(tmp_path / "clip.wav", sound, rate_hz))
    assert found.duration_s == pytest.approx(1.95, abs=1e-3)
    assert 0.28 <= found.trim_start_s <= 0.30
    assert 0.20 <= found.trim_end_s <= 0.25


def test_a_soft_ending_is_not_cut(tmp_path: Path) -> None:
    fading = noise(1.0) * np.exp(-4 * np.linspace(0, 1, RATE_HZ)).astype(np.float32)  # ends 35 dB down
    found = edges(write_wav(tmp_path / "clip.wav", np.concatenate([fading, np.zeros(RATE_HZ, np.float32)])))
    assert found.trim_end_s <= 1.0


def test_a_clip_without_silence_is_not_trimmed(tmp_path: Path) -> None:
    found = edges(write_wav(tmp_path / "clip.wav", noise(0.5)))
    assert (found.trim_start_s, found.trim_end_s) == (0.0, 0.0)


def test_a_silent_clip_keeps_something(tmp_path: Path) -> None:
    found = edges(write_wav(tmp_path / "clip.wav", np.zeros(RATE_HZ)))
    assert 0 < found.duration_s - found.trim_start_s - found.trim_end_s < 0.05


@pytest.mark.parametrize("length_n", [24_000, 30_001, 17_777])
def test_a_ready_clip_has_its_length_and_neither_edge_clicks(tmp_path: Path, length_n: int) -> None:
    path = write_wav(tmp_path / "clip.wav", noise(0.7, 22_050), 22_050)
    ready = prepare(path, 0.1, 0.1, length_n)
    assert ready.samples.shape == (length_n,)
    assert np.abs(ready.samples[[0, -1]]).max() < 0.02
    assert level_db(ready.samples[:, None], 0.05, 0.2) == pytest.approx(-14, abs=2)


def test_the_energies_are_those_of_a_stereo_track(tmp_path: Path) -> None:
    ready = prepare(write_wav(tmp_path / "clip.wav", noise(2)), 0.0, 0.0, 2 * RATE_HZ)
    stereo = np.repeat(ready.samples[:, None], 2, axis=1)
    from app.dubbing.mixing.loudness import energies_of, integrated_lufs

    assert speech_lufs(ready.energies) == pytest.approx(integrated_lufs(energies_of(stereo)), abs=0.01)


def test_speech_begins_where_the_ready_clip_begins(tmp_path: Path) -> None:
    spoken, rate_hz = read_wav(speak(tmp_path / "spoken.wav", "Take the left road."))
    path = write_wav(tmp_path / "late.wav", np.concatenate([np.zeros(rate_hz // 2, np.float32), spoken]), rate_hz)
    found = edges(path)
    kept_n = round((found.duration_s - found.trim_start_s - found.trim_end_s) * RATE_HZ)
    ready = prepare(path, found.trim_start_s, found.trim_end_s, kept_n).samples
    first = np.flatnonzero(np.abs(ready) > 0.02 * np.abs(ready).max())[0]
    assert first / RATE_HZ < 0.03
