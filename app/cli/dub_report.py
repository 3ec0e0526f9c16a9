"""Prints the report of a render as a table: coloured on a terminal, plain text elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TextIO

from app.domain.plain_text import visible
from app.domain.report import LineReport, Report
from app.domain.subtitle_file import SubtitleReading
from app.system.console import say

HEAD: Final = ("start", "offset", "rate", "char/s", "flags", "line")
_WHY: Final = {
    "edits": ": the file cuts parts out of it, which a copy would show",
    "sizes": ": it changes its size, which many players cannot show",
    "start": ": it begins between two key pictures, which only an MP4 can say",
}
_TEXT_CHARACTERS: Final = 60


def show(report: Report, needs_a_look: Callable[[LineReport], bool], out: TextIO) -> None:
    """Write the totals, and the lines that a person should look at."""
    lines = [row(line) for line in report.lines if needs_a_look(line)]
    notes = fault_lines(report.subtitles) if report.subtitles else []
    if out.isatty():
        _rich(totals(report), notes, lines, out)
    else:
        say(
            *_columns(totals(report)),
            *notes,
            "",
            *(_columns([HEAD, *lines]) if lines else ["no line needs a look"]),
            to=out,
        )


def totals(report: Report) -> list[tuple[str, str]]:
    """The totals of the render, as (name, value)."""
    count = len(report.lines)
    target = "left as it was" if report.target_lufs is None else f"target {report.target_lufs:g} LUFS"
    return [
        *([("subtitles", subtitles_line(report.subtitles))] if report.subtitles else []),
        ("lines", str(count)),
        *([("short cues", f"{report.joined.cues} joined to {report.joined.lines} lines")] if report.joined else []),
        *([("not spoken", f"{report.left_out} (sounds, music, names, credits, addresses)")] if report.left_out else []),
        (
            "faster than 1.25x",
            f"{report.share_over_125:.1%} (mean {report.mean_rate:.2f}x, highest {report.highest_rate:.2f}x)",
        ),
        ("to shorten", str(report.to_shorten)),
        ("late", f"{report.late} (worst offset {report.worst_offset_s:+.3f} s)"),
        ("loudness", f"{_level(report.loudness_lufs, 'LUFS')} ({target})"),
        ("true peak", _level(report.true_peak_db, "dBTP")),
        (
            "length",
            (
                f"{clock(report.source_duration_s + report.duration_difference_s)} "
                f"({report.duration_difference_s:+.3f} "
                f"s to the source)"
            ),
        ),
        *(
            [
                (
                    "picture",
                    "copied"
                    if report.picture == "copied"
                    else f"encoded by {report.picture}{_WHY.get(report.encoded_for or '', '')}",
                )
            ]
            if report.picture
            else []
        ),
    ]


def subtitles_line(found: SubtitleReading) -> str:
    """How a subtitle file was read, in one line."""
    encoding = f"{found.encoding}, guessed" if found.guessed else found.encoding
    parts = [f"{found.format} ({encoding}), {found.cues} cues"]
    if found.rolling:
        parts.append("rolling captions, each phrase once")
    if found.left_out or found.repaired:
        parts.append(f"{found.repaired} repaired, {found.left_out} left out")
    return "; ".join(parts)


def fault_lines(found: SubtitleReading) -> list[str]:
    """The faults of a subtitle file, one a line, and a sample of the text when its encoding was guessed."""
    lines = [f"  encoding: guessed {found.encoding}; reads “{visible(found.sample)}”"] if found.guessed else []
    lines += [f"  {f'line {fault.line}: ' if fault.line else ''}{fault.what}; {fault.done}" for fault in found.faults]
    more = found.left_out + found.repaired - len(found.faults)
    return [*lines, *([f"  and {more} more"] if more > 0 else [])]


def row(line: LineReport) -> tuple[str, ...]:
    """A line as the table's cells, in the order of HEAD."""
    text = line.text if len(line.text) <= _TEXT_CHARACTERS else line.text[: _TEXT_CHARACTERS - 1] + "…"
    return (
        clock(line.placed_s),
        f"{line.offset_s:+.2f} s",
        f"{line.rate:.2f}x",
        f"{line.characters_per_s:.1f}",
        ", ".join(line.flags),
        visible(text),
    )


def clock(seconds: float) -> str:
    """ "1:02:03.4"."""
    tenths = round(seconds * 10)
    hours, minutes = tenths // 36_000, tenths // 600 % 60
    return f"{f'{hours}:{minutes:02}' if hours else minutes}:{tenths % 600 / 10:04.1f}"


def _level(value: float | None, unit: str) -> str:
    return "silent" if value is None else f"{value:.1f} {unit}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]


def _rich(totals: Sequence[tuple[str, str]], notes: Sequence[str], lines: Sequence[Sequence[str]], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out)
    whole = Table(box=None, show_header=False)
    for name, value in totals:
        whole.add_row(Text(name, style="dim"), Text(value))
    console.print(whole)
    for note in notes:
        console.print(Text(note, style="yellow"))
    if not lines:
        console.print(Text("No line needs a look.", style="green"))
        return
    table = Table(*HEAD, title="lines that need a look", title_justify="left")
    for cells in lines:
        table.add_row(*map(Text, cells))  # as Text: the line's words are not markup
    console.print(table)
