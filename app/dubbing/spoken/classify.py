"""Separates the spoken words of a subtitle from descriptions: sounds, music, speaker labels, credits, addresses, emoji,
markup.

The rules are those that Subtitle Edit's "Remove text for hearing impaired" and the broadcasters' guides have made
usual. Every character of the text is told to be of one kind, so that nothing can be lost: what is left out stands in
`LeftOut`, beside what is spoken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.segment import LeftOut, LeftOutKind
from app.dubbing.spoken import speaker_labels
from app.dubbing.spoken.brackets import bracketed
from app.dubbing.spoken.speaker_labels import NOBODY, KnownNames
from app.dubbing.spoken.unspeakable import KINDS, Span, markup, smileys, without
from app.dubbing.spoken.vocabulary import CREDIT, CREDIT_ANYWHERE, INSERTED, MADE, MUSIC, PARTICLES

_NOTES: Final = re.compile("[♩♪♫♬¶\U0001f3b5\U0001f3b6\U0001f3bc]+")
_HASHES: Final = re.compile(r"^\s*#\s+(?!\d)", re.MULTILINE)
_WAVES: Final = re.compile(r"^\s*[~～〜]+(?P<sung>[^~～〜]+)[~～〜]+\s*$")
_STARS: Final = re.compile(r"(?<![\w*])(?P<open>\*+|_+)(?=\S)(?P<inside>[^*_\n]*[^*_\s])(?P<close>\*+|_+)(?![\w*])")
_STARRED: Final = re.compile(r"\s*\*+\s[^*]+\s\*+\s*")
_SEVERAL: Final = re.compile(r"[.!?…\"”’»]\s+(?P<dash>[-–—]\s?)(?=[^\W\d_])")


SPOKEN: Final = ""
_MOST_SPEAKERS: Final = 20  # of speakers within a line
MARK: Final = "mark"  # a dash, ">>", a tag: nothing that anybody would miss


class Piece(msgspec.Struct, frozen=True):
    """What one speaker says of a subtitle: the characters `start`..`end` of its text. `spoken` is on one line; "":
    nothing is to be spoken.

    `silent` are the spans (of the whole text) that are not spoken.
    """

    start: int
    end: int
    speaker: str
    spoken: str
    left_out: tuple[LeftOut, ...]
    silent: tuple[Span, ...]


def pieces(
    text: str, names: KnownNames = NOBODY, *, speaker: str = "", sounds: Sequence[Span] = (), everything: bool = False
) -> tuple[Piece, ...]:
    """The text by who speaks it; together the pieces are all of it. `speaker` is who speaks at its start, where that is
    known; `sounds` are spans that the subtitles around it tell to be a sound.

    `everything`: sounds, lyrics, labels and credits are spoken too; emoji, addresses and mark-up never are.
    """
    told = _Classified(text, names, speaker, sounds)
    if everything:
        told.kinds = [kind if kind in (MARK, LeftOutKind.ADDRESS, LeftOutKind.EMOJI) else SPOKEN for kind in told.kinds]
        for found in _NOTES.finditer(text):
            told.mark(found.span(), MARK)
    return tuple(_piece(text, told.kinds, start, end, who) for start, end, who in told.by_speaker())


def starts_turn(text: str, names: KnownNames = NOBODY) -> bool:
    """Whether somebody else may begin to speak with this subtitle: a label, ">>", or a dialogue's dash."""
    told = _Classified(text, names, "", ())
    spoken = next((at for at, kind in enumerate(told.kinds) if not kind and not text[at].isspace()), len(text))
    return any(at <= spoken for at, _ in told.speakers)


