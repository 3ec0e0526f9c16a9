"""How loud the mix is, and its parts."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.domain.dub_options import Background
from app.dubbing.mixing import levels
from app.dubbing.mixing.clip import edges, read_wav
from app.dubbing.mixing.loudness import energies_of, speech_lufs
from app.dubbing.worker.tasks import Ducking, MixClip
from tests.unit.dubbing.mixing.mixes import DURATION_S, STARTS_S, bursts, low_line, mix, tone_db
from tests.unit.dubbing.sounds import RATE_HZ, level_db, measure, movie, noise, speak, tone, write_wav


@pytest.fixture
def five(tmp_path: Path) -> list[MixClip]:
    return bursts(tmp_path)


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12.3456 s with a steady 1 kHz tone: what is left of the original can be measured beside the voice."""
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", tone(DURATION_S, 1_000, level=0.1))


def test_lines_of_different_loudness_sound_alike(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    heard = mix(ffmpeg, tmp_path, None, five).heard
    heard_db = [level_db(heard, start_s + 0.1, start_s + 0.7) for start_s in STARTS_S]
    assert max(heard_db) - min(heard_db) < 2.5  # noise of 8 to 24 kHz band width, alike in loudness, not in power


@pytest.mark.parametrize("background", list(Background))
@pytest.mark.parametrize("target", [-23.0, -16.0])
def test_the_loudness_is_the_target_and_no_peak_passes_minus_one(
    ffmpeg: str, tmp_path: Path, background: Background, target: float
) -> None:
    source = movie(ffmpeg, tmp_path / "film.mp4", np.concatenate([noise(6, level=0.01), tone(6.3456, 300, level=0.3)]))
    clips = []
    for index in range(4):
        path = speak(
            tmp_path / f"line{index}.wav", f"Line number {index}: pop, tap, kick, and on we go!", words_per_minute=190
        )
        cut = edges(path)
        kept_s = cut.duration_s - cut.trim_start_s - cut.trim_end_s
        clips.append(MixClip(str(path), 3.0 * index, 2.8, kept_s / 2.8, cut.trim_start_s, cut.trim_end_s))
    mixed = mix(ffmpeg, tmp_path, source, clips, background=background, target_lufs=target)
    lufs, peak_db = measure(ffmpeg, mixed.out)
    assert lufs == pytest.approx(target, abs=0.5)
    assert mixed.report.loudness_lufs == pytest.approx(lufs, abs=0.2)
    assert peak_db <= -1.0 + 0.1
    assert mixed.report.true_peak_db is not None
    assert mixed.report.true_peak_db <= -1.0


def test_loud_music_is_held_under_minus_one(ffmpeg: str, tmp_path: Path) -> None:
    swelling = tone(DURATION_S, 440, level=0.9) * np.linspace(0.02, 1, round(DURATION_S * RATE_HZ)).astype(np.float32)
    mixed = mix(ffmpeg, tmp_path, movie(ffmpeg, tmp_path / "film.mp4", swelling), [], target_lufs=-5.0)
    _, peak_db = measure(ffmpeg, mixed.out)
    assert -3.0 < peak_db <= -1.0 + 0.1


def test_the_original_is_lowered_under_the_voice_and_only_there(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    heard = mix(ffmpeg, tmp_path, film, [low_line(tmp_path, 5.0)], target_lufs=None).heard
    before, under, after = tone_db(heard, 1, 4), tone_db(heard, 5.1, 6.9), tone_db(heard, 9, 12)
    assert before == pytest.approx(-20, abs=0.5)  # as it was
    assert after == pytest.approx(before, abs=0.1)
    assert 10 < before - under < 20


def test_a_kept_original_is_as_loud_under_the_voice_as_elsewhere(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    heard = mix(ffmpeg, tmp_path, film, [low_line(tmp_path, 5.0)], background=Background.KEEP, target_lufs=None).heard
    assert tone_db(heard, 5.1, 6.9) == pytest.approx(tone_db(heard, 1, 4), abs=0.3)


def test_a_replaced_original_is_gone_but_for_what_is_kept(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    changes = {"background": Background.REPLACE, "target_lufs": None}
    gone = mix(ffmpeg, tmp_path, film, [low_line(tmp_path, 5.0)], **changes).heard
    assert np.abs(gone[: round(4.9 * RATE_HZ)]).max() < 1e-3
    kept = mix(ffmpeg, tmp_path, film, [low_line(tmp_path, 5.0)], original_spans=((1.0, 3.0),), **changes).heard
    assert tone_db(kept, 1.1, 2.9) == pytest.approx(-20, abs=0.5)
    assert np.abs(kept[round(3.2 * RATE_HZ) : round(4.9 * RATE_HZ)]).max() < 1e-3


@pytest.mark.parametrize(
    ("background", "changes", "least_lu"),
    [
        (Background.DUCK, {}, 12.0),
        (Background.DUCK, {"ducking": Ducking(-3.0)}, 5.0),
        (Background.KEEP, {}, 5.0),
    ],
)
def test_in_the_finished_file_every_line_leads_over_what_is_under_it(
    ffmpeg: str, tmp_path: Path, background: Background, changes: dict[str, object], least_lu: float
) -> None:
    """Two mixes with the same gains: one whose lines are silent, one whose film is. What is loud under the third line
    is loud under it alone."""
    levels_of = np.full(round(DURATION_S * RATE_HZ), 0.03, np.float32)
    levels_of[round(7.2 * RATE_HZ) : round(7.6 * RATE_HZ)] = 0.4
    sound = noise(DURATION_S, level=0.2, seed=5) * levels_of  # nothing for the limiter to do
    lines = [
        MixClip(str(speak(tmp_path / f"{n}.wav", "Put the lid back on")), 1.0 + 3 * n, 1.2, 1.0, 0.1, 0.1)
        for n in range(4)
    ]
    changed = {**changes, "background": background, "target_lufs": None}
    film = movie(ffmpeg, tmp_path / "film.mp4", sound)
    with_film = mix(ffmpeg, tmp_path, film, lines, **changed).heard
    captured = {}
    choose = levels.choose

    def remember(*args: object) -> levels.Levels:
        captured["chosen"] = choose(*args)
        return captured["chosen"]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(levels, "choose", remember)
        mix(ffmpeg, tmp_path, film, lines, **changed)
        muted = msgspec.structs.replace(captured["chosen"], voices_db=[-200.0] * len(lines))
        patched.setattr(levels, "choose", lambda *_: muted)
        beneath = mix(ffmpeg, tmp_path, film, lines, **changed).heard
    for line in lines:
        part = slice(round(line.start_s * RATE_HZ), round((line.start_s + line.duration_s) * RATE_HZ))
        said = speech_lufs(energies_of(np.ascontiguousarray(with_film[part] - beneath[part])))
        under_it = speech_lufs(energies_of(np.ascontiguousarray(beneath[part])))
        assert said - under_it >= least_lu - 1.0  # AAC and cells of 100 ms


@pytest.mark.parametrize("target", [-23.0, -14.0])
def test_peaky_voices_reach_the_target_although_the_limiter_takes_some(
    ffmpeg: str, tmp_path: Path, target: float
) -> None:
    clips = []
    for index in range(6):
        spoken, rate_hz = read_wav(
            speak(tmp_path / f"line{index}.wav", "Pop, tap, kick, and on we go!", words_per_minute=190)
        )
        spoken = spoken * 0.7
        spoken[::rate_hz] = 0.99  # a click every second
        clips.append(
            MixClip(str(write_wav(tmp_path / f"line{index}.wav", spoken, rate_hz)), 2.0 * index, 1.9, 1.0, 0.0, 0.0)
        )
    mixed = mix(ffmpeg, tmp_path, None, clips, target_lufs=target)
    lufs, peak_db = measure(ffmpeg, mixed.out)
    assert lufs == pytest.approx(target, abs=0.5)
    assert mixed.report.loudness_lufs == pytest.approx(lufs, abs=0.06)
    assert peak_db <= -1.0


def test_a_line_that_is_kept_is_heard_as_it_was_between_two_that_are_spoken(
    ffmpeg: str, tmp_path: Path, film: Path
) -> None:
    lines = [low_line(tmp_path, 2.0), low_line(tmp_path, 5.0)]
    heard = mix(ffmpeg, tmp_path, film, lines, original_spans=((4.0, 5.0),), target_lufs=None).heard
    assert tone_db(heard, 4.1, 4.9) == pytest.approx(-20, abs=0.5)
    assert tone_db(heard, 2.1, 3.9) < -28


def test_the_level_of_a_kept_background_is_the_wished_one(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    heard = mix(
        ffmpeg, tmp_path, film, [low_line(tmp_path, 5.0)], background=Background.KEEP, keep_db=-9.0, target_lufs=None
    ).heard
    assert tone_db(heard, 1, 4) == pytest.approx(-29, abs=0.5)
    assert tone_db(heard, 5.1, 6.9) == pytest.approx(-29, abs=0.5)
