"""Work that is not done twice."""

from pathlib import Path

import numpy as np
import pytest

from app.dubbing.tasks import MixClip
from tests.unit.dubbing.mixing import DURATION_S, bursts, mix
from tests.unit.dubbing.sounds import RATE_HZ, movie, noise, tone, write_wav


@pytest.fixture
def five(tmp_path: Path) -> list[MixClip]:
    return bursts(tmp_path)


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12.3456 s with a steady 1 kHz tone: what is left of the original can be measured beside the voice."""
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", tone(DURATION_S, 1_000, level=0.1))


def test_an_edited_line_encodes_its_chunk_again_and_no_other(ffmpeg: str, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "source.wav", noise(92, level=0.02))
    clips = []
    for index, start_s in enumerate(np.arange(2, 85, 4.0)):
        path = write_wav(tmp_path / f"line{index}.wav", noise(1.5, 24_000, seed=index), 24_000)
        clips.append(MixClip(str(path), float(start_s), 1.5, 1.0, 0.0, 0.0))
    first = mix(ffmpeg, tmp_path, source, clips, duration_s=92.0)
    assert (first.report.encoded_chunks, first.report.cached_chunks) == (4, 0)

    other = write_wav(tmp_path / "other.wav", noise(1.4, 24_000, seed=99), 24_000)
    clips[11] = MixClip(str(other), clips[11].start_s, 1.4, 1.0, 0.0, 0.0)  # at 46 s
    edited = mix(ffmpeg, tmp_path, source, clips, duration_s=92.0)
    assert (edited.report.encoded_chunks, edited.report.cached_chunks) == (1, 3)
    same = np.isclose(edited.heard, first.heard).all(axis=1)
    assert same[: 29 * RATE_HZ].all()
    assert same[61 * RATE_HZ :].all()
    assert not same[46 * RATE_HZ : 47 * RATE_HZ].all()


def test_what_a_run_does_not_use_is_forgotten(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    mix(ffmpeg, tmp_path, None, five)
    stale = {path.name for path in (tmp_path / "cache").iterdir()}
    (tmp_path / "cache" / "killed.1.tmp").write_bytes(b"half")
    (tmp_path / "cache" / "notes.txt").write_text("not ours")
    mix(ffmpeg, tmp_path, None, five[:2])
    left = {path.name for path in (tmp_path / "cache").iterdir()}
    assert left & stale == {name for name in left & stale if name.endswith(".clip")}
    assert len(left) == 2 + 2 + 1  # two clips, one chunk and its levels, and what is not ours
    assert "notes.txt" in left


def test_progress_grows_to_the_end(ffmpeg: str, tmp_path: Path, film: Path, five: list[MixClip]) -> None:
    said = mix(ffmpeg, tmp_path, film, five).said
    assert said == sorted(said)
    assert said[0] < 0.1
    assert said[-1] == 1.0