class _Classified:
    """The kind of each character, told step by step: what one step has told is blank to the next."""

    def __init__(self, text: str, names: KnownNames, speaker: str, sounds: Sequence[Span]) -> None:
        self.text, self.names, self.first = text, names, speaker
        self.kinds: list[str] = [SPOKEN] * len(text)
        self.speakers: list[tuple[int, str]] = []
        self._bracketed: list[Span] = []
        for span in markup(text):
            self.mark(span, MARK)
        for span in sounds:
            self.mark(span, LeftOutKind.SOUND)
        for span in smileys(text):
            self.mark(span, LeftOutKind.EMOJI)
        self._credits()
        self._brackets()
        self._music()
        for kind, find in KINDS:
            for span in find(self.rest()):
                self.mark(span, kind)
        self._stars()
        for start, end in _lines(text):
            self._line(start, end)

    def mark(self, span: Span, kind: str) -> None:
        for at in range(*span):
            self.kinds[at] = kind

    def rest(self, start: int = 0, end: int | None = None) -> str:
        """The text with what has been told blanked."""
        end = len(self.text) if end is None else end
        return "".join(
            c if c == "\n" or not self.kinds[at] else " " for at, c in enumerate(self.text[start:end], start)
        )

    def by_speaker(self) -> Iterator[tuple[int, int, str]]:
        """Who speaks, from where to where. Blanks and marks before a turn belong to it."""
        cuts: list[tuple[int, str]] = [(0, self.first)]
        for at, who in sorted(self.speakers):
            before = self.rest(cuts[-1][0], at)
            if any(map(str.isalnum, before)):
                if who != cuts[-1][1]:
                    cuts.append((at, who))
            elif who or any(name for where, name in self.speakers if where < at):
                cuts[-1] = (cuts[-1][0], who)
        return ((start, end, who) for (start, who), (end, _) in itertools.pairwise([*cuts, (len(self.text), "")]))

    def _credits(self) -> None:
        lines = list(_lines(self.text))
        found = [span for span in lines if _is_credit(self.text[slice(*span)])]
        # the name alone is on the other line
        for span in [(0, len(self.text))] if found and len(found) >= len(lines) - 1 else found:
            self.mark(span, LeftOutKind.CREDIT)

    def _brackets(self) -> None:
        for start, end in bracketed(self.rest()):
            content = self.text[start + 1 : end - 1]
            # "apple(s)"
            glued = start > 0 and self.text[start - 1].isalpha() and len(content) <= 3 and content.islower()
            # "(555) 0100", "(1994)"
            if glued or (content.strip() and not any(map(str.isalpha, content)) and any(map(str.isdigit, content))):
                continue
            if content.strip() and all(word.casefold() in INSERTED for word in content.split()):
                self.mark((start, start + 1), MARK)
                self.mark((end - 1, end), MARK)
                continue
            before = self.text[self.text.rfind("\n", 0, start) + 1 : start].strip(" -–—>")
            colon = (
                self.text[end : end + 1] in (":", "：")
                and end < len(self.text)
                and (not before or before[-1] in '.!?…"”»)]')
            )
            if colon and speaker_labels.may_be_name(content) and not speaker_labels.is_sound(content):
                self._label(content, start, end + 1)
                continue
            self._bracketed.append((start, end))
            self.mark((start, end + colon), LeftOutKind.MUSIC if MUSIC.search(content) else LeftOutKind.SOUND)

    def _music(self) -> None:
        text = self.rest()
        notes = [found.span() for found in _NOTES.finditer(text)]
        alone = text.strip()
        if notes and len(notes) % 2 and len(notes) > 1 and _NOTES.match(alone) and _NOTES.search(alone[-1]):
            notes = [notes[0], notes[-1]]
        for opening, closing in itertools.zip_longest(notes[::2], notes[1::2]):
            if closing is not None:
                self.mark((opening[0], closing[1]), LeftOutKind.MUSIC)
            elif text[: opening[0]].strip() and not text[opening[1] :].strip():  # a song's last line
                self.mark((text.rfind("\n-", 0, opening[0]) + 1, opening[1]), LeftOutKind.MUSIC)
            else:
                end = text.find("\n-", opening[1])
                self.mark((opening[0], len(text) if end < 0 else end), LeftOutKind.MUSIC)
        if _HASHES.search(text) and not notes:
            hashed = [bool(_HASHES.search(text[start:end])) for start, end in _lines(text)]
            for (start, end), is_sung in zip(_lines(text), hashed, strict=True):
                if is_sung or (hashed[0] and hashed[-1]):
                    self.mark((start, end), LeftOutKind.MUSIC)
        if _WAVES.match(text):
            self.mark((0, len(text)), LeftOutKind.MUSIC)

    def _stars(self) -> None:
        """*laughs* is a sound, and so is a line of "* text *"; *really* is mark-up."""
        for start, end in _lines(self.text):
            if _STARRED.fullmatch(line := self.rest(start, end)):
                self.mark((start, end), LeftOutKind.MUSIC if MUSIC.search(line) else LeftOutKind.SOUND)
        text = self.rest()
        for found in _STARS.finditer(text):
            if found["open"] != found["close"]:
                continue
            whole = not (text[: found.start()] + text[found.end() :]).strip(" \n-.!?")
            inside = found["inside"]
            if "*" in found["open"] and (
                whole or (not inside[0].isupper() and speaker_labels.is_sound(inside) and inside.lower() != "in")
            ):
                self.mark(found.span(), LeftOutKind.SOUND)
            else:
                self.mark(found.span("open"), MARK)
                self.mark(found.span("close"), MARK)

    def _line(self, start: int, end: int) -> None:
        line = self.rest(start, end)
        marker = speaker_labels.MARKER.match(line)
        at = marker.end() if marker else 0
        following = line[at:].lstrip()
        turn = bool(marker and (marker["arrows"] or (marker["dash"] and not following[:1].islower())))
        if marker and (marker["arrows"] or marker["dash"]):
            first = marker.start("arrows") if marker["arrows"] else marker.start("dash")
            self.mark((start + first, start + at), MARK)
            if turn:
                self.speakers.append((start + first, ""))
        found = speaker_labels.label_at(line, at, self.names, marked=turn, rest=self._after(start + at))
        if found:
            self._label(found[0], start + len(line) - len(line.lstrip()) if not turn else start + at, start + found[1])
        else:
            self._bracket_label(start, end, line, at)
        if found or turn:
            for dash in itertools.islice(_SEVERAL.finditer(line), _MOST_SPEAKERS):
                if not line[dash.end() :][:1].islower():
                    self.mark((start + dash.start("dash"), start + dash.end("dash")), MARK)
                    self.speakers.append((start + dash.start("dash"), ""))
        for arrows in itertools.islice(re.finditer(r">{2,}\s*", line[at:]), _MOST_SPEAKERS):
            self.mark((start + at + arrows.start(), start + at + arrows.end()), MARK)
            self.speakers.append((start + at + arrows.start(), ""))
            found = speaker_labels.label_at(
                line, at + arrows.end(), self.names, marked=True, rest=self._after(start + at + arrows.end())
            )
            if found:
                self._label(found[0], start + at + arrows.end(), start + found[1])
        for name, begin, stop in itertools.islice(
            speaker_labels.labels_inside(self.rest(start, end), self.names), _MOST_SPEAKERS
        ):
            self._label(name, start + begin, start + stop)

    def _after(self, at: int) -> str:
        """What follows the colon: tells a name in capitals from a sign in capitals."""
        rest = self.rest(at)
        return rest[rest.find(":") + 1 :]

    def _label(self, name: str, start: int, end: int) -> None:
        is_sound = speaker_labels.is_sound(name) and name.casefold() not in self.names.known
        self.mark((start, end), LeftOutKind.SOUND if is_sound else LeftOutKind.LABEL)
        if not is_sound:
            self.speakers.append((start, self.names.written(name)))

    def _bracket_label(self, start: int, end: int, line: str, at: int) -> None:
        """Brackets at the start of the line that name who speaks."""
        spaces = len(line[at:]) - len(line[at:].lstrip())
        here = [
            span
            for span in self._bracketed
            if start <= span[0] and span[1] <= start + at + spaces and not self._spoken_before(start, span[0])
        ]
        if not here:
            return
        span = here[-1]
        content = self.text[span[0] + 1 : span[1] - 1]
        if speaker_labels.bracket_speaks(content, self.names, follows=self.rest(span[1], end)):
            self._label(content, *span)

    def _spoken_before(self, start: int, end: int) -> bool:
        return any(not kind and not self.text[at].isspace() for at, kind in enumerate(self.kinds[start:end], start))


