"""Reads a translation that a person brings (SRT, WebVTT, ASS, numbered lines, or one line each), and says which line of
a job gets what: by number, else by time, else by order."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.brought_translation import Entry, Matched
from app.domain.errors import DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.problems.lines import SUBTITLES_EMPTY, TEXT_INVALID, TEXT_TOO_LONG, TOO_MANY_LINES
from app.domain.problems.translation import TRANSLATION_UNMATCHED
from app.domain.segment import MAX_LINES, Segment, Translation
from app.dubbing.spoken.cues_to_lines import recognised
from app.dubbing.spoken.speaker_labels import names_in
from app.dubbing.subtitles import srt_reader
from app.dubbing.subtitles.encoding import decode
from app.dubbing.subtitles.srt_vtt import MAX_BYTES, read
from app.dubbing.translate import source_of

_AGREED: Final = 0.8  # of the cues whose number is a line's lie in that line's time: the numbers are the lines'
_TOUCHING_S: Final = 0.05
_NUMBERED: Final = re.compile(r"\s*[#\[(]?(\d{1,5})(?:[.)\]:](?!\d)|\t|\s+[-\u2013|]\s)\s*(.*)")
_IS_SUBTITLES: Final = re.compile(r"-->|^\ufeff?WEBVTT|^\[Script Info\]", re.MULTILINE | re.IGNORECASE)


class Brought(msgspec.Struct, frozen=True):
    """A translation as it was read. `format` is "srt", "vtt", "ass", "numbered" or "plain"."""

    format: str
    entries: tuple[Entry, ...]


class Matching(msgspec.Struct, frozen=True):
    """Which line gets what: texts by the lines' ids. `missing` are the ids of spoken lines that get nothing,
    `left_over` the entries that no line gets."""

    by: Matched
    texts: dict[str, str]
    missing: tuple[str, ...]
    left_over: tuple[Entry, ...]


def read_translation(data: bytes, language: str | None = None) -> Brought:
    """What the file or the pasted text says, in whatever form. Raises subtitles_invalid, subtitles_empty,
    too_many_lines, text_too_long, text_invalid."""
    if len(data) > MAX_BYTES:
        raise DubError(TOO_MANY_LINES, f"The translation is larger than {MAX_BYTES >> 20} MB.")
    text = decode(data, language=language).text
    if _IS_SUBTITLES.search(text):
        found = read(data, language=language)
        numbers = srt_reader.numbers(text.splitlines()) if found.format == "srt" and not found.rolling else {}
        entries = [Entry(cue.text, numbers.get(cue.start_s), cue.start_s, cue.end_s) for cue in found.cues]
        brought = Brought(found.format, tuple(entries))
    else:
        rows = text.splitlines()
        numbered = tuple(_numbered(rows))
        brought = Brought("numbered", numbered) if numbered else Brought("plain", _plain(rows))
    if not any(entry.text for entry in brought.entries):
        raise DubError(SUBTITLES_EMPTY, "The translation has no lines.")
    if len(brought.entries) > MAX_LINES:
        raise DubError(TOO_MANY_LINES, f"The translation has {len(brought.entries)}; a job may have {MAX_LINES}.")
    return msgspec.structs.replace(brought, entries=_spoken(brought.entries))


def match(brought: Brought, lines: Sequence[Segment], by: Matched | None = None) -> Matching:
    """Which line gets what; `by` is the person's choice, else what suits. A line of which nothing is spoken gets
    nothing. Lines are numbered from 1, as in the subtitles that are handed out."""
    entries = [entry for entry in brought.entries if entry.text or brought.format == "plain"]
    how = by or _best(entries, lines)
    if how is Matched.TIME and any(entry.start_s is None for entry in entries):
        how = Matched.ORDER
    places = {Matched.NUMBER: _by_number, Matched.TIME: _by_time, Matched.ORDER: _by_order}[how](entries, lines)
    texts: dict[str, list[str]] = {}
    left_over = []
    for entry, at in zip(entries, places, strict=True):
        line = None if at is None else lines[at]
        taken = line is not None and line.id in texts and how is not Matched.TIME
        if line is None or line.unspoken or taken:
            left_over.append(entry)
        elif entry.text:
            texts.setdefault(line.id, []).append(entry.text)
    missing = tuple(line.id for line in lines if not line.skip and line.id not in texts)
    joined = {line_id: _checked(" ".join(some)) for line_id, some in texts.items()}
    return Matching(how, joined, missing, tuple(entry for entry in left_over if entry.text))


def applied(lines: Sequence[Segment], matching: Matching) -> list[Segment]:
    """The lines with their texts, each with what it is the translation of. A spoken line that gets nothing keeps the
    text it has; if it was never translated it is marked. Raises translation_unmatched where no line gets any."""
    if not matching.texts:
        raise DubError(TRANSLATION_UNMATCHED)
    missing = set(matching.missing)
    return [
        _given(line, text)
        if (text := matching.texts.get(line.id)) is not None
        else _without(line)
        if line.id in missing and not line.translation
        else line
        for line in lines
    ]


def _given(line: Segment, text: str) -> Segment:
    words = line.words if text == line.text else ()
    return msgspec.structs.replace(line, original=source_of(line), text=text, words=words, translation=Translation.DONE)


def _without(line: Segment) -> Segment:
    return msgspec.structs.replace(line, original=line.text, translation=Translation.FAILED)


# ---------------------------------------------------------------- reading


def _numbered(rows: Sequence[str]) -> Iterator[Entry]:
    """The entries of numbered rows; a row without a number goes on with the one before. Nothing where the rows are not
    numbered: the first has no number, few have, or they do not count up."""
    heads = [(at, found) for at, row in enumerate(rows) if (found := _NUMBERED.match(row))]
    filled = [at for at, row in enumerate(rows) if row.strip()]
    counted = [int(found[1]) for _, found in heads]
    ordered = all(a < b for a, b in itertools.pairwise(counted))
    if not heads or heads[0][0] != filled[0] or 2 * len(heads) < len(filled) or not ordered or counted[0] == 0:
        return
    for (at, found), until in zip(heads, [*(at for at, _ in heads[1:]), len(rows)], strict=True):
        rest = [row.strip() for row in rows[at + 1 : until] if row.strip()]
        yield Entry(" ".join([found[2].strip(), *rest]).strip(), int(found[1]))


def _plain(rows: Sequence[str]) -> tuple[Entry, ...]:
    while rows and not rows[-1].strip():
        rows = rows[:-1]
    return tuple(Entry(row.strip()) for row in rows)


def _spoken(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries on one line each, with what is spoken of them: no sounds, no speaker's names."""
    names = names_in(entry.text for entry in entries)
    told = []
    for entry in entries:
        text = " ".join(entry.text.split())
        line = Segment("", 0.0, 1.0, text, text, "", False, ())
        parts = recognised([line], names=names) if text else ()
        said = " ".join(part.text for part in parts if not part.unspoken).strip()
        told.append(msgspec.structs.replace(entry, text=_checked(said or text)))
    return tuple(told)


