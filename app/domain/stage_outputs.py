"""What the stages give: plain data that the `stages` table, an archive and the next stage hold. An older version's
still decodes."""

from __future__ import annotations

import msgspec

from app.domain.media import Artifact, Obstacle


class Sound(msgspec.Struct, frozen=True):
    """What ingest leaves in the blob store, and what it saw of the picture.

    `energies` are 100 ms K-weighted mean squares; `thumbnail` is None for sound alone.
    """

    duration_s: float
    speech: str
    peaks: str
    energies: str
    thumbnail: str | None
    obstacle: Obstacle | None = None
    largest: tuple[int, int] | None = None

    def keys(self) -> tuple[str, ...]:
        return tuple(key for key in (self.speech, self.peaks, self.energies, self.thumbnail) if key)


class Transcribed(msgspec.Struct, frozen=True):
    """Output of the transcribe stage; while it is partial, how far it is."""

    language: str | None
    done_s: float
    language_certainty: float | None = None


class SpeakersFound(msgspec.Struct, frozen=True):
    """How many voices were told apart, and how many lines got a speaker by it."""

    speakers: int
    lines: int


class Translated(msgspec.Struct, frozen=True):
    """How many lines were translated, and how many of them stay in the source language because no usable answer
    came."""

    lines: int
    failed: int


class Separated(msgspec.Struct, frozen=True):
    """The key of the original sound without voices; None where nothing was separated."""

    background: str | None

    def keys(self) -> tuple[str, ...]:
        return () if self.background is None else (self.background,)


class Mixed(msgspec.Struct, frozen=True):
    """The dubbed track as the video carries it, the sound alone as the person wants it (often the same file), and what
    was measured while they were made. LUFS and dBTP; None where the sound is silent.
    """

    track: Artifact
    audio: Artifact
    loudness_lufs: float | None
    true_peak_db: float | None


class Finished(msgspec.Struct, frozen=True):
    """The files, and what the report says of them: `duration_s` is the finished video's (or sound's) as the file itself
    says; `picture` is "copied", or the encoder that made it anew, for `encoded_for`; None without a picture.
    """

    artifacts: tuple[Artifact, ...]
    duration_s: float
    picture: str | None
    encoded_for: str | None = None
