"""Voice isolation of the double of ElevenLabs: the voice is what both channels share, late, quieter, as MP3."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.doubles.elevenlabs.calls import Fault
from tests.doubles.elevenlabs.refusals import Refused, schema_refused
from tests.doubles.http import Reply, Request
from tests.doubles.multipart import form_of

if TYPE_CHECKING:
    from tests.doubles.elevenlabs.server import Double

RATE_HZ = 48_000
LATE_N = 1776  # 37 ms
LEVEL = 0.6
_LEAST_S, _MOST_S = 4.6, 3600.0
_CREDITS_S = 1000 / 60


async def isolation(double: Double, request: Request, reply: Reply, fault: Fault | None) -> None:
    """Checks in the service's order: form (422), key (401), length (400), credits (401)."""
    form = form_of(request)
    fields = dict(form.fields)
    double.violations += [f"unknown field {name}" for name in fields.keys() - {"audio", "file_format"}]
    if not form.files or form.files[0][0] != "audio" or fields.get("file_format") not in ("pcm_s16le_16", "other"):
        raise schema_refused("audio")
    double._authorize(request, "isolation")
    sound = await asyncio.to_thread(_decoded, form.files[0][2])
    seconds = len(sound) / RATE_HZ
    if not _LEAST_S <= seconds <= _MOST_S:
        raise Refused(400, "invalid_audio_length", f"The audio has {seconds:.1f} s.")
    if double.used + seconds * _CREDITS_S > double.limit:
        raise Refused(401, "quota_exceeded", f"This request exceeds your quota of {double.limit}.")
    double.used += seconds * _CREDITS_S
    double.isolated.append(seconds)
    double.called.set()
    voice = await asyncio.to_thread(_voice, sound, made_anew=double.makes_anew)
    if fault is not None and fault.kind == "truncated":
        voice = await asyncio.to_thread(_voice, sound[: len(sound) // 2], made_anew=False)
    await reply.whole(200, voice, {"content-type": "audio/mpeg"})


def _decoded(data: bytes) -> np.ndarray:
    from app.media.decode import audio_blocks

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sent.flac"
        path.write_bytes(data)
        return np.concatenate(list(audio_blocks(path, 0)))


def _voice(sound: np.ndarray, *, made_anew: bool) -> bytes:
    from app.domain.dub_options import AudioFormat
    from app.media.lossless import rounded
    from app.media.sound_writer import sound_file

    voice = np.pad(sound.mean(axis=1), (LATE_N, 0))[: len(sound)] * LEVEL
    if made_anew:  # as loud at every moment and frequency, louder as a whole, and not the same wave
        at_n = np.arange(len(voice))
        wow_n = 60 * np.sin(2 * np.pi * 0.7 * at_n / RATE_HZ)  # 1.3 ms to and fro
        voice = -1.5 * np.interp(at_n + wow_n, at_n, voice)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "voice.mp3"
        with sound_file(path, AudioFormat.MP3) as writer:
            writer.write_pcm(rounded(np.repeat(voice[:, None], 2, axis=1).astype(np.float32)))
        return path.read_bytes()
