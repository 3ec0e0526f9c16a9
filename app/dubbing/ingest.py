"""Decodes the sound once and writes all that later stages need from it. Runs in a child process."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_DAMAGED, MEDIA_TOO_LONG
from app.dubbing.ingest_files import PEAK_N, RATIO, PeaksFile, SpeechFile
from app.dubbing.ingest_minutes import Minute, Minutes
from app.dubbing.mixing.loudness import ENERGY_N, KMeter, integrated_lufs
from app.dubbing.worker.tasks import Ingested, IngestRequest
from app.media.channel_choice import Listener
from app.media.decode import SAMPLE_RATE_HZ, Block, audio_blocks, silence
from app.media.picture_stream import PictureEnd, moving_picture, watch
from app.media.safe_open import open_input, unreadable
from app.media.thumbnail import write_thumbnail

_PADDING_S: Final = 0.05


def ingest(request: IngestRequest, report: Callable[[float], None]) -> Ingested:
    """Read the file once. In the folder `out` there are then

    - speech.wav: 16 kHz mono, 16-bit, what recognition hears (`app.media.channel_choice`);
    - peaks.dat: the waveform of that for the editor, audiowaveform version 2, 8-bit, 512 samples of 48 kHz a point;
    - energies.f32: K-weighted mean squares of 100 ms, little-endian float32, from which loudness is predicted;
    - thumbnail.jpg, when there are pictures that decode.

    All of them last as long as the file: until the last picture or sound, whichever is later, whatever the header says.
    A file without sound gives silence. With a folder `resume_folder`, a killed run's minutes are found there. Raises
    NOT_MEDIA, AUDIO_TRACK_MISSING, MEDIA_DAMAGED, MEDIA_TOO_LONG.
    """
    path, out = Path(request.path), Path(request.out)
    with open_input(path) as container:
        promised_s = (container.duration or 0) / 1e6
        has_sound = bool(container.streams.audio)
        picture = moving_picture(container)
        picture_index = picture.index if picture is not None else None
    most_n = math.floor(request.max_duration_s * SAMPLE_RATE_HZ)
    pictures = PictureEnd()
    meter = KMeter(2)
    minutes = Minutes(Path(request.resume_folder) if request.resume_folder else None)
    done_n = from_n = minutes.from_n
    trail = minutes.trail()
    with (
        SpeechFile(out / "speech.wav", from_n // RATIO) as speech,
        PeaksFile(out / "peaks.dat", from_n // PEAK_N) as peaks,
    ):
        for minute in minutes.found():
            speech.begin_with(minute.speech)
            peaks.begin_with(minute.peaks)

        def take(block: Block) -> None:
            nonlocal done_n
            done_n += len(block)
            if done_n > most_n:
                raise DubError(MEDIA_TOO_LONG, f"The limit is {request.max_duration_s / 60:.0f} minutes.")
            mono = np.ascontiguousarray(block[:, 2])
            speech.push(mono)
            peaks.push(mono)
            meter.push(np.ascontiguousarray(block[:, :2]))
            if promised_s:
                report(min(0.99, done_n / SAMPLE_RATE_HZ / promised_s))

        sound = (
            audio_blocks(path, request.audio_track, pictures=pictures, listener=Listener(), trail=trail, from_n=from_n)
            if has_sound
            else ()
        )
        for block in sound:
            take(block)
            if (place := minutes.end_at(done_n, trail)) is not None:
                energies = meter.energies()[(minutes.until_n - from_n) // ENERGY_N :]
                minutes.keep(Minute(done_n, place, speech.since_last(), peaks.since_last(), energies.tobytes()))
        pictures = pictures if has_sound else watch(path)
        end_s = pictures.end_s
        if end_s > request.max_duration_s:
            raise DubError(MEDIA_TOO_LONG, f"The limit is {request.max_duration_s / 60:.0f} minutes.")
        for block in silence(math.ceil(end_s * SAMPLE_RATE_HZ) - done_n, 3):
            take(block)
    if done_n == 0:
        raise unreadable(path, MEDIA_DAMAGED, "Nothing could be decoded.")
    energies = np.concatenate([minutes.energies(), meter.energies()[(minutes.begun_n - from_n) // ENERGY_N :]])
    energies.astype("<f4").tofile(out / "energies.f32")
    if picture_index is not None:
        write_thumbnail(path, picture_index, done_n / SAMPLE_RATE_HZ, out / "thumbnail.jpg")
    duration_s = done_n / SAMPLE_RATE_HZ
    # the rest is what the encoder filled its last frame up with
    if max(end_s - 0.001, duration_s - _PADDING_S) < promised_s < duration_s:
        duration_s = promised_s
    loudness = integrated_lufs(energies)
    return Ingested(
        duration_s=duration_s,
        loudness_lufs=loudness if math.isfinite(loudness) else None,
        obstacle=pictures.obstacle,
        largest=pictures.largest,
    )
