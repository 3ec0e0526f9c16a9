"""Mixes for the tests: made as the server asks for them, and what a player hears of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np

from app.domain.dub_options import Background
from app.dubbing.mixing.mix import mixdown
from app.dubbing.worker.tasks import MixClip, MixReport, MixRequest
from tests.unit.dubbing.sounds import RATE_HZ, decode, noise, tone, write_wav

STARTS_S = (0.0, 2.0, 4.4321, 7.00001, 9.9)
DURATION_S = 12.3456


@dataclasses.dataclass
class Mixed:
    report: MixReport
    out: Path
    heard: np.ndarray
    said: list[float]


def request(folder: Path, source: Path | None, clips: list[MixClip], **changes: object) -> MixRequest:
    """12.3456 s with the source ducked, no energies from ingest, the chunks kept beside it."""
    plain = MixRequest(
        source=str(source) if source else None,
        source_id=str(source),
        audio_track=0,
        duration_s=DURATION_S,
        clips=tuple(clips),
        background=Background.DUCK,
        energies=None,
        chunk_cache=str(folder / "cache"),
        out=str(folder / "out.m4a"),
        threads=2,
    )
    return msgspec.structs.replace(plain, **changes)


def mix(ffmpeg: str, folder: Path, source: Path | None, clips: list[MixClip], **changes: object) -> Mixed:
    said: list[float] = []
    asked = request(folder, source, clips, **changes)
    report = mixdown(asked, said.append)
    return Mixed(report, Path(asked.out), decode(ffmpeg, Path(asked.out)), said)


def burst(folder: Path, index: int, *, level: float = 0.2, rate: float = 1.0) -> MixClip:
    """A burst of noise of 0.8 s at one of the rates that voice engines use, to be played `rate` times as fast."""
    rate_hz = (22_050, 24_000, 44_100, 48_000, 16_000)[index % 5]
    path = write_wav(folder / f"burst{index}.wav", noise(0.8, rate_hz, level=level, seed=index), rate_hz)
    return MixClip(str(path), STARTS_S[index % 5], 0.8 / rate, rate, 0.0, 0.0)


def bursts(folder: Path) -> list[MixClip]:
    return [burst(folder, index, level=(0.02, 0.1, 0.3, 0.05, 0.2)[index]) for index in range(5)]


def low_line(folder: Path, start_s: float) -> MixClip:
    """A low tone for a voice, so that a film's 1 kHz can be told from it."""
    return MixClip(str(write_wav(folder / f"{start_s}.wav", tone(2.0, 200, level=0.3))), start_s, 2.0, 1.0, 0.0, 0.0)


def tone_db(heard: np.ndarray, from_s: float, until_s: float, hz: float = 1_000) -> float:
    """How much of a tone is in a part."""
    part = heard[round(from_s * RATE_HZ) : round(until_s * RATE_HZ), 0] * 2
    turning = np.exp(-2j * np.pi * hz * np.arange(len(part)) / RATE_HZ)
    return float(20 * np.log10(abs((part * turning * np.hanning(len(part))).mean()) / 0.5 + 1e-9))
