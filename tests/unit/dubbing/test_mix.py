import dataclasses
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.domain.errors import AUDIO_TRACK_MISSING, DubError
from app.domain.job import Background
from app.dubbing.clips import edges
from app.dubbing.mix import mixdown
from app.dubbing.tasks import MixClip, MixReport, MixRequest
from tests.unit.dubbing.sounds import RATE_HZ, decode, level_db, measure, movie, noise, onset_s, speak, tone, write_wav

STARTS_S = (0.0, 2.0, 4.4321, 7.00001, 9.9)
DURATION_S = 12.3456


@dataclasses.dataclass
class Mixed:
    report: MixReport
    out: Path
    heard: np.ndarray
    said: list[float]


def _mix(ffmpeg: str, folder: Path, source: Path | None, clips: list[MixClip], **changes: object) -> Mixed:
    said: list[float] = []
    request = MixRequest(
        source=str(source) if source else None, source_id=str(source), audio_track=0,
        duration_s=DURATION_S, clips=tuple(clips), background=Background.DUCK, energies=None,
        chunk_cache=str(folder / "cache"), out=str(folder / "out.m4a"), threads=2,
    )  # fmt: skip
    report = mixdown(msgspec.structs.replace(request, **changes), said.append)
    return Mixed(report, folder / "out.m4a", decode(ffmpeg, folder / "out.m4a"), said)


def _burst(folder: Path, index: int, *, level: float = 0.2, rate: float = 1.0) -> MixClip:
    """A burst of noise of 0.8 s at one of the rates that voice engines use, to be played `rate` times as fast."""
    rate_hz = (22_050, 24_000, 44_100, 48_000, 16_000)[index % 5]
    path = write_wav(folder / f"burst{index}.wav", noise(0.8, rate_hz, level=level, seed=index), rate_hz)
    return MixClip(str(path), STARTS_S[index % 5], 0.8 / rate, rate, 0.0, 0.0)


