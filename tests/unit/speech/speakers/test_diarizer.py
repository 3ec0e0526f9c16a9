"""Voices are told apart by a real child process; a network of the right shape stands in for the published weights."""

from __future__ import annotations

import asyncio
import hashlib
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from app.domain.errors import DubError
from app.speech.model_files import ModelFile, ModelFiles
from app.speech.ports import DiarizationRequest
from app.speech.speakers.clustering import grouped
from app.speech.speakers.diarizer import Ge2e
from app.speech.speakers.embedding import RATE_HZ, SIZE, mel
from bench.speakers import smallest

SPANS = tuple((n * 1.5, n * 1.5 + 1.4) for n in range(6))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    smallest(folder)
    return folder / "ge2e.pt"


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Six lines, by turns a deep and a high buzz."""
    whole = np.zeros(round(9.5 * RATE_HZ))
    for n, (start_s, end_s) in enumerate(SPANS):
        at = np.arange(round((end_s - start_s) * RATE_HZ)) / RATE_HZ
        first = round(start_s * RATE_HZ)
        tones = (120, 240, 360) if n % 2 == 0 else (1900, 2700, 3600)
        whole[first : first + len(at)] = sum(np.sin(2 * np.pi * hz * at) for hz in tones) * 0.2
    path = tmp_path / "speech.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((whole * 32767).astype("<i2").tobytes())
    return path


def diarizer(weights: Path) -> Ge2e:
    data = weights.read_bytes()
    file = ModelFile(weights.name, "https://models.invalid/x.pt", hashlib.sha256(data).hexdigest(), len(data))
    return Ge2e(ModelFiles(weights.parent), threads=1, weights=file)


async def told(weights: Path, speech: Path, kept: Path, count: int | None = 2) -> tuple[tuple[int, ...], list[str]]:
    said: list[str] = []
    request = DiarizationRequest(speech, SPANS, count, kept)
    return await diarizer(weights).tell(request, lambda _share, message: said.append(message)), said


async def test_two_voices_are_told_apart_and_a_killed_run_goes_on(weights: Path, speech: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.f32"
    groups, said = await told(weights, speech, kept)
    assert groups == (0, 1, 0, 1, 0, 1) and said[0] == "0 of 6 lines" and said[-1] == "6 of 6 lines"
    whole = kept.read_bytes()
    kept.write_bytes(whole[: 4 * SIZE * 4 + 100])  # killed in the middle of the fifth
    again, said = await told(weights, speech, kept)
    assert again == groups and said[0] == "4 of 6 lines"
    assert kept.read_bytes() == whole


async def test_a_cancelled_run_keeps_what_it_has_done(weights: Path, speech: Path, tmp_path: Path) -> None:
    kept, some = tmp_path / "kept.f32", asyncio.Event()
    request = DiarizationRequest(speech, SPANS, 2, kept)

    def told_of(share: float, _message: str) -> None:
        if share > 0:
            some.set()

    task = asyncio.create_task(diarizer(weights).tell(request, told_of))
    await some.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert kept.stat().st_size >= SIZE * 4


async def test_a_file_that_is_no_model_is_damaged(speech: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pt"
    wrong.write_bytes(b"not a network")
    with pytest.raises(DubError, match="model_damaged"):
        await told(wrong, speech, tmp_path / "kept.f32")


def voices(count: int, lines: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(count)
    centres = np.linalg.qr(dice.standard_normal((SIZE, count)))[0].T * 0.7 + 0.3 / np.sqrt(SIZE)
    truth = np.arange(lines) % count
    found = centres[truth] + dice.standard_normal((lines, SIZE)) * spread / np.sqrt(SIZE)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_as_many_groups_as_there_are_voices(count: int) -> None:
    vectors, truth = voices(count, 40, 0.25)
    seconds = np.full(40, 2.5)
    assert grouped(vectors, seconds, None).tolist() == truth.tolist()
    assert grouped(vectors, seconds, count).tolist() == truth.tolist()
    assert set(grouped(vectors, seconds, 1).tolist()) == {0}


def test_a_short_line_and_a_silent_one_make_no_group() -> None:
    vectors, truth = voices(2, 20, 0.25)
    seconds = np.full(20, 2.5)
    vectors[4], seconds[4] = 0.0, 2.5  # nothing was heard
    vectors[7] = -vectors[7]  # like nobody
    seconds[7] = 0.4
    found = grouped(vectors, seconds, None)
    assert found[4] == -1 and set(found.tolist()) == {-1, 0, 1}
    others = [n for n in range(20) if n not in (4, 7)]
    assert found[others].tolist() == truth[others].tolist()


def test_a_tone_is_in_its_mel_band() -> None:
    at = np.arange(RATE_HZ) / RATE_HZ
    low, high = (mel(np.sin(2 * np.pi * hz * at).astype(np.float32)).mean(axis=0) for hz in (300.0, 4000.0))
    assert low.shape == (40,) and int(low.argmax()) < 8 and int(high.argmax()) > 25
