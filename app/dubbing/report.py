"""Builds the report of a render: facts of every line and of the whole. Stored as JSON, shown by the page and the
command line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import DubOptions
from app.domain.job import Joined
from app.domain.media import Artifact, ArtifactKind
from app.domain.report import LineReport, Report
from app.domain.segment import Flag, Placement, Segment
from app.domain.stage_outputs import Mixed
from app.domain.subtitle_file import SubtitleReading
from app.dubbing.artifacts import keep_artifact
from app.dubbing.context import Context
from app.dubbing.finish import Finished
from app.dubbing.subtitles.cues import reading_speed

RUSHED_RATE: Final = 1.25
# beyond this, subtitles cannot be read in time by many (BBC: 17 to 19; Netflix: at most 20 for adults, 42-sign lines)
FAST_READING_CPS: Final = 21.0


def report_of(
    segments: Sequence[Segment],
    placements: Sequence[Placement],
    mixed: Mixed,
    finished: Finished,
    options: DubOptions,
    source_duration_s: float,
    joined: Joined | None = None,
    subtitles: SubtitleReading | None = None,
) -> Report:
    """What came out. Pure; lines in the order in which they are heard; those that keep the original sound are not
    spoken and not in it.

    Rounded to what can be heard: seconds to 1 ms, rates to 0.0001, levels to 0.01 dB.
    """
    by_id = {segment.id: segment for segment in segments}
    lines = tuple(
        sorted((_line(by_id[p.segment_id], p) for p in placements), key=lambda line: (line.placed_s, line.segment_id))
    )
    rates = [line.rate for line in lines]
    return Report(
        lines=lines,
        share_over_125=_share(sum(rate > RUSHED_RATE for rate in rates), len(rates)),
        mean_rate=round(sum(rates) / len(rates), 4) if rates else 1.0,
        highest_rate=max(rates, default=1.0),
        worst_offset_s=max((line.offset_s for line in lines), key=abs, default=0.0),
        to_shorten=sum(Flag.SHORTEN in line.flags for line in lines),
        late=sum(Flag.LATE in line.flags for line in lines),
        loudness_lufs=_rounded(mixed.loudness_lufs),
        target_lufs=options.mix.loudness_lufs,
        true_peak_db=_rounded(mixed.true_peak_db),
        source_duration_s=round(source_duration_s, 3),
        duration_difference_s=round(finished.duration_s - source_duration_s, 3),
        picture=finished.picture,
        encoded_for=finished.encoded_for,
        joined=joined,
        subtitles=subtitles,
        left_out=sum(segment.unspoken for segment in segments),
    )


async def keep_report(context: Context, report: Report) -> Artifact:
    """The report as a file that the job hands out: indented JSON, UTF-8."""

    def keep() -> Artifact:
        with context.workspace.folder("report") as folder:
            path: Path = folder / "report.json"
            path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
            return keep_artifact(context, path, ArtifactKind.REPORT)

    return await asyncio.to_thread(keep)


def needs_a_look(line: LineReport) -> bool:
    """Whether a person should read the line again: it is flagged, rushed, or too quick to be read along."""
    return bool(line.flags) or line.rate > RUSHED_RATE or line.characters_per_s > FAST_READING_CPS


def _line(segment: Segment, placed: Placement) -> LineReport:
    text = " ".join(segment.text.split())
    return LineReport(
        segment_id=segment.id,
        text=text,
        start_s=round(segment.start_s, 3),
        placed_s=round(placed.start_s, 3),
        offset_s=round(placed.start_s - segment.start_s, 3),
        duration_s=round(placed.duration_s, 3),
        rate=round(placed.rate * placed.pace, 4),
        characters_per_s=round(reading_speed(text, placed.duration_s), 2),
        flags=placed.flags,
        stretch=round(placed.rate, 4),
        speaker=segment.speaker,
    )


def _rounded(level: float | None) -> float | None:
    return None if level is None else round(level, 2)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