def _checked(text: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise DubError(
            TEXT_TOO_LONG, f"“{text[:40]}…” has {len(text)} characters; a line has at most {MAX_TEXT_CHARACTERS}."
        )
    if not text.isprintable() and any(character < " " or "\x7f" <= character < "\xa0" for character in text):
        raise DubError(TEXT_INVALID, f"“{''.join(filter(str.isprintable, text))[:40]}”.")
    return text


# ---------------------------------------------------------------- matching


def _best(entries: Sequence[Entry], lines: Sequence[Segment]) -> Matched:
    numbered = [entry for entry in entries if entry.number is not None]
    timed = all(entry.start_s is not None for entry in entries)
    counts = len(numbered) == len(entries) and len({entry.number for entry in entries}) == len(entries)
    if counts and not timed:
        return Matched.NUMBER
    if counts:
        places = _by_number(entries, lines)
        within = sum(
            at is not None and _shared_s(entry, lines[at]) > 0 for entry, at in zip(entries, places, strict=True)
        )
        if within >= _AGREED * len(entries):
            return Matched.NUMBER
    if timed and sum(at is not None for at in _by_time(entries, lines)) >= len(entries) / 2:
        return Matched.TIME
    return Matched.NUMBER if counts and len(entries) <= len(lines) else Matched.ORDER


def _by_number(entries: Sequence[Entry], lines: Sequence[Segment]) -> list[int | None]:
    return [
        entry.number - 1 if entry.number is not None and 1 <= entry.number <= len(lines) else None for entry in entries
    ]


def _by_time(entries: Sequence[Entry], lines: Sequence[Segment]) -> list[int | None]:
    """The line that each shares the most time with."""
    order = sorted(range(len(lines)), key=lambda at: lines[at].start_s)
    starts = [lines[at].start_s for at in order]
    latest = list(itertools.accumulate((lines[at].end_s for at in order), max))  # end of all lines up to here
    found: list[int | None] = []
    for entry in entries:
        best, most_s = None, _TOUCHING_S
        place = bisect.bisect_left(starts, entry.end_s or 0.0) - 1
        while place >= 0 and latest[place] > (entry.start_s or 0.0):
            shared_s = _shared_s(entry, lines[order[place]])
            if shared_s > most_s and not lines[order[place]].unspoken:
                best, most_s = order[place], shared_s
            place -= 1
        found.append(best)
    return found


def _by_order(entries: Sequence[Entry], lines: Sequence[Segment]) -> list[int | None]:
    """One after the other: onto all lines where there are as many, else onto those that are spoken."""
    everywhere = len(entries) == len(lines)
    places = [at for at, line in enumerate(lines) if everywhere or not line.skip]
    if not everywhere and len(entries) != len(places):  # an empty row is no place then
        rest = iter(places)
        return [next(rest, None) if entry.text else None for entry in entries]
    return [*places[: len(entries)], *[None] * (len(entries) - len(places))]


def _shared_s(entry: Entry, line: Segment) -> float:
    return min(entry.end_s or 0.0, line.end_s) - max(entry.start_s or 0.0, line.start_s)
