"""Edits of lines: pure functions over tuples of segments."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from app.domain.errors import DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.plain_text import plain
from app.domain.problems.lines import SEGMENT_NOT_FOUND, TEXT_INVALID, TEXT_TOO_LONG, TIMES_INVALID, TOO_MANY_LINES
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.segment import MAX_CHANGES, MAX_LINES, LeftOut, Segment, Translation, Word
from app.jobs.schemas import SegmentChanges, SegmentNew

_SHORTEST_S = 0.05


def apply(changes: SegmentChanges, segments: Sequence[Segment], duration_s: float) -> list[Segment]:
    """The lines after an edit. Raises segment_not_found, times_invalid, text_invalid, text_too_long, too_many_lines."""
    count = len(changes.edit) + len(changes.add) + len(changes.remove)
    if count > MAX_CHANGES:
        raise DubError(TOO_MANY_LINES, f"There are {count} changes; a request may have {MAX_CHANGES}.")
    lines = {segment.id: segment for segment in segments}
    for edit in changes.edit:
        line = lines.get(edit.id)
        if line is None:
            raise DubError(SEGMENT_NOT_FOUND, f"Line {edit.id}.")
        fields = {
            name: value
            for name in edit.__struct_fields__
            if name != "id" and (value := getattr(edit, name)) is not UNSET
        }
        if "speaker" in fields:
            fields["speaker"] = plain(clean(fields["speaker"]))
        if "text" in fields:
            fields["text"] = clean(fields["text"])
            if fields["text"] != line.text:
                fields["words"] = ()  # word times belong to the recognised words
        if "original" in fields:
            fields["original"] = clean(fields["original"])
            if not line.translation:
                raise DubError(INVALID_REQUEST, f"Line {edit.id} is not translated: it has no original.")
        if line.translation:
            if fields.get("text", line.text) != line.text:
                fields["translation"] = Translation.DONE
            elif fields.get("original", line.original) != line.original:
                fields["translation"] = Translation.STALE
        if line.unspoken and fields.get("skip") is False:
            fields["left_out"] = ()  # from now on it is spoken, or skipped by the person's choice
        lines[line.id] = _checked(msgspec.structs.replace(line, **fields), duration_s)
    for new in changes.add:
        text = clean(new.text)
        speaker = _nearest(new, segments) if new.speaker is UNSET else plain(clean(new.speaker))
        line = Segment(uuid.uuid4().hex, new.start_s, new.end_s, text, "", speaker, False, ())
        lines[line.id] = _checked(line, duration_s)
    for segment_id in changes.remove:
        if lines.pop(segment_id, None) is None:
            raise DubError(SEGMENT_NOT_FOUND, f"Line {segment_id}.")
    check_count(len(lines), before=len(segments))
    return list(lines.values())


def check_count(lines: int, *, before: int = 0) -> None:
    """Raises too_many_lines; a job that has more of them than that since earlier may still lose some."""
    if lines > max(MAX_LINES, before):
        raise DubError(TOO_MANY_LINES, f"There would be {lines}; a job may have {MAX_LINES}.")


def split(segment_id: str, at: int, segments: Sequence[Segment]) -> list[Segment]:
    """The line in two, before character `at` of its text. The time is cut where the words were heard, else by length.

    A locked start stays with the first half, where it is; a locked rate is how the person wants these words, so both
    halves keep it.
    """
    line = _find(segment_id, segments)
    left, right = line.text[:at].strip(), line.text[at:].strip()
    if not left or not right:
        raise DubError(INVALID_REQUEST, "Both halves must have text.")
    if line.end_s - line.start_s < 2 * _SHORTEST_S:
        raise DubError(TIMES_INVALID, "The line is too short to be split.")
    cut_s, first, second = _cut(line, len(left.split()), len(left) / len(line.text))
    cut_s = min(max(cut_s, line.start_s + _SHORTEST_S), line.end_s - _SHORTEST_S)
    source_at = at if line.source_text == line.text else round(len(line.source_text) * len(left) / len(line.text))
    sources = (line.source_text[:source_at].strip(), line.source_text[source_at:].strip())
    left_out = _left_out(line, sources)
    originals = _originals(line, len(left) / len(line.text))
    halves = [
        msgspec.structs.replace(
            line,
            end_s=cut_s,
            text=left,
            source_text=sources[0],
            words=first,
            left_out=left_out[0],
            original=originals[0],
        ),
        msgspec.structs.replace(
            line,
            id=uuid.uuid4().hex,
            start_s=cut_s,
            text=right,
            source_text=sources[1],
            words=second,
            start_locked=False,
            left_out=left_out[1],
            original=originals[1],
        ),
    ]
    check_count(len(segments) + 1)
    return [part for segment in segments for part in (halves if segment.id == segment_id else [segment])]


def merge(segment_id: str, segments: Sequence[Segment]) -> list[Segment]:
    """The line joined with the one that follows it. It starts as the first did, locked or not; a rate stays locked
    where both had the same.

    Where one of them only describes and is not spoken, the other's text is what is spoken.
    """
    line = _find(segment_id, segments)
    at = list(segments).index(line)
    if at + 1 == len(segments):
        raise DubError(SEGMENT_NOT_FOUND, "No line follows it.")
    after = segments[at + 1]
    spoken = [each for each in (line, after) if not each.unspoken] or [line, after]
    translated = any(each.translation for each in spoken)
    same = all(each.translation is spoken[0].translation for each in spoken)
    timed = all(each.words for each in spoken)
    joined = msgspec.structs.replace(
        line,
        end_s=max(line.end_s, after.end_s),
        text=" ".join(each.text for each in spoken).strip(),
        source_text=f"{line.source_text} {after.source_text}".strip(),
        speaker=line.speaker or (after.speaker if line.unspoken else ""),
        skip=spoken[0].skip,
        words=tuple(word for each in spoken for word in each.words) if timed else (),
        left_out=line.left_out + after.left_out,
        original=" ".join(each.original or each.text for each in spoken).strip() if translated else "",
        translation=Translation.STALE if translated and not same else spoken[0].translation,
        locked_rate=line.locked_rate if line.locked_rate == after.locked_rate else None,
    )
    _check_length(joined)
    return [*segments[:at], joined, *segments[at + 2 :]]


def title(text: str) -> str:
    """A title as it is kept: as `clean`, without what would turn the direction of the text around it. "" where nothing
    is left."""
    return plain(clean(text)).strip()[:255]


def clean(text: str) -> str:
    """The text as it is kept: composed Unicode, one line, single spaces. Raises text_invalid for control characters."""
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise DubError(TEXT_INVALID)
    return text


def _originals(line: Segment, share: float) -> tuple[str, str]:
    """The source of a translated line in two, at the space that is nearest to this share of it."""
    spaces = [at for at, character in enumerate(line.original) if character == " "]
    cut = min(spaces, key=lambda at: abs(at - share * len(line.original)), default=len(line.original))
    return line.original[:cut].strip(), line.original[cut:].strip()


def _left_out(line: Segment, sources: tuple[str, str]) -> tuple[tuple[LeftOut, ...], tuple[LeftOut, ...]]:
    """The parts of each half that are not spoken."""
    if line.unspoken:
        kind = line.left_out[0].kind
        return (LeftOut(kind, sources[0]),), (LeftOut(kind, sources[1]),)
    first = tuple(part for part in line.left_out if part.text in sources[0])
    return first, tuple(part for part in line.left_out if part not in first)


def _checked(line: Segment, duration_s: float) -> Segment:
    _check_length(line)
    if not (line.start_s >= 0 and line.start_s + _SHORTEST_S <= line.end_s <= duration_s + 0.001):
        raise DubError(
            TIMES_INVALID, f"Line {line.id}: {line.start_s} to {line.end_s} s in a video of {duration_s:.3f} s."
        )
    return line


def _check_length(line: Segment) -> None:
    if max(len(line.text), len(line.original)) > MAX_TEXT_CHARACTERS:
        raise DubError(
            TEXT_TOO_LONG, f"Line {line.id} would have {len(line.text)} characters; at most {MAX_TEXT_CHARACTERS}."
        )


def _nearest(new: SegmentNew, segments: Sequence[Segment]) -> str:
    """The speaker of the line that is nearest in time, "" where nobody has a speaker."""
    spoken = [line for line in segments if line.speaker]
    nearest = min(spoken, key=lambda line: max(line.start_s - new.end_s, new.start_s - line.end_s), default=None)
    return "" if nearest is None else nearest.speaker


def _find(segment_id: str, segments: Sequence[Segment]) -> Segment:
    for segment in segments:
        if segment.id == segment_id:
            return segment
    raise DubError(SEGMENT_NOT_FOUND)


def _cut(line: Segment, words_left: int, share: float) -> tuple[float, tuple[Word, ...], tuple[Word, ...]]:
    if len(line.words) == len(line.text.split()):
        first, second = line.words[:words_left], line.words[words_left:]
        return (first[-1].end_s + second[0].start_s) / 2, first, second
    return line.start_s + (line.end_s - line.start_s) * share, (), ()
