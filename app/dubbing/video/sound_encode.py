"""Encodes a sound of a file in chunks, of which a kill loses the last one: the part that runs in a child process. It
imports av and numpy.

The chunks are those of the mix, and joined as there (`app.dubbing.mixing.chunk_encode`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.dubbing.mixing.cache_file import load, store
from app.dubbing.mixing.chunk_encode import encoded_with_margins, own_packets
from app.dubbing.mixing.chunk_plan import CHUNK_N, LEAD_N, OVERLAP_N, Chunk, plan
from app.dubbing.mixing.window_reader import KnownSpans, Playback
from app.dubbing.worker.tasks import EncodeSoundRequest, SoundEncoded
from app.media.packets import AAC, OPUS, SAMPLE_RATE_HZ, PacketCodec, packed, packet_file, unpacked

_KEEP_EVERY: Final = 8  # places where a decoder begins


def encode_sound_task(request: EncodeSoundRequest, report: Callable[[float], None]) -> SoundEncoded:
    """Write `out`, whole, or nothing. What the sound lacks at its end is silence. Raises not_media, media_damaged,
    audio_track_missing."""
    folder, out = Path(request.folder), Path(request.out)
    folder.mkdir(parents=True, exist_ok=True)
    codec = OPUS if out.suffix == ".opus" else AAC
    chunks = plan(max(1, round(request.duration_s * SAMPLE_RATE_HZ)), (), (), 0.0, 0.0)
    missing = [chunk for chunk in chunks if not _file(folder, chunk).exists()]
    if missing:
        _encode(request, folder, codec, missing, lambda made: report((len(chunks) - len(missing) + made) / len(chunks)))
    with packet_file(codec, out, chunks[-1].end_n, request.layout) as writer:
        for chunk in chunks:
            data = load(_file(folder, chunk))
            if data is None:  # a power loss has left it damaged
                _encode(request, folder, codec, [chunk], lambda _: None)
                data = load(_file(folder, chunk)) or b""
            writer.write(unpacked(data, chunk.start_n))
    report(1.0)
    return SoundEncoded(len(missing), len(chunks) - len(missing))


def _encode(
    request: EncodeSoundRequest, folder: Path, codec: PacketCodec, chunks: list[Chunk], done: Callable[[int], None]
) -> None:
    known = KnownSpans(folder, "sound", request.track, CHUNK_N, LEAD_N)
    playback = Playback(Path(request.path), request.track, OVERLAP_N, known.spans, request.layout)
    try:
        for number, chunk in enumerate(chunks, 1):
            sound = playback.window(chunk.first_n, chunk.until_n)
            encoded = encoded_with_margins(chunk, codec, sound, request.layout)
            store(_file(folder, chunk), packed(own_packets(chunk, codec, encoded), chunk.start_n))
            known.keep(least=_KEEP_EVERY)
            done(number)
    finally:
        playback.close()
        known.keep()


def _file(folder: Path, chunk: Chunk) -> Path:
    return folder / f"{chunk.index}.packets"