@pytest.fixture
def bursts(tmp_path: Path) -> list[MixClip]:
    return [_burst(tmp_path, index, level=(0.02, 0.1, 0.3, 0.05, 0.2)[index]) for index in range(5)]


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12.3456 s with a steady 1 kHz tone: what is left of the original can be measured beside the voice."""
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", tone(DURATION_S, 1_000, level=0.1))


# ---------------------------------------------------------------- time


def test_every_clip_begins_where_it_should(ffmpeg: str, tmp_path: Path, bursts: list[MixClip]) -> None:
    heard = _mix(ffmpeg, tmp_path, None, bursts).heard
    for start_s in STARTS_S:
        assert onset_s(heard, start_s) == pytest.approx(start_s, abs=0.005)


@pytest.mark.parametrize("rate", [0.85, 1.2])
def test_a_stretched_clip_begins_and_ends_where_it_should(ffmpeg: str, tmp_path: Path, rate: float) -> None:
    clips = [_burst(tmp_path, index, rate=rate) for index in range(5)]
    heard = _mix(ffmpeg, tmp_path, None, clips).heard
    for clip in clips:
        assert onset_s(heard, clip.start_s) == pytest.approx(clip.start_s, abs=0.005)
        end_s = clip.start_s + clip.duration_s
        assert onset_s(heard[::-1], DURATION_S - end_s, before_s=0.2, after_s=0.3) == pytest.approx(DURATION_S - end_s, abs=0.03)


def test_speech_begins_where_it_should(ffmpeg: str, tmp_path: Path) -> None:
    path = speak(tmp_path / "line.wav", "Take the left road.")
    cut = edges(path)
    clip = MixClip(str(path), 3.0, cut.duration_s - cut.trim_start_s - cut.trim_end_s, 1.0, cut.trim_start_s, cut.trim_end_s)
    heard = _mix(ffmpeg, tmp_path, None, [clip]).heard
    assert np.abs(heard[: round(2.995 * RATE_HZ)]).max() < 0.002
    assert level_db(heard, 3.0, 3.1) > -40


@pytest.mark.parametrize("extension", ["mp4", "mkv", "mov"])
def test_the_track_stays_in_time_when_it_is_copied_next_to_the_picture(
    ffmpeg: str, tmp_path: Path, film: Path, bursts: list[MixClip], extension: str
) -> None:
    mixed = _mix(ffmpeg, tmp_path, film, bursts)
    muxed = tmp_path / f"muxed.{extension}"
    argv = [ffmpeg, "-v", "error", "-i", str(film), "-i", str(mixed.out), "-map", "0:v", "-map", "1:a", "-c", "copy", str(muxed)]
    subprocess.run(argv, check=True)
    heard = decode(ffmpeg, muxed)
    same_n = min(len(heard), len(mixed.heard))
    assert len(mixed.heard) - same_n <= 48  # a millisecond: the timescale of ffmpeg's own muxer
    np.testing.assert_array_equal(heard[:same_n], mixed.heard[:same_n])


@pytest.mark.parametrize("duration_s", [0.3, 1.0, 12.3456, 31.00001])
@pytest.mark.parametrize("background", [Background.DUCK, Background.REPLACE])
def test_the_track_lasts_exactly_as_long_as_the_video(ffmpeg: str, tmp_path: Path, film: Path, duration_s: float, background: Background) -> None:
    mixed = _mix(ffmpeg, tmp_path, film, [], duration_s=duration_s, background=background)
    assert len(mixed.heard) == round(duration_s * RATE_HZ)
    assert mixed.report.duration_s == pytest.approx(duration_s, abs=1 / RATE_HZ)


def test_the_original_stays_in_time(ffmpeg: str, tmp_path: Path) -> None:
    sound = noise(DURATION_S, level=0.1)
    source = movie(ffmpeg, tmp_path / "film.mp4", sound)
    mixed = _mix(ffmpeg, tmp_path, source, [], target_lufs=None)
    heard, original = mixed.heard, decode(ffmpeg, source)
    size = 1 << 20
    lag = np.fft.irfft(np.fft.rfft(original[:, 0], size).conj() * np.fft.rfft(heard[:, 0], size)).argmax()
    assert lag == 0


# ---------------------------------------------------------------- levels


def test_lines_of_different_loudness_sound_alike(ffmpeg: str, tmp_path: Path, bursts: list[MixClip]) -> None:
    heard = _mix(ffmpeg, tmp_path, None, bursts).heard
    levels = [level_db(heard, start_s + 0.1, start_s + 0.7) for start_s in STARTS_S]
    assert max(levels) - min(levels) < 2.5  # noise of 8 to 24 kHz band width, alike in loudness, not in power


@pytest.mark.parametrize("background", list(Background))
@pytest.mark.parametrize("target", [-23.0, -16.0])
def test_the_loudness_is_the_target_and_no_peak_passes_minus_one(ffmpeg: str, tmp_path: Path, background: Background, target: float) -> None:
    source = movie(ffmpeg, tmp_path / "film.mp4", np.concatenate([noise(6, level=0.01), tone(6.3456, 300, level=0.3)]))
    clips = []
    for index in range(4):
        path = speak(tmp_path / f"line{index}.wav", f"Line number {index}: pop, tap, kick, and on we go!", words_per_minute=190)
        cut = edges(path)
        kept_s = cut.duration_s - cut.trim_start_s - cut.trim_end_s
        clips.append(MixClip(str(path), 3.0 * index, 2.8, kept_s / 2.8, cut.trim_start_s, cut.trim_end_s))
    mixed = _mix(ffmpeg, tmp_path, source, clips, background=background, target_lufs=target)
    lufs, peak_db = measure(ffmpeg, mixed.out)
    assert lufs == pytest.approx(target, abs=0.5)
    assert mixed.report.loudness_lufs == pytest.approx(lufs, abs=0.2)
    assert peak_db <= -1.0 + 0.1
    assert mixed.report.true_peak_db is not None
    assert mixed.report.true_peak_db <= -1.0


def test_loud_music_is_held_under_minus_one(ffmpeg: str, tmp_path: Path) -> None:
    swelling = tone(DURATION_S, 440, level=0.9) * np.linspace(0.02, 1, round(DURATION_S * RATE_HZ)).astype(np.float32)
    mixed = _mix(ffmpeg, tmp_path, movie(ffmpeg, tmp_path / "film.mp4", swelling), [], target_lufs=-5.0)
    _, peak_db = measure(ffmpeg, mixed.out)
    assert -3.0 < peak_db <= -1.0 + 0.1


def _tone_db(heard: np.ndarray, from_s: float, until_s: float) -> float:
    """How much of the film's 1 kHz is in a part."""
    part = heard[round(from_s * RATE_HZ) : round(until_s * RATE_HZ), 0] * 2
    turning = np.exp(-2j * np.pi * 1_000 * np.arange(len(part)) / RATE_HZ)
    return float(20 * np.log10(abs((part * turning * np.hanning(len(part))).mean()) / 0.5 + 1e-9))


