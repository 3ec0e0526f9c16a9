"""Which of a file's audio tracks is heard, and how the tracks are told to people. Light: the server and the command line ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.job import DubOptions
from app.domain.media import AudioStream, MediaInfo
from app.media.track_languages import same_language

_CHANNELS: Final = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def automatic(audio: Sequence[AudioStream], language: str | None) -> int | None:
    """The track to take where the person has not chosen one; None without any. `language` is what they say is spoken, ISO 639-1.

    One with sound before one without; then one in the language that was said before one that is marked as another's; then the file's default;
    then no commentary and no description for the blind; then the first.
    """

    def rank(stream: AudioStream) -> tuple[bool, int, bool, bool, int]:
        fits = {True: 2, None: 1, False: 0}[same_language(language, stream.language)]
        return not stream.silent, fits, stream.default, stream.purpose is None, -stream.track

    return max(audio, key=rank).track if audio else None


def heard(info: MediaInfo, options: DubOptions) -> int:
    """The track that recognition hears and the mix has as the original."""
    return options.audio_track if options.audio_track is not None else info.heard or 0


def named(stream: AudioStream) -> str:
    """ "1: eng, Commentary, stereo, aac, default": counted from 0, as `--audio-track` counts."""
    kind = _CHANNELS.get(stream.channels, f"{stream.channels} channels")
    marks = ("default" if stream.default else None, "silent" if stream.silent else None)
    purpose = stream.purpose if (stream.purpose or "") not in (stream.title or "").lower() else None
    return f"{stream.track}: " + ", ".join(filter(None, (stream.language, stream.title, purpose, kind, stream.codec, *marks)))


def listed(info: MediaInfo, taken: int | None = None) -> str:
    """The tracks in a sentence for an error; "" where there is no choice."""
    if len(info.audio) < 2:
        return ""
    tracks = "; ".join(named(stream) for stream in info.audio)
    told = "" if taken is None else f" Track {taken} was heard."
    return f"The file has {len(info.audio)} audio tracks ({tracks}).{told} Another is chosen with --audio-track or audio_track."
