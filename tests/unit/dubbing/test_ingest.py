"""One decode of the source."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_DAMAGED, MEDIA_TOO_LONG
from app.dubbing.ingest import ingest
from app.dubbing.mixing.loudness import energies_of
from app.dubbing.worker.tasks import Ingested, IngestRequest
from app.media.decode import audio_blocks
from tests.unit.media.samples import DURATION_S, lag_ms, make, sample


def run(path: Path, out: Path, *, max_duration_s: float = 3600.0, heard: list[float] | None = None) -> Ingested:
    request = IngestRequest(
        path=str(path), out=str(out), audio_track=0, max_duration_s=max_duration_s, size_bytes=path.stat().st_size
    )
    return ingest(request, (heard if heard is not None else []).append)


def speech(out: Path) -> np.ndarray:
    with wave.open(str(out / "speech.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def peaks(out: Path) -> np.ndarray:
    """Pairs of lowest and highest, -128..127; the header is audiowaveform's version 2."""
    data = (out / "peaks.dat").read_bytes()
    version, flags, rate, per_point, points, channels = struct.unpack("<iIiiIi", data[:24])
    assert (version, flags, rate, per_point, channels) == (2, 1, 48_000, 512, 1)
    values = np.frombuffer(data[24:], np.int8).reshape(-1, 2)
    assert len(values) == points
    return values


@pytest.mark.parametrize(
    ("name", "duration_s"),
    [
        ("plain.mp4", DURATION_S),
        ("plain.mkv", DURATION_S),
        ("plain.webm", DURATION_S),
        ("plain.avi", DURATION_S),
        ("offset.ts", DURATION_S),
        ("vfr.mp4", DURATION_S),
        ("turned.mp4", DURATION_S),
        ("late_sound.mkv", DURATION_S + 1.5),
        ("late_picture.mp4", DURATION_S + 0.7),
        ("late_picture.ts", DURATION_S + 0.7),
        ("silent.mp4", DURATION_S),
        ("plain.mp3", DURATION_S),
        ("plain.flac", DURATION_S),
    ],
)
def test_everything_lasts_as_long_as_the_file(tmp_path: Path, name: str, duration_s: float) -> None:
    done = run(sample(name), tmp_path)
    assert done.duration_s == pytest.approx(duration_s, abs=0.06)
    assert len(speech(tmp_path)) / 16_000 == pytest.approx(done.duration_s, abs=0.05)
    assert len(peaks(tmp_path)) * 512 / 48_000 == pytest.approx(done.duration_s, abs=0.05)
    assert len(np.fromfile(tmp_path / "energies.f32", "<f4")) == int((done.duration_s + 0.02) * 10)
    assert (tmp_path / "thumbnail.jpg").exists() == (not name.endswith((".mp3", ".flac")))


def test_speech_is_the_sound_itself(tmp_path: Path) -> None:
    run(sample("late_sound.mkv"), tmp_path)
    original = np.concatenate(list(audio_blocks(sample("late_sound.mkv"), 0)))[:, 0]
    heard = np.interp(np.arange(len(original)) / 48_000, np.arange(len(speech(tmp_path))) / 16_000, speech(tmp_path))
    assert lag_ms(original, heard) == pytest.approx(0, abs=0.1)
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.05)


def test_sound_after_long_silence_is_where_it_belongs(tmp_path: Path) -> None:
    late = make(
        tmp_path / "late.mkv",
        "-i",
        str(sample("silent.mp4")),
        "-itsoffset",
        "20.0125",
        "-i",
        str(sample("mono.wav")),
        "-c",
        "copy",
    )
    done = run(late, tmp_path)
    assert done.duration_s == pytest.approx(24.0125, abs=0.01)
    loud = np.flatnonzero(np.abs(speech(tmp_path)) > 0.02)
    assert loud[0] / 16_000 == pytest.approx(20.0125, abs=0.005)
    assert len(speech(tmp_path)) / 16_000 == pytest.approx(24.0125, abs=0.01)
    energies = np.fromfile(tmp_path / "energies.f32", "<f4")
    assert not energies[:200].any() and energies[201:239].all()


def test_peaks_hold_every_sample(tmp_path: Path) -> None:
    run(sample("plain.flac"), tmp_path)
    mono = np.concatenate(list(audio_blocks(sample("plain.flac"), 0))).mean(axis=1)
    cells = mono[: len(mono) // 512 * 512].reshape(-1, 512)
    found = peaks(tmp_path)[: len(cells)] / 127
    assert (found[:, 0] <= cells.min(axis=1) + 1e-6).all() and (found[:, 1] >= cells.max(axis=1) - 1e-6).all()
    assert np.abs(found[:, 1] - cells.max(axis=1)).max() < 0.01


def test_energies_are_those_of_the_whole_sound(tmp_path: Path) -> None:
    done = run(sample("plain.flac"), tmp_path)
    whole = energies_of(np.concatenate(list(audio_blocks(sample("plain.flac"), 0))))
    assert np.fromfile(tmp_path / "energies.f32", "<f4") == pytest.approx(whole, rel=1e-3)
    assert done.loudness_lufs is not None and -30 < done.loudness_lufs < 0


def test_a_film_without_sound_is_silence(tmp_path: Path) -> None:
    done = run(sample("silent.mp4"), tmp_path)
    assert done.loudness_lufs is None
    assert not speech(tmp_path).any()


def test_the_header_of_a_truncated_file_is_not_believed(tmp_path: Path) -> None:
    whole = sample("front.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    assert 1.0 < run(cut, tmp_path).duration_s < 3.0


def test_progress_grows_and_stays_below_the_end(tmp_path: Path) -> None:
    heard: list[float] = []
    run(sample("late_sound.mkv"), tmp_path, heard=heard)
    assert heard == sorted(heard)
    assert len(heard) >= 5 and heard[0] < 0.3 and 0.9 < heard[-1] < 1


@pytest.mark.parametrize("name", ["plain.mp4", "silent.mp4", "late_picture.mp4", "plain.flac"])
def test_what_is_longer_than_allowed_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DubError) as caught:
        run(sample(name), tmp_path, max_duration_s=DURATION_S - 0.5)
    assert caught.value.problem is MEDIA_TOO_LONG


def test_a_header_that_promises_little_does_not_pass_a_long_sound(tmp_path: Path) -> None:
    """A WAV may claim any length; what decodes counts."""
    data = bytearray(make(tmp_path / "long.wav", "-i", str(sample("plain.flac"))).read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0)
    (tmp_path / "lying.wav").write_bytes(data)
    with pytest.raises(DubError) as caught:
        run(tmp_path / "lying.wav", tmp_path, max_duration_s=2.0)
    assert caught.value.problem in (MEDIA_TOO_LONG, MEDIA_DAMAGED)
