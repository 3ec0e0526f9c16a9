"""Turns subtitles (or recognised lines) into lines to speak: joins short ones, and separates parts that are not
spoken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.dub_options import JoinShortCues
from app.domain.job import Joined
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.segment import Segment, Word
from app.dubbing.spoken.brackets import half_open
from app.dubbing.spoken.classify import Piece, pieces
from app.dubbing.spoken.joining import JoinedLine, join, located, looks_short, timed
from app.dubbing.spoken.speaker_labels import NOBODY, KnownNames, names_in
from app.dubbing.spoken.unspeakable import Span, without
from app.dubbing.subtitles.cues import Cue

_SHORTEST_S: Final = 0.05
_SAME_SOUND_S: Final = 2.0  # brackets may go on in the next subtitle, if it comes this soon


class SpokenLines(msgspec.Struct, frozen=True):
    """The lines, in order; `joined` says what was made of short subtitles, None where they stayed as they were."""

    segments: tuple[Segment, ...]
    joined: Joined | None


def lines_of(
    cues: Sequence[Cue],
    duration_s: float,
    *,
    speak_sounds: bool = False,
    join_short_cues: JoinShortCues = JoinShortCues.AUTO,
) -> SpokenLines:
    """The lines of brought subtitles (sorted) that lie within the video."""
    cues = [cue for cue in cues if cue.end_s > 0 and cue.start_s < duration_s and cue.text.strip()]
    names = names_in(cue.text for cue in cues)
    joins = join_short_cues is JoinShortCues.ON or (join_short_cues is JoinShortCues.AUTO and looks_short(cues))
    made: list[Segment] = []
    if joins:
        for joint in join(cues, names):
            made += _segments(
                joint, duration_s, pieces(joint.text, names, speaker=joint.speaker, everything=speak_sounds), tight=True
            )
    else:
        for cue, sounds in zip(cues, _over_cues(cues), strict=True):
            words = timed(cue) if cue.words else ()
            joint = JoinedLine(cue.start_s, cue.end_s, cue.text.strip(), cue.speaker, words)
            made += _segments(
                joint,
                duration_s,
                pieces(joint.text, names, speaker=cue.speaker, sounds=sounds, everything=speak_sounds),
                tight=False,
            )
    return SpokenLines(tuple(made), Joined(len(cues), len(made)) if joins else None)


def recognised(
    segments: Sequence[Segment], *, speak_sounds: bool = False, names: KnownNames = NOBODY
) -> tuple[Segment, ...]:
    """Recognised lines without what recognition describes or makes up: "[Music]", "(Applause)", "Subtitles by the
    Amara.org community"."""
    made: list[Segment] = []
    for line in segments:
        told = pieces(line.text, names, speaker=line.speaker, everything=speak_sounds)
        if len(told) == 1 and not told[0].silent:
            made.append(line)
            continue
        placed = timed(Cue(line.start_s, line.end_s, line.text, line.words)) if line.words else ()
        made += _segments(
            JoinedLine(line.start_s, line.end_s, line.text.strip(), line.speaker, placed), line.end_s, told, tight=False
        )
    return tuple(made)


def _segments(joint: JoinedLine, duration_s: float, told: Sequence[Piece], *, tight: bool) -> Iterator[Segment]:
    """A line for each speaker. `tight`: from the first word that is spoken to the last."""
    start_s, end_s = max(joint.start_s, 0.0), min(joint.end_s, duration_s)
    if end_s - start_s < _SHORTEST_S:
        return
    if len(told) > 1 and end_s - start_s < 2 * _SHORTEST_S * len(told):  # no time for each
        told = [_one(joint.text, told)]
    sizes = [_letters(piece.spoken or joint.text[piece.start : piece.end]) for piece in told]
    total = sum(sizes) or 1
    done = 0
    for piece, size in zip(told, sizes, strict=True):
        source = joint.text[piece.start : piece.end]
        times = start_s + (end_s - start_s) * done / total, start_s + (end_s - start_s) * (done + size) / total
        done += size
        heard = _words(joint, piece)
        if heard and (tight or len(told) > 1):
            times = heard[0].start_s, heard[-1].end_s
        yield from _segment(
            piece, source, max(times[0], start_s), min(times[1], end_s), heard, joint.speaker, within=(start_s, end_s)
        )


def _segment(
    piece: Piece,
    source: str,
    start_s: float,
    end_s: float,
    words: Sequence[Word],
    speaker: str,
    *,
    within: tuple[float, float],
) -> Iterator[Segment]:
    source = " ".join(source.split())[:MAX_TEXT_CHARACTERS]
    if not source:
        return
    if end_s - start_s < _SHORTEST_S:
        end_s = min(start_s + _SHORTEST_S, within[1])
        start_s = max(min(start_s, end_s - _SHORTEST_S), within[0])
    within_s = [Word(word.text, word.start_s, min(word.end_s, end_s)) for word in words if word.start_s < end_s]
    words = within_s if len(within_s) == len(words) else []  # a text that is cut by the video's end is spoken whole
    skip = not piece.spoken and bool(piece.left_out)
    yield Segment(
        uuid.uuid4().hex,
        round(start_s, 3),
        round(end_s, 3),
        piece.spoken or source,
        source,
        piece.speaker or speaker if skip else piece.speaker,
        skip,
        () if skip else tuple(words),
        left_out=piece.left_out,
    )


def _words(joint: JoinedLine, piece: Piece) -> list[Word]:
    """The words of what is spoken, joined the text; none where they are not all known."""
    found = []
    for word, (start, end) in joint.words:
        if piece.start <= start < piece.end:
            cuts = [(max(a, start) - start, min(b, end) - start) for a, b in piece.silent if a < end and start < b]
            text = without(joint.text[start:end], cuts)
            if text.strip():
                found.append(Word(text, word.start_s, word.end_s))
    while found and not piece.spoken.startswith(found[0].text[0]) and not any(map(str.isalnum, found[0].text)):
        del found[0]
    placed = located(piece.spoken, found)
    return [
        Word(" " * piece.spoken[:start][-1:].isspace() + word.text, word.start_s, word.end_s)
        for word, (start, _) in placed
    ]


def _one(text: str, told: Sequence[Piece]) -> Piece:
    spoken = " ".join(piece.spoken for piece in told if piece.spoken)
    left_out = tuple(part for piece in told for part in piece.left_out)
    return Piece(
        0, len(text), told[0].speaker, spoken, left_out, tuple(span for piece in told for span in piece.silent)
    )


def _letters(text: str) -> int:
    return len("".join(text.split()))


def _over_cues(cues: Sequence[Cue]) -> Iterator[tuple[Span, ...]]:
    """The spans of each subtitle that are a sound begun in the one before it, or that goes on in the next."""
    opened: tuple[str, float] | None = None  # the closing half that is waited for, and until when
    halves = [half_open(cue.text.strip()) for cue in cues]
    for n, cue in enumerate(cues):
        text, (opening, closing) = cue.text.strip(), halves[n]
        spans: list[Span] = []
        if opened and closing and closing[0] == opened[0] and cue.start_s <= opened[1]:
            spans.append((0, closing[1] + 1))
        opened = None
        following = halves[n + 1][1] if n + 1 < len(cues) else None
        if opening and following and following[0] == opening[0] and cues[n + 1].start_s - cue.end_s <= _SAME_SOUND_S:
            spans.append((opening[1], len(text)))
            opened = opening[0], cue.end_s + _SAME_SOUND_S
        yield tuple(spans)
