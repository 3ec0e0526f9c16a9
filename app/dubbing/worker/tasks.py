"""Requests and results between the server and `app.dubbing.worker.child`, as JSON.

Paths are strings, times seconds on the video's timeline.

Nothing heavy is imported here: the server builds these, the child's modules take and give them.
"""

from __future__ import annotations

import msgspec

from app.domain.dub_options import AudioCodec, AudioFormat, Background
from app.domain.media import Obstacle


class ProbeRequest(msgspec.Struct, frozen=True):
    """`whole`: the packets of the film are read to their end, too, and what stands in the way of copying them is
    told."""

    path: str
    whole: bool = False


class IngestRequest(msgspec.Struct, frozen=True):
    """`out` is an existing folder; see `app.dubbing.ingest` for what is put there. `size_bytes` is the source's.

    `resume_folder` is a folder that outlives a kill: what a killed run had done is found there, a minute of the sound
    in each file.
    """

    path: str
    out: str
    audio_track: int
    max_duration_s: float
    size_bytes: int
    resume_folder: str | None = None


class Ingested(msgspec.Struct, frozen=True):
    """`duration_s` is the true one (what decodes); `loudness_lufs` of the original, None when it is silent. `obstacle`
    is what stands in the way of copying the picture, `largest` the size of its largest pictures, where it has several.
    """

    duration_s: float
    loudness_lufs: float | None
    obstacle: Obstacle | None = None
    largest: tuple[int, int] | None = None


class JoinRequest(msgspec.Struct, frozen=True):
    """`pieces` are files of `app.dubbing.video.burn_pieces`; `out` becomes one MP4 of them."""

    pieces: tuple[str, ...]
    out: str


class JoinedPicture(msgspec.Struct, frozen=True):
    """The first piece that is damaged or absent, if there is one: then nothing was written."""

    damaged: int | None = None


class OutlineRequest(msgspec.Struct, frozen=True):
    """MP4 files and where the outline of each goes (`app.media.mp4_outline`)."""

    files: tuple[tuple[str, str], ...]


class JoinedTrack(msgspec.Struct, frozen=True):
    """A track of an MP4, counted from 0. `start_s` is what the file's clock shows at the beginning; `kind` is
    "video" or "audio"."""

    path: str
    number: int
    kind: str
    start_s: float = 0.0


class JoinTracksRequest(msgspec.Struct, frozen=True):
    """Tracks become one MP4, `out`, with the headers of `frame`, whose first tracks they are; the others of `frame` are
    taken as they are. `duration_s` is how long the file lasts, by what was decoded; `position` is a file that says how
    far a killed run came."""

    frame: str
    duration_s: float
    tracks: tuple[JoinedTrack, ...]
    out: str
    position: str


class TablesRead(msgspec.Struct, frozen=True):
    """Why FFmpeg must do it instead; None where it need not."""

    unsuitable: str | None = None


class StreamRequest(msgspec.Struct, frozen=True):
    """A film that FFmpeg appends to `stream`, in as many runs as it takes (`app.media.mp4_placed`,
    `app.media.mkv_placed`). `frame` has the headers of an MP4. `tracks` are those of the stream; the tables of one with
    a path are in that MP4. `room_bytes` is the room for the index, `synced_bytes` how much of the stream is on disk."""

    stream: str
    tracks: tuple[JoinedTrack, ...]
    room_bytes: int
    folder: str
    duration_s: float
    frame: str = ""
    synced_bytes: int = 0


class EncodeSoundRequest(msgspec.Struct, frozen=True):
    """Audio stream `track` of a file becomes `out`, an M4A or an Opus file that plays `duration_s`, of FFmpeg's channel
    layout `layout`. `folder` outlives a kill: what a killed run had encoded is found there."""

    path: str
    track: int
    out: str
    layout: str
    duration_s: float
    folder: str


class SoundEncoded(msgspec.Struct, frozen=True):
    """How many chunks of the sound were encoded now, and how many a killed run had left."""

    made: int
    found: int


class StreamBegun(msgspec.Struct, frozen=True):
    """Where in the film FFmpeg begins, and why it must write all in one run instead."""

    start_s: float = 0.0
    unsuitable: str | None = None


class FitLine(msgspec.Struct, frozen=True):
    """A line to place: its slot, and its clip (mono WAV). `speed` is what the wished speed still asks of us (1.0:
    nothing).

    `start_locked` and `locked_rate` as in `Segment`; a locked rate is the placement's rate, `speed` included.
    `pace` is how many times as fast the engine has spoken it so that it fits. `natural_s`: there is no clip yet, and
    this is how long its speech is foreseen to be. `words` are the times of the original's words.
    """

    segment_id: str
    start_s: float
    end_s: float
    speaker: str
    clip: str
    speed: float
    start_locked: bool = False
    locked_rate: float | None = None
    pace: float = 1.0
    natural_s: float | None = None
    words: tuple[tuple[float, float], ...] = ()


