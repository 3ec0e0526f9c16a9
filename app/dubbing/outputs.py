"""Files that a job hands out: their media types, and how they come into the store."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.domain.media import Artifact, ArtifactKind, MediaInfo
from app.dubbing.kit import Kit
from app.storage.blobs import sha256_of

MEDIA_TYPES: Final = {
    "mp4": "video/mp4", "mkv": "video/x-matroska", "m4a": "audio/mp4", "srt": "application/x-subrip", "vtt": "text/vtt",
    "ass": "text/x-ssa", "json": "application/json", "webm": "video/webm", "opus": "audio/ogg", "mp3": "audio/mpeg", "wav": "audio/wav",
    "flac": "audio/flac", "jpg": "image/jpeg", "dat": "application/octet-stream",
}  # fmt: skip


# FFmpeg's demuxer names -> media type, extension
_SOURCE_TYPES: Final = (
    (("webm",), "video/webm", "webm"),
    (("mov", "mp4", "m4a", "3gp"), "video/mp4", "mp4"),
    (("matroska",), "video/x-matroska", "mkv"),
    (("avi",), "video/x-msvideo", "avi"),
    (("mpegts",), "video/mp2t", "ts"),
    (("mp3",), "audio/mpeg", "mp3"),
    (("wav",), "audio/wav", "wav"),
    (("flac",), "audio/flac", "flac"),
    (("ogg",), "video/ogg", "ogg"),
)


def keep_artifact(kit: Kit, path: Path, kind: ArtifactKind) -> Artifact:
    """Move a finished file into the store under its own hash."""
    size_bytes, digest, extension = path.stat().st_size, sha256_of(path), path.suffix.lstrip(".")
    key = f"artifacts/{digest}.{extension}"
    kit.blobs.adopt(path, key)
    return Artifact(kind, key, size_bytes, digest, MEDIA_TYPES[extension], extension)


def source_artifact(key: str, info: MediaInfo, digest: str) -> Artifact:
    """The person's own file, for the player: its media type follows what it is, never its name."""
    for names, media_type, extension in _SOURCE_TYPES:
        if any(name in names for name in info.format.split(",")):
            if info.video is None:
                media_type = media_type.replace("video/", "audio/")
            return Artifact(ArtifactKind.SOURCE, key, info.size_bytes, digest, media_type, extension)
    return Artifact(ArtifactKind.SOURCE, key, info.size_bytes, digest, "application/octet-stream", "bin")


def studio_artifacts(kit: Kit, peaks: str, thumbnail: str | None) -> tuple[Artifact, ...]:
    """What the studio shows of a prepared job: peaks and thumbnail."""

    def artifact(key: str, kind: ArtifactKind) -> Artifact:
        path = kit.blobs.path(key)
        extension = path.suffix.lstrip(".")
        return Artifact(kind, key, path.stat().st_size, sha256_of(path), MEDIA_TYPES[extension], extension)

    found = [artifact(peaks, ArtifactKind.PEAKS)]
    if thumbnail:
        found.append(artifact(thumbnail, ArtifactKind.THUMBNAIL))
    return tuple(found)
