"""The report of a render: measured facts of every line and of the whole."""

from __future__ import annotations

import msgspec

from app.domain.job import Joined
from app.domain.segment import Flag
from app.domain.subtitle_file import SubtitleReading


class LineReport(msgspec.Struct, frozen=True):
    """One spoken line. `start_s` is the original's start, `placed_s` where the voice starts, `offset_s` the difference
    (positive: late).

    `rate` is how many times as fast as the voice's own it is heard, `stretch` what of that was stretched and not spoken
    by the engine; `characters_per_s` counts the text over the time that it takes. `speaker` is the id of who says it,
    "" where nobody told speakers apart.
    """

    segment_id: str
    text: str
    start_s: float
    placed_s: float
    offset_s: float
    duration_s: float
    rate: float
    characters_per_s: float
    flags: tuple[Flag, ...]
    stretch: float = 1.0
    speaker: str = ""


class Report(msgspec.Struct, frozen=True):
    """A finished render. Shares are 0..1 of the lines; LUFS and dBTP are None where the sound is silent.

    `duration_difference_s` is the finished video's length minus the source's, as the finished file says. `picture` is
    "copied", or the encoder that made it anew ("libx264", "h264_nvenc"); None without a picture. `encoded_for` says
    why: "subtitles", or what stood in the way of copying it ("edits", "sizes", "start"; `app.domain.media.Obstacle`).
    `target_lufs` None: the level was left. `joined`: short subtitles were joined to these lines; None where they were
    not. `left_out` counts the lines of which nothing was spoken, as they only describe (a sound, a song, an address).
    `subtitles`: how the file that was brought was read.
    """

    lines: tuple[LineReport, ...]
    share_over_125: float
    mean_rate: float
    highest_rate: float
    worst_offset_s: float
    to_shorten: int
    late: int
    loudness_lufs: float | None
    target_lufs: float | None
    true_peak_db: float | None
    source_duration_s: float
    duration_difference_s: float
    picture: str | None
    encoded_for: str | None = None
    joined: Joined | None = None
    left_out: int = 0
    subtitles: SubtitleReading | None = None
