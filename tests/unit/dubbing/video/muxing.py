"""A file, muxed with a dub that is its own sound, so that any shift between them can be measured; and what is read
back."""

import hashlib
import subprocess
from pathlib import Path

import av
import msgspec
import numpy as np

from app.domain.dub_options import Container
from app.domain.media import MediaInfo
from app.dubbing.ingest import ingest
from app.dubbing.probe import probe
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video.containers import choose
from app.dubbing.video.mux import CueTrack, DubbedTrack, MuxRequest, mux
from app.dubbing.worker.tasks import IngestRequest
from app.media.decode import audio_blocks
from tests.unit.media.samples import FFMPEG, make, sample

CUES = (Cue(0.5, 2.0, "Hola, <mundo> {x}"), Cue(3.0, 60.0, "שלום"))


def sound_of(path: Path, track: int = 0) -> np.ndarray:
    return np.concatenate(list(audio_blocks(path, track)))


def track_of(sound: np.ndarray, out: Path) -> Path:
    """Stereo float32 at 48 kHz as the mix stage leaves it: AAC in .m4a, Opus in .opus."""
    codec = "libopus" if out.suffix == ".opus" else "aac"
    command = [
        FFMPEG,
        "-v",
        "error",
        "-y",
        "-f",
        "f32le",
        "-ar",
        "48000",
        "-ac",
        "2",
        "-i",
        "-",
        "-c:a",
        codec,
        "-b:a",
        "160k",
        str(out),
    ]
    subprocess.run(command, input=sound.astype("<f4").tobytes(), check=True)
    return out


async def dubbed(
    source: Path,
    folder: Path,
    *,
    keep: bool = True,
    track: int = 0,
    codec: str = "aac",
    container: Container = Container.AUTO,
    **more: object,
) -> tuple[Path, np.ndarray, MediaInfo]:
    """(the finished file, the dub's samples, what the source is)."""
    info = probe(source)
    request = IngestRequest(
        path=str(source), out=str(folder), audio_track=0, max_duration_s=3600, size_bytes=info.size_bytes
    )
    duration_s = ingest(request, lambda _: None).duration_s
    n = round(duration_s * 48_000)
    sound = sound_of(source) if info.audio else sound_of(sample("plain.flac"))
    sound = np.pad(sound, ((0, max(0, n - len(sound))), (0, 0)))[:n]
    suffix = {"aac": "m4a", "opus": "opus"}[codec]
    extension = choose(container, info.video.codec, is_opus=codec == "opus") if info.video else "m4a"
    asked = MuxRequest(
        source=source,
        out=folder / f"out.{extension}",
        info=info,
        duration_s=duration_s,
        work=folder,
        dubs=(DubbedTrack(track_of(sound, folder / f"track.{suffix}"), codec, "es"),),
        lines=(CueTrack(CUES, "es", "Dub"),),
        original=info.audio[track] if keep and info.audio else None,
        source_language="en",
    )
    asked = msgspec.structs.replace(asked, **more)
    await mux(asked, lambda _: None)
    return asked.out, sound, info


def picture_hash(path: Path) -> tuple[int, str]:
    """How many packets the picture has, and the hash of all their bytes."""
    count, digest = 0, hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            digest.update(bytes(packet))
            count += packet.size > 0
    return count, digest.hexdigest()


def labels(path: Path) -> list[tuple[str, str, str, bool]]:
    """(kind, language, title, shown by itself) of every stream."""
    default = av.stream.Disposition.default
    with av.open(str(path)) as container:
        return [
            (
                stream.type,
                stream.metadata.get("language", "und"),
                stream.metadata.get("title") or stream.metadata.get("handler_name", ""),
                bool(stream.disposition & default),
            )
            for stream in container.streams
        ]


def shown(folder: Path, path: Path, track: int = 0) -> str:
    """A subtitle track as FFmpeg reads it, as SRT."""
    return make(
        folder / f"read{track}.srt", "-i", str(path), "-map", f"0:s:{track}", "-c:s", "text", "-f", "srt"
    ).read_text(encoding="utf-8")
