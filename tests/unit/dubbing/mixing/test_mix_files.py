"""The files that the mix becomes: every codec, as long as the video, every clip in place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from app.domain.dub_options import AudioCodec, AudioFormat
from app.dubbing.mixing import chunk_store
from app.dubbing.worker.tasks import MixClip
from app.media.sound_writer import SoundWriter, sound_file
from tests.unit.dubbing.mixing.mixes import STARTS_S, bursts, mix
from tests.unit.dubbing.sounds import RATE_HZ, decode, level_db, measure, movie, noise, onset_s

DURATION_S = 33.3456  # more than two chunks
SHIFT_S = 22.0  # and the bursts around its end
FORMATS = pytest.mark.parametrize("sound_format", list(AudioFormat))


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", noise(DURATION_S, level=0.0005))


@pytest.fixture
def late(tmp_path: Path) -> list[MixClip]:
    return [MixClip(clip.path, clip.start_s + SHIFT_S, clip.duration_s, 1.0, 0.0, 0.0) for clip in bursts(tmp_path)]


@FORMATS
@pytest.mark.parametrize("codec", [AudioCodec.AAC, AudioCodec.OPUS])
def test_every_file_has_its_length_its_onsets_and_its_loudness(
    ffmpeg: str, tmp_path: Path, film: Path, late: list[MixClip], codec: AudioCodec, sound_format: AudioFormat
) -> None:
    out, audio = (
        tmp_path / ("track.opus" if codec == AudioCodec.OPUS else "track.m4a"),
        tmp_path / f"audio.{sound_format}",
    )
    mixed = mix(
        ffmpeg,
        tmp_path,
        film,
        late,
        duration_s=DURATION_S,
        out=str(out),
        codec=codec,
        audio_out=str(audio),
        audio_format=sound_format,
    )
    assert mixed.said[-1] == 1.0
    for path in (out, audio):
        heard = decode(ffmpeg, path)
        assert len(heard) == round(DURATION_S * RATE_HZ)
        for start_s in STARTS_S:
            assert onset_s(heard, start_s + SHIFT_S) == pytest.approx(start_s + SHIFT_S, abs=0.005)
        lufs, peak_db = measure(ffmpeg, path)
        assert lufs == pytest.approx(
            -16, abs=0.5 if path is out else 1.5
        )  # bursts of white noise lose a decibel in AAC: other files are that much louder
        assert peak_db <= -1.0
    assert not list(tmp_path.glob(".*.part"))


@FORMATS
def test_the_same_request_gives_the_same_file(
    ffmpeg: str, tmp_path: Path, late: list[MixClip], sound_format: AudioFormat
) -> None:
    files = []
    for name in ("a", "b"):
        audio = tmp_path / f"{name}.{sound_format}"
        mix(
            ffmpeg,
            tmp_path,
            None,
            late,
            duration_s=DURATION_S,
            audio_out=str(audio),
            audio_format=sound_format,
            threads=1 + len(files),
            chunk_cache=str(tmp_path / name),
        )
        files.append(audio.read_bytes())
    assert files[0] == files[1]


def test_a_second_file_costs_no_second_encoding_of_the_track(
    ffmpeg: str, tmp_path: Path, film: Path, late: list[MixClip]
) -> None:
    first = mix(ffmpeg, tmp_path, film, late, duration_s=DURATION_S)
    wav = tmp_path / "audio.wav"
    second = mix(ffmpeg, tmp_path, film, late, duration_s=DURATION_S, audio_out=str(wav), audio_format=AudioFormat.WAV)
    assert (first.report.encoded_chunks, second.report.encoded_chunks, second.report.cached_chunks) == (3, 0, 3)
    assert np.corrcoef(decode(ffmpeg, wav)[:, 0], second.heard[:, 0])[0, 1] > 0.9


def test_a_file_that_is_written_in_one_go_costs_no_second_mix_after_a_kill(
    ffmpeg: str, tmp_path: Path, film: Path, late: list[MixClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    wav, changes = (
        tmp_path / "audio.wav",
        {"duration_s": DURATION_S, "audio_format": AudioFormat.WAV, "threads": 1, "target_lufs": None},
    )
    mix(
        ffmpeg,
        tmp_path,
        film,
        late,
        audio_out=str(tmp_path / "whole.wav"),
        chunk_cache=str(tmp_path / "other"),
        **changes,
    )

    class Killed(Exception):
        pass

    written, mixed = [], []

    def write(writer: SoundWriter, samples: np.ndarray) -> None:
        written.append(len(samples))
        if len(written) == 2:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(SoundWriter, "write", write)
        mix(ffmpeg, tmp_path, film, late, audio_out=str(wav), **changes)
    kept = len(list((tmp_path / "cache").glob("*.sound")))
    real = chunk_store.mixed
    monkeypatch.setattr(chunk_store, "mixed", lambda chunk, *more: mixed.append(chunk.index) or real(chunk, *more))
    mix(ffmpeg, tmp_path, film, late, audio_out=str(wav), **changes)
    assert kept >= 2 and mixed == list(range(kept, 3))
    assert wav.read_bytes() == (tmp_path / "whole.wav").read_bytes()
    assert not list((tmp_path / "cache").glob("*.sound"))


def test_sixteen_bits_are_dithered(ffmpeg: str, tmp_path: Path) -> None:
    """A tone of half a step survives as a tone, with noise instead of harmonics."""
    t = np.arange(4 * RATE_HZ) / RATE_HZ
    faint = np.repeat((np.sin(2 * np.pi * 1_000 * t) * 0.5 / 32_768).astype(np.float32)[:, None], 2, axis=1)
    with sound_file(tmp_path / "out.wav", AudioFormat.WAV) as writer:
        writer.write(faint)
    spectrum = np.abs(np.fft.rfft(decode(ffmpeg, tmp_path / "out.wav")[:, 0] * np.hanning(len(t))))
    at = 1_000 * 4
    rest = np.delete(spectrum, np.arange(at - 8, at + 9))
    assert spectrum[at] > 20 * np.median(rest)
    assert rest.max() < 0.3 * spectrum[at]
    assert level_db(decode(ffmpeg, tmp_path / "out.wav"), 0, 4) < -90


def test_a_failure_leaves_no_sound_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), sound_file(tmp_path / "out.flac", AudioFormat.FLAC) as writer:
        writer.write(np.zeros((100, 2), np.float32))
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_a_wave_file_over_four_gigabytes_says_so_in_its_header(tmp_path: Path) -> None:
    """RF64 (EBU Tech 3306) where it must be, an ordinary WAV where it need not: room for the larger header is left in
    each."""
    with sound_file(tmp_path / "out.wav", AudioFormat.WAV) as writer:
        writer.write(np.zeros((100, 2), np.float32))
    head = (tmp_path / "out.wav").read_bytes()[:48]
    assert head[:4] == b"RIFF"
    assert head[12:16] == b"JUNK"
    said = subprocess.run(["file", "-b", str(tmp_path / "out.wav")], capture_output=True, check=True, text=True).stdout
    assert "WAVE audio" in said
