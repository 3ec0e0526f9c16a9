"""Decodes the bytes of a subtitle file: by byte order mark, as UTF-8 or UTF-16, else in the most likely encoding of its
language."""

from __future__ import annotations

import codecs
import itertools
import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.lines import SUBTITLES_INVALID
from app.dubbing.subtitles import letter_statistics
from app.dubbing.subtitles.code_pages import pages_of

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# in cp1258 accents stand behind their letters
_SEVERAL_BYTES: Final = frozenset({"cp932", "euc_jp", "gb18030", "big5hkscs", "cp949", "cp1258"})
_LOOKED_AT: Final = 1 << 20  # bytes that are weighed
_NOT_SPOKEN: Final = re.compile(
    rb"<[^<>\n]{0,200}>|\{[^{}\n]{0,400}\}|^Dialogue:(?:[^,\n]*,){9}|^(?:Format|Style|Comment): .*$", re.M
)
_NOTHING_SAID: Final = re.compile(rb"^[^A-Za-z\x80-\xff]*$", re.M)
_CONTROL: Final = re.compile(rb"[\x00-\x06\x0e-\x19\x1c-\x1f]")
_HIGH_LINE: Final = re.compile(rb"[^\n]*[\x80-\xff][^\n]*")
_PLAIN_LINES: Final = 0.2
# nats: how much less likely a file is in its language's second encoding, and in a later one
_RARE_PAGE: Final = (0.0, 3.0, 9.0)
# nats, and for each byte that is not ASCII: by so much another language must fit better than the one that is given
_ANOTHER: Final = (40.0, 0.7)


class Decoded(msgspec.Struct, frozen=True):
    """A file's text. `guessed`: nothing in the file says which encoding it is. `wrong` are the lines with bytes that
    are no text in it.

    `likely` are the encodings that would do, likeliest first.
    """

    text: str
    encoding: str
    guessed: bool
    wrong: tuple[int, ...]
    likely: tuple[str, ...]


def decode(data: bytes, *, language: str | None = None, encoding: str | None = None) -> Decoded:
    """The text, in the `encoding` that a person chose or the likeliest one. `language` (ISO 639-1) is the one that the
    lines are in, if known.

    Raises SUBTITLES_INVALID for bytes that are no text.
    """
    bom = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    if encoding is None:
        encoding = bom or _utf_16(data)
    if encoding is None or not encoding.startswith(("utf-16", "utf-32")):
        data = data.rstrip(b"\0\x1a")  # what an interrupted writer leaves behind, and DOS
        _check(data)
    if encoding is not None:
        return _as(data, encoding, (encoding,), guessed=False)
    if b"\x1b$" in data and not any(byte > 127 for byte in data):
        return _as(data, "iso2022_jp", ("iso2022_jp", "utf-8"), guessed=True)
    try:
        return Decoded(data.decode("utf-8"), "utf-8", False, (), ("utf-8",))
    except UnicodeDecodeError:
        pass
    if _is_nearly_utf_8(data):
        return _as(data, "utf-8", ("utf-8",), guessed=False)
    likely = guess(data, language)
    return _as(data, likely[0], likely, guessed=True)


def guess(data: bytes, language: str | None = None) -> tuple[str, ...]:
    """The encodings that text which is not Unicode may be in, likeliest first. The whole file counts, up to its first
    million bytes.

    Each language is weighed in each of its encodings. Lines of plain ASCII count little: they may be in another
    language.
    """
    said = _NOTHING_SAID.sub(b"", _NOT_SPOKEN.sub(b" ", data[:_LOOKED_AT]))
    high = sum(byte > 127 for byte in said)
    singles: Counter[tuple[int, int]] = Counter()
    plain: dict[tuple[str, str], float] = {}
    for told, weight in ((b"\n".join(_HIGH_LINE.findall(said)), 1.0), (_HIGH_LINE.sub(b"", said), _PLAIN_LINES)):
        found = Counter(itertools.pairwise(told))
        for (before, byte), count in found.items():
            if before > 127 or byte > 127:
                singles[before, byte] = count
            else:
                pair = chr(before), chr(byte)
                plain[pair] = plain.get(pair, 0.0) + weight * count
    hint = (language or "").partition("-")[0].lower()
    hint = {"no": "nb", "in": "id", "iw": "he", "yue": "zh", "sh": "hr"}.get(hint, hint)
    best: dict[str, float] = {}  # of each encoding, over the languages
    letters_only: dict[str, float] = {}  # the same, by what is not ASCII alone
    hinted: dict[str, float] = {}
    counted: dict[str, Counter[tuple[str, str]]] = {}
    for each in letter_statistics.languages():
        of_plain = letter_statistics.cost(plain, each)
        for number, page in enumerate(pages_of(each)):
            if page not in counted:
                counted[page] = _pairs(said, page, singles)
            cost = letter_statistics.cost(counted[page], each) + _RARE_PAGE[min(number, 2)]
            letters_only[page] = min(cost, letters_only.get(page, cost))
            best[page] = min(cost + of_plain, best.get(page, cost + of_plain))
            if each == hint:
                hinted[page] = cost
    order = sorted(best, key=best.__getitem__)
    if hinted and min(letters_only.values()) + _ANOTHER[0] + _ANOTHER[1] * high >= min(hinted.values()):
        order = [*sorted(hinted, key=hinted.__getitem__), *(page for page in order if page not in hinted)]
    return tuple(order)


def _pairs(said: bytes, page: str, singles: Counter[tuple[int, int]]) -> Counter[tuple[str, str]]:
    """How often a character stands behind another, pairs of ASCII aside. Where a byte is a character, pairs of bytes
    are counted once for all encodings.
    """
    if page in _SEVERAL_BYTES:
        text = (
            unicodedata.normalize("NFC", said.decode(page, "replace"))
            if page == "cp1258"
            else said.decode(page, "replace")
        )
        return Counter(pair for pair in itertools.pairwise(text) if not (pair[0] < "\x80" and pair[1] < "\x80"))
    characters = _characters(page)
    pairs: Counter[tuple[str, str]] = Counter()
    for (before, byte), count in singles.items():
        pairs[characters[before], characters[byte]] += count
    return pairs


@cache
def _characters(page: str) -> str:
    return bytes(range(256)).decode(page, "replace")


def _as(data: bytes, encoding: str, likely: tuple[str, ...], *, guessed: bool) -> Decoded:
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    if encoding == "cp1258":
        text = unicodedata.normalize("NFC", text)
    wrong: tuple[int, ...] = ()
    if "\ufffd" in text:
        lines = re.split(r"\r*\n|\r", text)
        wrong = tuple(number for number, line in enumerate(lines, 1) if "\ufffd" in line)
    return Decoded(text, encoding, guessed, wrong, likely)


def _utf_16(data: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of what is ASCII is zero."""
    head = data.rstrip(b"\0")[:2000]
    if b"\0" not in head:
        return None
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) > len(head) // 4 else None


def _check(data: bytes) -> None:
    """Text has next to no control characters. Raises SUBTITLES_INVALID, which names the first one's line."""
    first = _CONTROL.search(data)
    if first is not None and len(_CONTROL.findall(data[:_LOOKED_AT])) > 2 + len(data[:_LOOKED_AT]) // 200:
        raise DubError(SUBTITLES_INVALID, f"Line {data[: first.start()].count(10) + 1} holds bytes that are no text.")


def _is_nearly_utf_8(data: bytes) -> bool:
    """A wrong byte here and there does not make another encoding of it."""
    text = data[:_LOOKED_AT].decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = sum(c > "\x7f" for c in text) - wrong
    return right >= 4 * wrong
