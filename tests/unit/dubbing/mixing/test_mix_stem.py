"""A stem in the original's place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from app.domain.dub_options import Background
from app.domain.errors import DubError
from app.domain.problems.media import NO_AUDIO, NOT_MEDIA
from tests.unit.dubbing.mixing.mixes import DURATION_S, low_line, mix, tone_db
from tests.unit.dubbing.sounds import RATE_HZ, movie, tone, write_wav

STEM_HZ = 2_500
KEPT = ((9.0, 11.0),)


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A steady 1 kHz tone."""
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", tone(DURATION_S, 1_000, level=0.1))


def _stem(folder: Path, seconds: float = DURATION_S) -> Path:
    return write_wav(folder / "stem.wav", tone(seconds, STEM_HZ, level=0.1))


def test_the_stem_is_heard_and_ducked_and_the_original_only_in_kept_lines(
    ffmpeg: str, tmp_path: Path, film: Path
) -> None:
    mixed = mix(
        ffmpeg,
        tmp_path,
        film,
        [low_line(tmp_path, 5.0)],
        stem=str(_stem(tmp_path)),
        stem_id="s",
        original_spans=KEPT,
        target_lufs=None,
    )
    heard = mixed.heard
    assert tone_db(heard, 1, 4, STEM_HZ) == pytest.approx(-20, abs=0.5)
    assert tone_db(heard, 1, 4) < -60
    assert 10 < tone_db(heard, 1, 4, STEM_HZ) - tone_db(heard, 5.1, 6.9, STEM_HZ) < 20
    assert tone_db(heard, 9.1, 10.9) == pytest.approx(-20, abs=0.5)
    assert tone_db(heard, 9.1, 10.9, STEM_HZ) < -60
    for edge_s in KEPT[0]:  # no click: nothing but the two tones around the crossfade
        part = heard[round((edge_s - 0.2) * RATE_HZ) : round((edge_s + 0.2) * RATE_HZ), 0] * np.hanning(
            round(0.4 * RATE_HZ)
        )
        spectrum = np.abs(np.fft.rfft(part))
        assert spectrum[round(8_000 * 0.4) :].max() < 0.002 * spectrum.max()


@pytest.mark.parametrize("seconds", [4.0, 30.0])
def test_a_stem_of_another_length_is_silent_after_its_end_or_cut(
    ffmpeg: str, tmp_path: Path, film: Path, seconds: float
) -> None:
    heard = mix(ffmpeg, tmp_path, film, [], stem=str(_stem(tmp_path, seconds)), stem_id="s", target_lufs=None).heard
    assert len(heard) == round(DURATION_S * RATE_HZ)
    assert tone_db(heard, 1, 3, STEM_HZ) == pytest.approx(-20, abs=0.5)
    assert (tone_db(heard, 9, 12, STEM_HZ) > -21) == (seconds > DURATION_S)


def test_a_stem_without_a_source_is_a_background_too(ffmpeg: str, tmp_path: Path) -> None:
    heard = mix(
        ffmpeg,
        tmp_path,
        None,
        [low_line(tmp_path, 5.0)],
        stem=str(_stem(tmp_path)),
        stem_id="s",
        original_spans=KEPT,
        target_lufs=None,
    ).heard
    assert tone_db(heard, 1, 4, STEM_HZ) == pytest.approx(-20, abs=0.5)
    assert np.abs(heard[round(9.2 * RATE_HZ) : round(10.8 * RATE_HZ)]).max() < 1e-3  # kept: an original that is silent


def test_a_replaced_background_needs_no_stem(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    heard = mix(
        ffmpeg, tmp_path, film, [], stem="/nowhere", stem_id="s", background=Background.REPLACE, target_lufs=None
    ).heard
    assert np.abs(heard).max() == 0.0


def test_a_stem_is_measured_once(ffmpeg: str, tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mix(ffmpeg, tmp_path, film, [], stem=str(_stem(tmp_path)), stem_id="s")
    monkeypatch.setattr("app.dubbing.mixing.window_reader.audio_blocks", lambda *_, **__: pytest.fail("read again"))
    assert mix(ffmpeg, tmp_path, film, [], stem=str(_stem(tmp_path)), stem_id="s").report.encoded_chunks == 0


def test_a_stem_that_is_no_sound_is_refused(ffmpeg: str, tmp_path: Path, film: Path) -> None:
    text, silent, playlist = tmp_path / "a.wav", tmp_path / "b.mp4", tmp_path / "c.wav"
    text.write_text("not media at all")
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=2", "-c:v", "libx264", str(silent)],
        check=True,
    )
    playlist.write_text(f"ffconcat version 1.0\nfile {film}\n")
    for path, problem in ((text, NOT_MEDIA), (silent, NO_AUDIO), (playlist, NOT_MEDIA)):
        with pytest.raises(DubError) as raised:
            mix(ffmpeg, tmp_path, film, [], stem=str(path), stem_id=path.name)
        assert raised.value.problem is problem
        assert not (tmp_path / "out.m4a").exists()


def test_a_kept_line_passes_from_the_stem_to_the_original_and_back_without_a_seam(
    ffmpeg: str, tmp_path: Path, film: Path
) -> None:
    """The stem is the original itself, at its own rate: whatever is heard of the change is a seam."""
    same = write_wav(tmp_path / "same.wav", tone(DURATION_S, 1_000, level=0.1))
    asked = {"stem": str(same), "stem_id": "s", "target_lufs": None, "gentle": True}
    plain = mix(ffmpeg, tmp_path / "plain", film, [], **asked).heard
    kept = mix(ffmpeg, tmp_path / "kept", film, [], original_spans=KEPT, **asked).heard
    around = slice(round(8.5 * RATE_HZ), round(11.5 * RATE_HZ))
    assert np.abs(kept - plain)[around].max() < 0.004, "4 % of the tone: the fades and AAC twice"