def _line(folder: Path, start_s: float) -> MixClip:
    """A low tone for a voice, so that the film's 1 kHz can be told from it."""
    return MixClip(str(write_wav(folder / f"{start_s}.wav", tone(2.0, 200, level=0.3))), start_s, 2.0, 1.0, 0.0, 0.0)


def test_the_original_is_lowered_under_the_voice_and_only_there(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    heard = _mix(ffmpeg, tmp_path, film, [_line(tmp_path, 5.0)], target_lufs=None).heard
    before, under, after = _tone_db(heard, 1, 4), _tone_db(heard, 5.1, 6.9), _tone_db(heard, 9, 12)
    assert before == pytest.approx(-20, abs=0.5)  # as it was
    assert after == pytest.approx(before, abs=0.1)
    assert 10 < before - under < 20


def test_a_kept_original_is_as_loud_under_the_voice_as_elsewhere(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    heard = _mix(ffmpeg, tmp_path, film, [_line(tmp_path, 5.0)], background=Background.KEEP, target_lufs=None).heard
    assert _tone_db(heard, 5.1, 6.9) == pytest.approx(_tone_db(heard, 1, 4), abs=0.3)


def test_a_replaced_original_is_gone_but_for_what_is_kept(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    changes = {"background": Background.REPLACE, "target_lufs": None}
    gone = _mix(ffmpeg, tmp_path, film, [_line(tmp_path, 5.0)], **changes).heard
    assert np.abs(gone[: round(4.9 * RATE_HZ)]).max() < 1e-3
    kept = _mix(ffmpeg, tmp_path, film, [_line(tmp_path, 5.0)], kept=((1.0, 3.0),), **changes).heard
    assert _tone_db(kept, 1.1, 2.9) == pytest.approx(-20, abs=0.5)
    assert np.abs(kept[round(3.2 * RATE_HZ) : round(4.9 * RATE_HZ)]).max() < 1e-3


# ---------------------------------------------------------------- sources


def test_a_source_that_ends_early_goes_on_as_silence(ffmpeg: str, tmp_path: Path, bursts: list[MixClip]) -> None:
    source = movie(ffmpeg, tmp_path / "film.mp4", tone(5.0, 1_000, level=0.1))
    mixed = _mix(ffmpeg, tmp_path, source, bursts)
    assert len(mixed.heard) == round(DURATION_S * RATE_HZ)
    assert np.abs(mixed.heard[round(11 * RATE_HZ) :]).max() < 1e-3
    assert onset_s(mixed.heard, 9.9) == pytest.approx(9.9, abs=0.005)


def test_a_source_without_sound_is_silence(ffmpeg: str, tmp_path: Path, bursts: list[MixClip]) -> None:
    source = tmp_path / "silent.mp4"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=12", "-c:v", "libx264", str(source)], check=True)
    heard = _mix(ffmpeg, tmp_path, source, bursts).heard
    assert np.abs(heard[round(1.2 * RATE_HZ) : round(1.9 * RATE_HZ)]).max() < 1e-3
    assert onset_s(heard, 2.0) == pytest.approx(2.0, abs=0.005)


def test_silence_alone_is_a_track_too(ffmpeg: str, tmp_path: Path) -> None:
    mixed = _mix(ffmpeg, tmp_path, None, [])
    assert np.abs(mixed.heard).max() == 0.0
    assert (mixed.report.loudness_lufs, mixed.report.true_peak_db) == (None, None)


def test_a_track_that_does_not_exist_is_said_to_be_missing(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    with pytest.raises(DubError) as raised:
        _mix(ffmpeg, tmp_path, film, [], audio_track=3)
    assert raised.value.problem is AUDIO_TRACK_MISSING
    assert not (tmp_path / "out.m4a").exists()


def test_the_energies_of_ingest_lead_to_the_same_levels(ffmpeg: str, tmp_path: Path, film: Path, bursts: list[MixClip]) -> None:
    from app.dubbing.loudness import KMeter
    from app.media.decode import audio_blocks

    meter = KMeter()
    for block in audio_blocks(film, 0):
        meter.push(block)
    meter.energies().astype("<f4").tofile(tmp_path / "energies.f32")
    measured = _mix(ffmpeg, tmp_path, film, bursts).heard
    given = _mix(ffmpeg, tmp_path, film, bursts, energies=str(tmp_path / "energies.f32")).heard
    np.testing.assert_array_equal(measured, given)


# ---------------------------------------------------------------- work that is not done twice


def test_an_edited_line_encodes_its_chunk_again_and_no_other(ffmpeg: str, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "source.wav", noise(92, level=0.02))
    clips = []
    for index, start_s in enumerate(np.arange(2, 85, 4.0)):
        path = write_wav(tmp_path / f"line{index}.wav", noise(1.5, 24_000, seed=index), 24_000)
        clips.append(MixClip(str(path), float(start_s), 1.5, 1.0, 0.0, 0.0))
    first = _mix(ffmpeg, tmp_path, source, clips, duration_s=92.0)
    assert (first.report.encoded_chunks, first.report.cached_chunks) == (4, 0)

    other = write_wav(tmp_path / "other.wav", noise(1.4, 24_000, seed=99), 24_000)
    clips[11] = MixClip(str(other), clips[11].start_s, 1.4, 1.0, 0.0, 0.0)  # at 46 s
    edited = _mix(ffmpeg, tmp_path, source, clips, duration_s=92.0)
    assert (edited.report.encoded_chunks, edited.report.cached_chunks) == (1, 3)
    same = np.isclose(edited.heard, first.heard).all(axis=1)
    assert same[: 29 * RATE_HZ].all()
    assert same[61 * RATE_HZ :].all()
    assert not same[46 * RATE_HZ : 47 * RATE_HZ].all()


def test_what_a_run_does_not_use_is_forgotten(ffmpeg: str, tmp_path: Path, bursts: list[MixClip]) -> None:
    _mix(ffmpeg, tmp_path, None, bursts)
    stale = {path.name for path in (tmp_path / "cache").iterdir()}
    (tmp_path / "cache" / "killed.1.tmp").write_bytes(b"half")
    (tmp_path / "cache" / "notes.txt").write_text("not ours")
    _mix(ffmpeg, tmp_path, None, bursts[:2])
    left = {path.name for path in (tmp_path / "cache").iterdir()}
    assert left & stale == {name for name in left & stale if name.endswith(".clip")}
    assert len(left) == 2 + 2 + 1  # two clips, one chunk and its levels, and what is not ours
    assert "notes.txt" in left


def test_progress_grows_to_the_end(ffmpeg: str, tmp_path: Path, film: Path, bursts: list[MixClip]) -> None:
    said = _mix(ffmpeg, tmp_path, film, bursts).said
    assert said == sorted(said)
    assert said[0] < 0.1
    assert said[-1] == 1.0
