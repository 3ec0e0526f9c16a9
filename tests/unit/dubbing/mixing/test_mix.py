"""The mix in time, and its sources."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from app.domain.dub_options import Background
from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING
from app.dubbing.mixing.clip import edges
from app.dubbing.worker.tasks import MixClip
from tests.unit.dubbing.mixing.mixes import DURATION_S, STARTS_S, burst, bursts, mix
from tests.unit.dubbing.sounds import RATE_HZ, decode, level_db, movie, noise, onset_s, speak, tone


@pytest.fixture
def five(tmp_path: Path) -> list[MixClip]:
    return bursts(tmp_path)


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12.3456 s with a steady 1 kHz tone: what is left of the original can be measured beside the voice."""
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", tone(DURATION_S, 1_000, level=0.1))


# ---------------------------------------------------------------- time


def test_every_clip_begins_where_it_should(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    heard = mix(ffmpeg, tmp_path, None, five).heard
    for start_s in STARTS_S:
        assert onset_s(heard, start_s) == pytest.approx(start_s, abs=0.005)


@pytest.mark.parametrize("rate", [0.85, 1.2])
def test_a_stretched_clip_begins_and_ends_where_it_should(ffmpeg: str, tmp_path: Path, rate: float) -> None:
    clips = [burst(tmp_path, index, rate=rate) for index in range(5)]
    heard = mix(ffmpeg, tmp_path, None, clips).heard
    for clip in clips:
        assert onset_s(heard, clip.start_s) == pytest.approx(clip.start_s, abs=0.005)
        end_s = clip.start_s + clip.duration_s
        assert onset_s(heard[::-1], DURATION_S - end_s, before_s=0.2, after_s=0.3) == pytest.approx(
            DURATION_S - end_s, abs=0.03
        )


def test_speech_begins_where_it_should(ffmpeg: str, tmp_path: Path) -> None:
    path = speak(tmp_path / "line.wav", "Take the left road.")
    cut = edges(path)
    clip = MixClip(
        str(path), 3.0, cut.duration_s - cut.trim_start_s - cut.trim_end_s, 1.0, cut.trim_start_s, cut.trim_end_s
    )
    heard = mix(ffmpeg, tmp_path, None, [clip]).heard
    assert np.abs(heard[: round(2.995 * RATE_HZ)]).max() < 0.002
    assert level_db(heard, 3.0, 3.1) > -40


@pytest.mark.parametrize("extension", ["mp4", "mkv", "mov"])
def test_the_track_stays_in_time_when_it_is_copied_next_to_the_picture(
    ffmpeg: str, tmp_path: Path, film: Path, five: list[MixClip], extension: str
) -> None:
    mixed = mix(ffmpeg, tmp_path, film, five)
    muxed = tmp_path / f"muxed.{extension}"
    argv = [
        ffmpeg,
        "-v",
        "error",
        "-i",
        str(film),
        "-i",
        str(mixed.out),
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        str(muxed),
    ]
    subprocess.run(argv, check=True)
    heard = decode(ffmpeg, muxed)
    same_n = min(len(heard), len(mixed.heard))
    assert len(mixed.heard) - same_n <= 48  # a millisecond: the timescale of ffmpeg's own muxer
    np.testing.assert_array_equal(heard[:same_n], mixed.heard[:same_n])


@pytest.mark.parametrize("duration_s", [0.3, 1.0, 12.3456, 31.00001])
@pytest.mark.parametrize("background", [Background.DUCK, Background.REPLACE])
def test_the_track_lasts_exactly_as_long_as_the_video(
    ffmpeg: str, tmp_path: Path, film: Path, duration_s: float, background: Background
) -> None:
    mixed = mix(ffmpeg, tmp_path, film, [], duration_s=duration_s, background=background)
    assert len(mixed.heard) == round(duration_s * RATE_HZ)
    assert mixed.report.duration_s == pytest.approx(duration_s, abs=1 / RATE_HZ)


def test_the_original_stays_in_time(ffmpeg: str, tmp_path: Path) -> None:
    sound = noise(DURATION_S, level=0.1)
    source = movie(ffmpeg, tmp_path / "film.mp4", sound)
    mixed = mix(ffmpeg, tmp_path, source, [], target_lufs=None)
    heard, original = mixed.heard, decode(ffmpeg, source)
    size = 1 << 20
    lag = np.fft.irfft(np.fft.rfft(original[:, 0], size).conj() * np.fft.rfft(heard[:, 0], size)).argmax()
    assert lag == 0


# ---------------------------------------------------------------- sources


def test_a_source_that_ends_early_goes_on_as_silence(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    source = movie(ffmpeg, tmp_path / "film.mp4", tone(5.0, 1_000, level=0.1))
    mixed = mix(ffmpeg, tmp_path, source, five)
    assert len(mixed.heard) == round(DURATION_S * RATE_HZ)
    assert np.abs(mixed.heard[round(11 * RATE_HZ) :]).max() < 1e-3
    assert onset_s(mixed.heard, 9.9) == pytest.approx(9.9, abs=0.005)


def test_a_source_without_sound_is_silence(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    source = tmp_path / "silent.mp4"
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=12", "-c:v", "libx264", str(source)],
        check=True,
    )
    heard = mix(ffmpeg, tmp_path, source, five).heard
    assert np.abs(heard[round(1.2 * RATE_HZ) : round(1.9 * RATE_HZ)]).max() < 1e-3
    assert onset_s(heard, 2.0) == pytest.approx(2.0, abs=0.005)


def test_silence_alone_is_a_track_too(ffmpeg: str, tmp_path: Path) -> None:
    mixed = mix(ffmpeg, tmp_path, None, [])
    assert np.abs(mixed.heard).max() == 0.0
    assert (mixed.report.loudness_lufs, mixed.report.true_peak_db) == (None, None)


def test_a_track_that_does_not_exist_is_said_to_be_missing(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    with pytest.raises(DubError) as raised:
        mix(ffmpeg, tmp_path, film, [], audio_track=3)
    assert raised.value.problem is AUDIO_TRACK_MISSING
    assert not (tmp_path / "out.m4a").exists()


def test_the_energies_of_ingest_lead_to_the_same_levels(
    ffmpeg: str, tmp_path: Path, film: Path, five: list[MixClip]
) -> None:
    from app.dubbing.mixing.loudness import KMeter
    from app.media.decode import audio_blocks

    meter = KMeter()
    for block in audio_blocks(film, 0):
        meter.push(block)
    meter.energies().astype("<f4").tofile(tmp_path / "energies.f32")
    measured = mix(ffmpeg, tmp_path, film, five).heard
    given = mix(ffmpeg, tmp_path, film, five, energies=str(tmp_path / "energies.f32")).heard
    np.testing.assert_array_equal(measured, given)
