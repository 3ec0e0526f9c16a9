"""How long a voice takes for a text: learned from clips that it has spoken, with its error.

Seconds are those of the speech at speed 1, without the silence at the clip's edges; the pauses inside, at commas and
between sentences, are a term of their own. Learned by voice and language, and kept in small files.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from app.system.durable_files import Durable, write

_MOST: Final = 200  # clips that are remembered of a voice; the newest
_FEW: Final = 5  # of fewer no error is told but the usual one
_USUAL_ERROR: Final = 0.15  # between voices and languages, where nothing is known
_FIRST: Final = 0xFFFF  # characters beyond this are pictures
_IDEOGRAM: Final = 2.5  # letters that one takes as long as
_STOPS: Final = ".,;:!?\u2026\u2013\u2014\u060c\u061b\u3001\u3002\uff0c\uff01\uff1f"
_CLOSING: Final = _STOPS + ' "\u201d\u2019\u00bb'
_MARKS: Final = re.compile(f"[{_STOPS}]+")
# before anything is known: 13 letters a second, a quarter of a second at a mark (`python -m bench.pace`)
_BEFORE: Final = ((40.0, 0.0, 40 / 13.0), (40.0, 2.0, 40 / 13.0 + 0.5), (60.0, 1.0, 60 / 13.0 + 0.25))


class Take(msgspec.Struct, frozen=True):
    """A text that was spoken, as what counts of it, and how long that took."""

    letters: float
    marks: float
    seconds: float


class SpeakingRate(msgspec.Struct, frozen=True):
    """Seconds for a letter and for a mark inside the text. `error` is the usual one, as a share of the length."""

    letter_s: float
    mark_s: float
    error: float
    clips: int

    def seconds(self, text: str) -> float:
        """How long the text is foreseen to take at speed 1."""
        letters, marks = counted(text)
        return max(0.2, letters * self.letter_s + marks * self.mark_s)


def counted(text: str) -> tuple[float, float]:
    """Letters (an ideogram is several), and marks inside the text."""
    letters = sum(_IDEOGRAM if 0x2E80 <= ord(c) <= _FIRST else 1.0 for c in text if c.isalnum())
    return letters, float(len(_MARKS.findall(text.rstrip(_CLOSING))))


def learned(known: Iterable[Take]) -> SpeakingRate:
    """The rate that explains the lengths best (least squares of the relative error), starting from what is usual."""
    real = [take for take in known if take.letters > 0 and take.seconds > 0]
    rows = [(t.letters / t.seconds, t.marks / t.seconds, 1.0) for t in real]
    rows += [(letters / s, marks / s, 0.3) for letters, marks, s in _BEFORE]
    aa = sum(w * a * a for a, _, w in rows)
    ab = sum(w * a * b for a, b, w in rows)
    bb = sum(w * b * b for _, b, w in rows)
    a1, b1 = sum(w * a for a, _, w in rows), sum(w * b for _, b, w in rows)
    whole = aa * bb - ab * ab
    letter_s, mark_s = (a1 * bb - b1 * ab) / whole, (b1 * aa - a1 * ab) / whole
    if mark_s < 0 or letter_s <= 0:
        letter_s, mark_s = a1 / aa, 0.0
    error = _USUAL_ERROR
    if len(real) >= _FEW:
        off = [(t.letters * letter_s + t.marks * mark_s) / t.seconds - 1 for t in real]
        error = (sum(each * each for each in off) / len(off)) ** 0.5
    return SpeakingRate(letter_s, mark_s, error, len(real))


class RateBook:
    """What is remembered of one voice in one language, in a file of its own. Blocks. A damaged file is as none."""

    def __init__(self, folder: Path, *voice: str | None) -> None:
        name = hashlib.blake2b(msgspec.json.encode(voice), digest_size=12).hexdigest()
        self._path = folder / f"{name}.json"

    def takes(self) -> dict[str, Take]:
        """By the names of the clips."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Take])
        return {}

    def remember(self, takes: dict[str, Take]) -> None:
        """Add these, the oldest go. A disk that takes no more is no failure: it is only remembered less."""
        known = {**self.takes(), **takes}
        newest = dict(list(known.items())[-_MOST:])
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write(self._path, msgspec.json.encode(newest), durable=Durable.NO)
