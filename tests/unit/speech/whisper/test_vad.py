"""Speech found, chunks cut at pauses, times kept, memory flat."""

import itertools
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.speech.whisper.vad import RATE_HZ, SpeechChunk, chunks, silero_path, wav_blocks
from tests.unit.speech.conftest import Compose, Recording, read, write

SENTENCES = (
    "Welcome to the workshop.",
    "Cut the board with a sharp saw.",
    "Do not hurry, take your time.",
    "See you again next week.",
)


def cut(path: Path, start_s: float = 0.0) -> list[SpeechChunk]:
    return list(chunks(wav_blocks(path, start_s), start_s))


def test_the_edges_of_speech_are_found(clips: dict[str, Recording]) -> None:
    found = [region for chunk in cut(clips["en_60s"].path) for region in chunk.speech]
    lines = [start_s for start_s, _ in clips["en_60s"].lines]
    exact = [min(abs(first - start_s) for first, _ in found) < 0.15 for start_s in lines]
    assert exact.count(False) <= 2  # two lines follow the one before within 0.25 s: one region
    assert all(any(first - 0.15 < start_s < last for first, last in found) for start_s in lines)


def test_chunks_are_at_most_29_s_follow_one_another_and_are_cut_in_pauses(
    clips: dict[str, Recording], tmp_path: Path
) -> None:
    samples = np.concatenate([read(clips[name].path) for name in ("en_60s", "fr_30s", "es_30s")])
    found = cut(write(tmp_path / "all.wav", samples))
    assert len(found) >= 4
    ends = [chunk.end_s for chunk in found]
    assert ends == sorted(ends) and ends[-1] == pytest.approx(len(samples) / RATE_HZ, abs=0.04)
    for chunk, following in itertools.pairwise(one for one in found if one.speech):
        assert len(chunk.samples) <= 29 * RATE_HZ
        assert chunk.speech[-1][1] <= chunk.end_s <= following.speech[0][0] + 1e-9
    for chunk in found[:-1]:  # a cut in a pause: hardly any sound there
        at = round(chunk.end_s * RATE_HZ)
        assert np.abs(samples[at - 800 : at + 800].astype(int)).max() < 3000


def test_talk_without_any_pause_is_still_cut(clips: dict[str, Recording], tmp_path: Path) -> None:
    samples = read(clips["en_60s"].path)
    loud = np.concatenate(
        [samples[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in ((0.25, 1.8), (2.6, 4.3), (4.7, 6.1))]
    )
    found = cut(write(tmp_path / "endless.wav", np.tile(loud, 20)))
    assert all(len(chunk.samples) <= 29 * RATE_HZ for chunk in found)
    assert sum(len(chunk.samples) for chunk in found) > 0.95 * len(loud) * 20


def test_a_long_pause_is_shortened_and_the_times_stay_true(compose: Compose) -> None:
    recording = compose(
        [(1.0, SENTENCES[0], "en-us"), (4.8, SENTENCES[1], "en-us"), (12.0, SENTENCES[2], "en-us")], 16.0
    )
    first, second = (chunk for chunk in cut(recording.path) if chunk.speech)
    assert len(first.samples) / RATE_HZ < 7.0 - 1.0  # 2.4 s of pause became 0.8 s
    samples = read(recording.path).astype(np.float32) / 32768
    for chunk in (first, second):
        for chunk_s in (0.1, 1.0, len(chunk.samples) / RATE_HZ - 0.5):
            here, there = round(chunk_s * RATE_HZ), round(chunk.at(chunk_s) * RATE_HZ)
            assert np.array_equal(chunk.samples[here : here + 100], samples[there : there + 100])
    assert second.speech[0][0] == pytest.approx(12.0, abs=0.15)


def test_on_a_seam_an_end_belongs_before_it_and_a_start_after_it() -> None:
    chunk = SpeechChunk(np.zeros(0, np.float32), ((0, 10.0), (100, 20.0)), (), 30.0)
    assert chunk.at(3.2, end=True) == pytest.approx(13.2)
    assert chunk.at(3.2) == pytest.approx(20.0)


def test_going_on_from_a_finished_chunk_gives_the_same_rest(clips: dict[str, Recording]) -> None:
    whole = cut(clips["en_60s"].path)
    rest = cut(clips["en_60s"].path, whole[0].end_s)
    clock = np.arange(whole[0].end_s, clips["en_60s"].duration_s, 0.01)

    def heard(found: list[SpeechChunk]) -> np.ndarray:  # type: ignore[type-arg]
        return np.any([(clock >= first) & (clock < last) for chunk in found for first, last in chunk.speech], axis=0)

    assert np.mean(heard(rest) == heard(whole[1:])) > 0.96
    assert rest[0].speech[0][0] == pytest.approx(whole[1].speech[0][0], abs=0.07)


def test_silence_noise_and_tones_are_no_speech(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    tone = np.sin(np.arange(RATE_HZ * 5) * 2 * np.pi * 440 / RATE_HZ) * 9000
    for samples in (np.zeros(RATE_HZ * 15), random.normal(0, 600, RATE_HZ * 15), tone):
        found = cut(write(tmp_path / "quiet.wav", samples))
        assert found and not any(chunk.speech for chunk in found)
        assert found[-1].end_s == pytest.approx(len(samples) / RATE_HZ, abs=0.04)


def test_an_empty_recording_and_a_start_beyond_the_end_are_silence(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.wav", np.zeros(0))
    assert [chunk.speech for chunk in cut(empty)] == [()]
    assert [chunk.speech for chunk in cut(empty, 99.0)] == [()]


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", "not compressed"))
        file.writeframes(bytes(400))
    with pytest.raises(wave.Error):
        cut(path)


def test_memory_stays_flat_over_twenty_minutes(clips: dict[str, Recording]) -> None:
    """Twenty minutes of talk are 77 MB as float32; the process may grow by 15 MB."""
    grown = subprocess.run(
        [sys.executable, "-c", TWENTY_MINUTES, str(clips["en_60s"].path)], capture_output=True, text=True, check=True
    ).stdout
    assert float(grown) < 15.0


TWENTY_MINUTES = """
import itertools, resource, sys
from pathlib import Path
from app.speech.whisper.vad import chunks, wav_blocks
blocks = list(wav_blocks(Path(sys.argv[1]), 0.0))
peak_mb = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
list(chunks(iter(blocks)))
before, samples = peak_mb(), 0
for chunk in chunks(itertools.chain.from_iterable(itertools.repeat(blocks, 20))):
    samples += len(chunk.samples)
assert samples > 20 * 50 * 16000 * 0.8, samples
print(peak_mb() - before)
"""


def test_the_model_file_is_found_without_importing_its_package() -> None:
    assert silero_path().is_file()
    code = "import sys; from app.speech.whisper import vad; vad.silero_path(); print('faster_whisper' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )


def test_blocks_are_read_as_they_are_needed(clips: dict[str, Recording]) -> None:
    taken = 0

    def counted() -> Iterator[np.ndarray]:  # type: ignore[type-arg]
        nonlocal taken
        for block in wav_blocks(clips["en_60s"].path, 0.0):
            taken += 1
            yield block

    next(chunks(counted()))
    assert taken <= 3
