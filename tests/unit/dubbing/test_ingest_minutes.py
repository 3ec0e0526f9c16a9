"""Ingest goes on behind the last minute that a killed run has kept, and gives what one run gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.dubbing import ingest_minutes
from app.dubbing.ingest import ingest
from app.dubbing.mixing.loudness import SAMPLE_RATE_HZ
from app.dubbing.worker.tasks import Ingested, IngestRequest
from app.media import frame_run
from tests.unit.dubbing.sounds import noise, write_wav
from tests.unit.dubbing.test_ingest import peaks, speech
from tests.unit.media.samples import make

LENGTH_S = 37.3


class Killed(Exception):
    pass


@pytest.fixture(autouse=True)
def short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_minutes, "MINUTE_N", 8 * SAMPLE_RATE_HZ)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in words and pauses, the sides different; a silence of 9 s in which minutes end."""
    swell = np.repeat(np.abs(noise(LENGTH_S, 20, seed=3)), SAMPLE_RATE_HZ // 20)[: round(LENGTH_S * SAMPLE_RATE_HZ)]
    both = np.stack([noise(LENGTH_S, seed=1), 0.6 * noise(LENGTH_S, seed=2)], axis=1)[: len(swell)] * swell[:, None] * 4
    both[round(20.5 * SAMPLE_RATE_HZ) : round(29.5 * SAMPLE_RATE_HZ)] = 0
    return write_wav(tmp_path_factory.mktemp("sound") / "sound.wav", np.clip(both, -1, 1).astype(np.float32))


def run(source: Path, folder: Path, *, kept: Path | None = None, until: float = 2.0) -> Ingested:
    """Up to this share of the file, then killed."""
    folder.mkdir(exist_ok=True)

    def report(fraction: float) -> None:
        if fraction >= until:
            raise Killed

    size = source.stat().st_size
    return ingest(IngestRequest(str(source), str(folder), 0, 3600.0, size, str(kept) if kept else None), report)


AAC = ["-c:a", "aac", "-aac_pns", "0"]  # else the decoder makes noise of its own, another one each time


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("48.wav", ["-c:a", "pcm_s16le"]),
        ("48.mp4", AAC),
        ("48.webm", ["-c:a", "libopus"]),
        ("48.flac", []),
        ("48.ts", AAC),
        ("44.mp4", [*AAC, "-ar", "44100"]),
        ("44.mp3", ["-c:a", "libmp3lame", "-ar", "44100"]),
        ("22.mkv", ["-c:a", "pcm_s16le", "-ar", "22050"]),
    ],
)
def test_what_was_killed_twice_is_what_one_run_gives(tmp_path: Path, sound: Path, name: str, codec: list[str]) -> None:
    source = make(tmp_path / name, "-i", str(sound), *codec)
    whole = run(source, tmp_path / "whole")
    kept, counts = tmp_path / "kept", []
    for until in (0.5, 0.75):
        with pytest.raises(Killed):
            run(source, tmp_path / "killed", kept=kept, until=until)
        counts.append(len(list(kept.iterdir())))
    again = run(source, tmp_path / "again", kept=kept)
    assert counts == [2, 3]
    assert again.duration_s == whole.duration_s
    assert again.loudness_lufs == pytest.approx(whole.loudness_lufs, abs=0.01)
    one, other = speech(tmp_path / "whole"), speech(tmp_path / "again")
    assert len(one) == len(other)
    beside = name in ("44.mp3", "22.mkv")  # no frame begins at a whole sample of 48 kHz: up to a tenth of one
    assert np.abs(one - other).max() <= (0.02 if beside else 1.01 / 32768)
    assert np.abs(peaks(tmp_path / "whole").astype(int) - peaks(tmp_path / "again")).max() <= 1
    energies = [np.fromfile(tmp_path / folder / "energies.f32", "<f4") for folder in ("whole", "again")]
    assert energies[1] == pytest.approx(energies[0], rel=1e-2 if beside else 1e-6, abs=1e-6 if beside else 1e-12)


def test_what_is_kept_is_not_decoded_again(tmp_path: Path, sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path / "sound.mp4", "-i", str(sound), "-c:a", "aac")
    heard: list[int] = []
    real = frame_run.FrameRun.push
    monkeypatch.setattr(
        frame_run.FrameRun, "push", lambda run, frame, at_n: heard.append(frame.samples) or real(run, frame, at_n)
    )
    with pytest.raises(Killed):
        run(source, tmp_path / "killed", kept=tmp_path / "kept", until=0.9)
    heard.clear()
    run(source, tmp_path / "again", kept=tmp_path / "kept")
    # with the run-up, and what lies before it up to a place to begin at
    assert sum(heard) < (LENGTH_S - 32 + 13) * SAMPLE_RATE_HZ


def test_a_damaged_minute_and_those_behind_it_are_made_again(tmp_path: Path, sound: Path) -> None:
    source = make(tmp_path / "sound.flac", "-i", str(sound))
    kept = tmp_path / "kept"
    whole = run(source, tmp_path / "whole", kept=kept)
    assert [path.name for path in sorted(kept.iterdir())] == [f"{number:06}.minute" for number in range(4)]
    second = sorted(kept.iterdir())[1]
    second.write_bytes(second.read_bytes()[:-1])
    again = run(source, tmp_path / "again", kept=kept)
    assert again == whole
    assert np.abs(speech(tmp_path / "whole") - speech(tmp_path / "again")).max() <= 1.01 / 32768
