"""What is wrong with a media file, and the failures of reading and writing one."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

FILE_EMPTY: Final = Problem("file_empty", 422, "The file is empty.", "Choose a file with content.")
NOT_MEDIA: Final = Problem(
    "not_media",
    422,
    "The file is not a video or audio file that can be read.",
    "Use MP4, MOV, MKV, WebM, AVI, MXF, DV, MP3, WAV, FLAC or another usual format.",
)
PLAYLIST: Final = Problem(
    "playlist_refused",
    422,
    "The file is a playlist or script, not media.",
    "Playlists can point at other files and are refused; upload the video itself.",
)
NO_AUDIO: Final = Problem(
    "no_audio", 422, "The file has no audio track.", "Choose a video with sound, or add subtitles to dub a silent one."
)
AUDIO_TRACK_MISSING: Final = Problem(
    "audio_track_missing",
    422,
    "The file has no audio track with that number.",
    "Choose one of the file's tracks, counted from 0.",
)
MEDIA_TOO_LONG: Final = Problem(
    "media_too_long",
    422,
    "The video is longer than this server accepts.",
    "Cut it, or raise AUTODUBBER_MAX_DURATION_S.",
)
MEDIA_DAMAGED: Final = Problem(
    "media_damaged", 422, "The file is damaged and cannot be decoded.", "Export or download it again."
)
MEDIA_INCOMPLETE: Final = Problem(
    "media_incomplete",
    422,
    "The file is incomplete.",
    "Upload or download it again, or export it again: its end is missing.",
)
MEDIA_TOOL_FAILED: Final = Problem(
    "media_tool_failed", 500, "The media tool failed.", "Try again; `autodubber doctor` checks the installation."
)
MEDIA_LIMIT: Final = Problem(
    "media_limit",
    422,
    "Reading the file took more time or memory than is allowed.",
    "Convert the file with another program first.",
)
STEM_INVALID: Final = Problem(
    "stem_invalid",
    422,
    "The background file is not a sound file that can be read.",
    "Use WAV, FLAC, MP3, M4A or another usual format.",
)
CONTAINER_UNSUITABLE: Final = Problem(
    "container_unsuitable",
    422,
    "The picture cannot be put into the container that was chosen.",
    "Choose auto, or a container that supports it.",
)
TRACK_LENGTH: Final = Problem(
    "track_length",
    422,
    "A track is not as long as the video.",
    "Take the track that was made for this video, or pass --any-length.",
)
