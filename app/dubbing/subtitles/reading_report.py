"""Describes for people how a subtitle file was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.dub_options import DubOptions
from app.domain.subtitle_file import MOST_FAULTS, Fault, SubtitleReading
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.srt_vtt import Subtitles, read

_SAMPLE_CHARACTERS: Final = 120


def read_subtitle_file(data: bytes, options: DubOptions) -> Subtitles:
    """The file, by the language that its lines are in and the encoding that the person chose. Raises as `read`."""
    return read(
        data,
        language=options.translation.target_language or options.recognition.language,
        encoding=options.recognition.subtitle_encoding,
    )


def subtitle_reading(found: Subtitles, duration_s: float | None = None) -> SubtitleReading:
    """What is told of the file; with `duration_s`, cues after the video's end are a fault too."""
    faults = found.faults
    late = [] if duration_s is None else [cue for cue in found.cues if cue.start_s >= duration_s]
    if late:
        what = "1 cue is after the video's end" if len(late) == 1 else f"{len(late)} cues are after the video's end"
        faults = (*faults[: MOST_FAULTS - 1], Fault(0, what, "left out", True), *faults[MOST_FAULTS - 1 :])
    return SubtitleReading(
        format=found.format,
        encoding=found.encoding,
        guessed=found.guessed,
        sample=sample(found.cues),
        cues=len(found.cues) - len(late),
        rolling=found.rolling,
        left_out=sum(fault.left_out for fault in faults),
        repaired=sum(not fault.left_out for fault in faults),
        faults=faults[:MOST_FAULTS],
    )


def sample(cues: Sequence[Cue]) -> str:
    """The cue that shows best whether the encoding is right: of the first hundreds, the one with the most letters that
    are not ASCII."""
    cue = max(cues[:500], key=lambda cue: sum(c > "\x7f" and c.isalpha() for c in cue.text[:_SAMPLE_CHARACTERS]))
    return " ".join(cue.text.split())[:_SAMPLE_CHARACTERS]