def _is_credit(line: str) -> bool:
    if CREDIT_ANYWHERE.search(line):
        return True
    if line.rstrip().endswith(("?", "!")) or len(line.split()) > 12:
        return False
    made = MADE.search(line)
    return CREDIT.search(line) is not None or (made is not None and _names_only(made["who"]))


def _names_only(text: str) -> bool:
    words = text.split()
    named = all(not word[0].islower() or word.casefold() in PARTICLES for word in words)
    return 0 < len(words) <= 6 and not text.rstrip().endswith((".", ",", ";")) and (named or len(words) == 1)


def _lines(text: str) -> Iterator[Span]:
    at = 0
    for line in text.split("\n"):
        yield at, at + len(line)
        at += len(line) + 1


def _piece(text: str, kinds: Sequence[str], start: int, end: int, speaker: str) -> Piece:
    runs: list[tuple[str, int, int]] = []
    for at in range(start, end):
        if runs and runs[-1][0] == kinds[at]:
            runs[-1] = (kinds[at], runs[-1][1], at + 1)
        else:
            runs.append((kinds[at], at, at + 1))
    silent = tuple((first, last) for kind, first, last in runs if kind)
    spoken = without(text[start:end], [(first - start, last - start) for first, last in silent])
    if silent:
        spoken = spoken.lstrip(",;:，；：、 ")
    if not any(map(str.isalnum, spoken)):
        spoken = ""
    left_out = tuple(
        LeftOut(LeftOutKind(kind), " ".join(text[first:last].split()))
        for kind, first, last in runs
        if kind not in (SPOKEN, MARK)
    )
    return Piece(start, end, speaker, spoken, left_out, silent)