class FitRequest(msgspec.Struct, frozen=True):
    """`speech` is the original's sound for recognition (16 kHz mono s16 WAV): with it, lines are placed phrase by
    phrase (`app.dubbing.timing.phrases`)."""

    lines: tuple[FitLine, ...]
    video_end_s: float
    speech: str | None = None


class CutRequest(msgspec.Struct, frozen=True):
    """A part of a file's sound, in samples of 48 kHz, as a file of its own."""

    path: str
    source_id: str
    audio_track: int
    spans: str
    first_n: int
    until_n: int
    out: str


class VoiceRequest(msgspec.Struct, frozen=True):
    """A voice that was taken out of `recording`, which has `length_n` samples of 48 kHz."""

    voice: str
    recording: str
    length_n: int


class FoundVoice(msgspec.Struct, frozen=True):
    """By how many samples of 48 kHz the voice comes later than in the recording."""

    late_n: int


class VoicePiece(msgspec.Struct, frozen=True):
    """The voice of `begin_n` to `end_n` of a recording, in a file that begins with its sample `first_n`."""

    path: str
    first_n: int
    begin_n: int
    end_n: int
    late_n: int


class SeparateRequest(msgspec.Struct, frozen=True):
    """The sound of a file without speech, `out`; see `app.dubbing.separation.background`. `engine` and `model` are what
    `app.separation.loading` takes; with `voices` the speech is known. `resume_folder` is a folder that outlives a kill,
    and so is `spans`, in which is kept where the decoders of the source begin.
    """

    path: str
    source_id: str
    audio_track: int
    duration_s: float
    engine: str
    model: str
    resume_folder: str
    spans: str
    out: str
    threads: int
    voices: tuple[VoicePiece, ...] = ()


class SeparatedSound(msgspec.Struct, frozen=True):
    """Pieces that were made now, and that an earlier run had left."""

    made: int
    found: int


class MixClip(msgspec.Struct, frozen=True):
    """A placed clip; see `app.domain.segment.Placement`. `level_db` is on top of the level that is found for it.
    Pieces of one `line` have one level ("": it is in one piece)."""

    path: str
    start_s: float
    duration_s: float
    rate: float
    trim_start_s: float
    trim_end_s: float
    level_db: float = 0.0
    line: str = ""


class Ducking(msgspec.Struct, frozen=True):
    """How the background goes down under the voice: `depth_db` negative, None for as deep as the voice needs; see
    `app.dubbing.mixing.ducking`."""

    depth_db: float | None = None
    attack_s: float = 0.12
    hold_s: float = 0.8
    release_s: float = 0.45


class MixRequest(msgspec.Struct, frozen=True):
    """One dubbed track. `source` is None for a silent video; `source_id` names its bytes (a hash); `energies` are
    ingest's 100 ms K-weighted mean squares (float32). `stem` is a background without voices that is heard instead of
    the source, in its place in time, named by `stem_id`; `gentle`: it is lowered less, no old voice is in it.
    `target_lufs` None leaves the level; `chunk_cache` is a folder of this job's own: what a run does not use is
    deleted. `original_spans` are spans (start_s, end_s) in which the original is heard whatever the background is:
    skipped lines. `out` becomes the dub as the video carries it, coded as `codec` says (.m4a or .opus); `audio_out`
    (when given) the same sound as `audio_format`.
    """

    source: str | None
    source_id: str
    audio_track: int
    duration_s: float
    clips: tuple[MixClip, ...]
    background: Background
    energies: str | None
    chunk_cache: str
    out: str
    threads: int
    target_lufs: float | None = -16.0
    original_spans: tuple[tuple[float, float], ...] = ()
    ducking: Ducking = Ducking()
    keep_db: float = 0.0
    stem: str | None = None
    stem_id: str = ""
    gentle: bool = False
    codec: AudioCodec = AudioCodec.AAC
    audio_out: str | None = None
    audio_format: AudioFormat = AudioFormat.M4A


class MixReport(msgspec.Struct, frozen=True):
    """What was made: LUFS and dBTP (None when silent), chunks rendered now and taken from the cache."""

    duration_s: float
    loudness_lufs: float | None
    true_peak_db: float | None
    clips: int
    encoded_chunks: int
    cached_chunks: int
