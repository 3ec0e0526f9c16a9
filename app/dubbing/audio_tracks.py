"""Chooses the audio track of a file and describes tracks for people. Imports little: the server and the command line
use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.dub_options import DubOptions
from app.domain.media import AudioStream, MediaInfo
from app.media.track_languages import same_language

_CHANNELS: Final = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def automatic(audio: Sequence[AudioStream], language: str | None) -> int | None:
    """The track to use when the person has not chosen one; None without any. `language` is the stated spoken language,
    ISO 639-1.

    In this order: tracks with sound; tracks in the stated language, or not marked as another; the file's default;
    tracks that are neither commentary nor audio description; the first.
    """

    def rank(stream: AudioStream) -> tuple[bool, int, bool, bool, int]:
        fits = {True: 2, None: 1, False: 0}[same_language(language, stream.language)]
        return not stream.silent, fits, stream.default, stream.purpose is None, -stream.track

    return max(audio, key=rank).track if audio else None


def heard(info: MediaInfo, options: DubOptions) -> int:
    """The track used for recognition and as the original in the mix."""
    chosen = options.recognition.audio_track
    return chosen if chosen is not None else info.heard or 0


def named(stream: AudioStream) -> str:
    """ "1: eng, Commentary, stereo, aac, default": counted from 0, as `--audio-track` counts."""
    kind = _CHANNELS.get(stream.channels, f"{stream.channels} channels")
    marks = ("default" if stream.default else None, "silent" if stream.silent else None)
    purpose = stream.purpose if (stream.purpose or "") not in (stream.title or "").lower() else None
    return f"{stream.track}: " + ", ".join(
        filter(None, (stream.language, stream.title, purpose, kind, stream.codec, *marks))
    )


def listed(info: MediaInfo, taken: int | None = None) -> str:
    """The tracks in a sentence for an error; "" where there is no choice."""
    if len(info.audio) < 2:
        return ""
    tracks = "; ".join(named(stream) for stream in info.audio)
    told = "" if taken is None else f" Track {taken} was heard."
    return (
        f"The file has {len(info.audio)} audio tracks ({tracks}).{told} Another is chosen with --audio-track or "
        f"audio_track."
    )
