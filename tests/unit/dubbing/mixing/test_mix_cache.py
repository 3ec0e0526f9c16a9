"""Work that is not done twice."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.dubbing.mixing.chunk_encode import coded
from app.dubbing.worker.tasks import MixClip
from app.media.sound_reader import SoundReader
from tests.unit.dubbing.mixing.mixes import DURATION_S, bursts, mix, request
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
    assert (first.report.encoded_chunks, first.report.cached_chunks) == (6, 0)

    other = write_wav(tmp_path / "other.wav", noise(1.4, 24_000, seed=99), 24_000)
    clips[9] = MixClip(str(other), clips[9].start_s, 1.4, 1.0, 0.0, 0.0)  # at 38 s
    edited = mix(ffmpeg, tmp_path, source, clips, duration_s=92.0)
    assert (edited.report.encoded_chunks, edited.report.cached_chunks) == (1, 5)
    same = np.isclose(edited.heard, first.heard).all(axis=1)
    assert same[: 31 * RATE_HZ].all()
    assert same[49 * RATE_HZ :].all()
    assert not same[38 * RATE_HZ : 39 * RATE_HZ].all()


def test_what_a_run_does_not_use_is_forgotten(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    mix(ffmpeg, tmp_path, None, five)
    stale = {path.name for path in (tmp_path / "cache").iterdir()}
    (tmp_path / "cache" / "killed.1.tmp").write_bytes(b"half")  # of an earlier version
    (tmp_path / "cache" / ".autodubber-01.part").write_bytes(b"half")
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


def test_what_has_not_changed_is_not_even_opened(
    ffmpeg: str, tmp_path: Path, film: Path, five: list[MixClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mix(ffmpeg, tmp_path, film, five)
    for reading in ("audio_blocks", "SoundReader"):
        monkeypatch.setattr(
            f"app.dubbing.mixing.window_reader.{reading}", lambda *_, **__: pytest.fail("decoded again")
        )
    again = mix(ffmpeg, tmp_path, film, five)
    assert (again.report.encoded_chunks, again.report.cached_chunks) == (0, 1)
    assert (again.report.loudness_lufs, again.report.true_peak_db) == (
        first.report.loudness_lufs,
        first.report.true_peak_db,
    )
    assert np.array_equal(again.heard, first.heard)


def test_a_gain_that_was_corrected_costs_an_edit_no_second_encoding_of_everything(
    ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nothing is foreseen
    monkeypatch.setattr("app.dubbing.mixing.limiter_estimate._left", lambda envelope, *_: np.ones(len(envelope)))
    source = write_wav(
        tmp_path / "source.wav", np.stack([noise(92, level=0.02, seed=1), noise(92, level=0.02, seed=2)], axis=1)
    )
    clips = []
    for index, start_s in enumerate(np.arange(2, 85, 4.0)):
        sound = noise(3.5, 24_000, seed=index, level=0.12)
        sound[::8_000] = 0.9
        clips.append(
            MixClip(str(write_wav(tmp_path / f"line{index}.wav", sound, 24_000)), float(start_s), 3.5, 1.0, 0.0, 0.0)
        )
    changes = {"duration_s": 92.0, "target_lufs": -14.0}
    first = mix(ffmpeg, tmp_path, source, clips, **changes)
    assert first.report.loudness_lufs == pytest.approx(-14.0, abs=0.25)
    # it was corrected
    assert len(list((tmp_path / "cache").glob("*.levels"))) > len(list((tmp_path / "cache").glob("*.packets"))) == 6
    clips[9] = MixClip(clips[9].path, clips[9].start_s + 0.3, 3.5, 1.0, 0.0, 0.0)
    made: list[str] = []
    monkeypatch.setattr(
        "app.dubbing.mixing.chunk_store.coded",
        lambda chunk, codec, sound: made.append(chunk.name) or coded(chunk, codec, sound),
    )
    edited = mix(ffmpeg, tmp_path, source, clips, **changes)
    assert edited.report.cached_chunks == 5
    assert len(made) <= 3  # the edited chunk at each gain that was tried
    fresh = mix(
        ffmpeg, tmp_path, source, clips, **changes, chunk_cache=str(tmp_path / "fresh"), out=str(tmp_path / "fresh.m4a")
    )
    assert np.array_equal(fresh.heard, edited.heard)  # the cache only saves time


def test_what_was_made_before_a_kill_is_found(ffmpeg: str, tmp_path: Path, five: list[MixClip]) -> None:
    source = write_wav(
        tmp_path / "source.wav", np.stack([noise(125, level=0.02, seed=1), noise(125, level=0.02, seed=2)], axis=1)
    )
    changes = {"duration_s": 125.0, "threads": 1, "target_lufs": None}
    asked = request(tmp_path, source, five, **changes)
    message = msgspec.json.encode({"task": "mix", "request": asked}) + b"\n"
    child = subprocess.Popen(
        [sys.executable, "-m", "app.dubbing.worker.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(message)
    child.stdin.flush()
    for line in child.stdout:
        if json.loads(line).get("progress", 0) > 0.5:
            break
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert not (tmp_path / "out.m4a").exists()
    done = len(list((tmp_path / "cache").glob("*.levels")))
    assert 0 < done < 5
    mixed = mix(ffmpeg, tmp_path, source, five, **changes)
    assert mixed.report.cached_chunks >= done
    assert len(mixed.heard) == 125 * RATE_HZ
    assert not list((tmp_path / "cache").glob(".*.part"))


def test_an_edit_late_in_a_film_reads_what_is_heard_around_it_and_no_more(
    ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made of it is what a first run would have made."""
    source = movie(ffmpeg, tmp_path / "film.mp4", noise(92, level=0.02))
    voice = write_wav(tmp_path / "line.wav", noise(1.5, 24_000), 24_000)
    clips = [MixClip(str(voice), start_s, 1.5, 1.0, 0.0, 0.0) for start_s in (4.0, 44.0, 84.0)]
    mix(ffmpeg, tmp_path, source, clips, duration_s=92.0, target_lufs=None)
    read_n: list[int] = []
    reading = SoundReader.read

    def counted(reader: SoundReader) -> np.ndarray | None:
        block = reading(reader)
        read_n.append(0 if block is None else len(block))
        return block

    monkeypatch.setattr(SoundReader, "read", counted)
    other = write_wav(tmp_path / "other.wav", noise(1.5, 24_000, seed=9), 24_000)
    clips[2] = MixClip(str(other), 84.0, 1.5, 1.0, 0.0, 0.0)
    edited = mix(ffmpeg, tmp_path, source, clips, duration_s=92.0, target_lufs=None)
    assert (edited.report.encoded_chunks, edited.report.cached_chunks) == (1, 5)
    assert sum(read_n) < 20 * RATE_HZ
    fresh = mix(
        ffmpeg,
        tmp_path,
        source,
        clips,
        duration_s=92.0,
        target_lufs=None,
        chunk_cache=str(tmp_path / "fresh"),
        out=str(tmp_path / "f.m4a"),
    )
    assert fresh.report.encoded_chunks == 6
    assert fresh.out.read_bytes() == edited.out.read_bytes()
