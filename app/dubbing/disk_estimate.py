"""Estimates how much each stage writes, and reserves disk space for it until it ends.

Estimates err on the large side. A stage that writes more reserves more as it goes, and is stopped with disk_full when
there is none. What it had finished is kept, and the next run continues from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

from app.domain.dub_options import AudioCodec, AudioFormat, DubOptions
from app.domain.media import MediaInfo
from app.domain.segment import Placement
from app.dubbing.context import Context
from app.dubbing.video.containers import must_encode
from app.speech.ports import SpeechRequest
from app.storage.disk_floors import reserved
from app.storage.disk_following import followed

LINES_BYTES: Final = 8 << 20  # of the subtitles of the longest film, in all formats
_SMALL_BYTES: Final = 4 << 20  # texts, a thumbnail, measured levels, the unused ends of blocks
_UNKNOWN_S: Final = 600.0  # of a file whose header has no duration
_SPEECH_BYTES_S: Final = 32_300  # 16 kHz, 16 bit; the waveform and the energies beside it
_CODED_BYTES_S: Final = 25_000  # AAC or MP3 at 192 kb/s
_PLAIN_BYTES_S: Final = 192_000  # WAV, 48 kHz stereo, 16 bit; no FLAC is larger
_SAMPLES_BYTES_S: Final = 384_000  # 48 kHz stereo, 32 bit
_PACKED_BYTES_S: Final = 120_000  # FLAC of music
_CLIP_BYTES_S: Final = 96_000  # a line made ready for the mix: 48 kHz mono, 16 bit
_DRAWN_BITS: Final = 0.12  # bits a pixel of H.264 at CRF 20, preset veryfast: films need less
_SPOKEN_BYTES_S: Final = 88_200  # 44.1 kHz, 16 bit: no voice gives more
_CHARACTER_S: Final = 0.1  # a slow reader's; a syllable or a word where that is one character
_IDEOGRAM_S: Final = 0.35
_LINE_BYTES: Final = 16 << 10


def ingest_bytes(info: MediaInfo) -> int:
    """The recognition track, the waveform and energies, twice: what a kill would cost is kept beside them; the
    thumbnail."""
    return round((info.duration_s or _UNKNOWN_S) * 2 * _SPEECH_BYTES_S) + _SMALL_BYTES


def separation_bytes(duration_s: float) -> int:
    """The background, twice: in pieces, and joined."""
    return round(duration_s * 2 * _PACKED_BYTES_S) + _SMALL_BYTES


def line_bytes(request: SpeechRequest) -> int:
    """A spoken line."""
    seconds = sum(_CHARACTER_S if ord(character) < 0x1100 else _IDEOGRAM_S for character in request.text)
    return round(seconds / request.speed * _SPOKEN_BYTES_S) + _LINE_BYTES


def mix_bytes(options: DubOptions, duration_s: float, placements: Iterable[Placement]) -> int:
    """The clips made ready, the coded chunks, the track made of them, and the sound alone where it is another file
    (with its samples meanwhile, where it is written in one go).
    """
    ready = sum(placement.duration_s for placement in placements) * _CLIP_BYTES_S
    alone = _PLAIN_BYTES_S if options.output.audio_format in (AudioFormat.WAV, AudioFormat.FLAC) else 2 * _CODED_BYTES_S
    if options.output.audio_format in (AudioFormat.WAV, AudioFormat.FLAC, AudioFormat.MP3):
        alone += _SAMPLES_BYTES_S
    return round(ready + duration_s * (2 * _CODED_BYTES_S + alone)) + _SMALL_BYTES


def finish_bytes(info: MediaInfo, options: DubOptions, duration_s: float, *, dubs: int = 1) -> int:
    """The video with all its tracks, `dubs` of them dubbed; three times its picture where that is drawn anew: in
    pieces, joined, and in the video."""
    # an original sound that the container does not take is coded: in pieces, joined, and in the video
    tracks = 2 * dubs + (3 if options.output.keep_original_track else 0)
    whole = info.size_bytes + round(duration_s * tracks * _CODED_BYTES_S)
    if info.video is None:
        return _SMALL_BYTES
    if options.output.burn_subtitles or must_encode(
        info.video, options.output.container, is_opus=options.output.audio_codec == AudioCodec.OPUS
    ):
        pixels = info.video.width * info.video.height * min(info.video.fps or 25.0, 120.0)
        whole += 3 * round(duration_s * pixels * _DRAWN_BITS / 8)
    return whole + _SMALL_BYTES


@contextlib.asynccontextmanager
async def scratch(context: Context, name: str, wanted_bytes: int, *more: Path) -> AsyncIterator[Path]:
    """A scratch folder for work that writes about so many bytes into it, and into the folders `more`. Raises disk_full
    before it begins.

    The task in the block is cancelled when it has written more than that and there is no room; what is raised then is
    disk_full.
    """
    async with reserved(
        context.disks, wanted_bytes, context.workspace.root, context.cache, *context.blob_folders
    ) as room:
        with context.workspace.folder(name) as folder:
            async with followed(room, (folder,), more):
                yield folder
