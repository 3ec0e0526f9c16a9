"""Artifacts of a job: their media types, and how they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.domain.media import Artifact, ArtifactKind, MediaInfo
from app.dubbing.context import Context
from app.storage.blobs import sha256_of, sha256_of_blob
from app.storage.hashing import sha256_in_steps

MEDIA_TYPES: Final = {
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "m4a": "audio/mp4",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    "ass": "text/x-ssa",
    "json": "application/json",
    "webm": "video/webm",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "jpg": "image/jpeg",
    "dat": "application/octet-stream",
}


# The first name of FFmpeg's demuxer -> media type and extension with pictures, and of sound alone.
_SOURCE_TYPES: Final = {
    "mov": (("video/mp4", "mp4"), ("audio/mp4", "m4a")),
    "matroska": (("video/x-matroska", "mkv"), ("audio/x-matroska", "mka")),
    "webm": (("video/webm", "webm"), ("audio/webm", "webm")),
    "avi": (("video/x-msvideo", "avi"), ("audio/x-msvideo", "avi")),
    "mpegts": (("video/mp2t", "ts"), ("audio/mp2t", "ts")),
    "mpegtsraw": (("video/mp2t", "ts"), ("audio/mp2t", "ts")),
    "mpeg": (("video/mpeg", "mpg"), ("audio/mpeg", "mpg")),
    "mpegvideo": (("video/mpeg", "mpg"), ("audio/mpeg", "mpg")),
    "flv": (("video/x-flv", "flv"), ("audio/x-flv", "flv")),
    "live_flv": (("video/x-flv", "flv"), ("audio/x-flv", "flv")),
    "asf": (("video/x-ms-wmv", "wmv"), ("audio/x-ms-wma", "wma")),
    "ogg": (("video/ogg", "ogv"), ("audio/ogg", "ogg")),
    "mxf": (("application/mxf", "mxf"), ("application/mxf", "mxf")),
    "dv": (("video/x-dv", "dv"), ("audio/x-dv", "dv")),
    "rm": (("application/vnd.rn-realmedia", "rm"), ("audio/vnd.rn-realaudio", "ra")),
    **{
        name: ((media_type, extension), (media_type, extension))
        for name, media_type, extension in (
            ("mp3", "audio/mpeg", "mp3"),
            ("wav", "audio/wav", "wav"),
            ("w64", "audio/x-w64", "w64"),
            ("flac", "audio/flac", "flac"),
            ("aac", "audio/aac", "aac"),
            ("ac3", "audio/ac3", "ac3"),
            ("eac3", "audio/eac3", "eac3"),
            ("dts", "audio/vnd.dts", "dts"),
            ("aiff", "audio/aiff", "aiff"),
            ("au", "audio/basic", "au"),
            ("caf", "audio/x-caf", "caf"),
            ("amr", "audio/amr", "amr"),
            ("wv", "audio/x-wavpack", "wv"),
            ("tta", "audio/x-tta", "tta"),
        )
    },
}
_WEBM_VIDEO: Final = frozenset({"vp8", "vp9", "av1"})
_WEBM_AUDIO: Final = frozenset({"vorbis", "opus"})


def keep_artifact(context: Context, path: Path, kind: ArtifactKind, steps: Path | None = None) -> Artifact:
    """Move a finished file into the store under its own hash. `steps` is a file that keeps how far a large one has been
    hashed."""
    digest = sha256_of(path) if steps is None else sha256_in_steps(path, steps)
    size_bytes, extension = path.stat().st_size, path.suffix.lstrip(".")
    key = f"artifacts/{digest}.{extension}"
    context.blobs.adopt(path, key)
    return Artifact(kind, key, size_bytes, digest, MEDIA_TYPES[extension], extension)


def source_artifact(key: str, info: MediaInfo, digest: str) -> Artifact:
    """The source file as an artifact for the player. Its media type follows its content, never its name."""
    name = info.format.partition(",")[0]
    if name == "matroska" and _is_webm(info):  # one demuxer for both; browsers play no Matroska
        name = "webm"
    kinds = _SOURCE_TYPES.get(name)
    media_type, extension = kinds[info.video is None] if kinds else ("application/octet-stream", "bin")
    return Artifact(ArtifactKind.SOURCE, key, info.size_bytes, digest, media_type, extension)


def _is_webm(info: MediaInfo) -> bool:
    return (info.video is None or info.video.codec in _WEBM_VIDEO) and all(
        stream.codec in _WEBM_AUDIO for stream in info.audio
    )


def studio_artifacts(context: Context, peaks: str, thumbnail: str | None) -> tuple[Artifact, ...]:
    """Artifacts that the page shows after preparing: peaks and thumbnail."""

    def artifact(key: str, kind: ArtifactKind) -> Artifact:
        extension = key.rpartition(".")[2]
        return Artifact(
            kind,
            key,
            context.blobs.size_bytes(key),
            sha256_of_blob(context.blobs, key),
            MEDIA_TYPES[extension],
            extension,
        )

    found = [artifact(peaks, ArtifactKind.PEAKS)]
    if thumbnail:
        found.append(artifact(thumbnail, ArtifactKind.THUMBNAIL))
    return tuple(found)
