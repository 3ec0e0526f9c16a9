"""Finds what no voice gets, whatever the source: emoji and other pictures, addresses, mark-up. Digits, units and
currencies stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from app.domain.segment import LeftOutKind

Span = tuple[int, int]

# Unicode's blocks of pictures, with the signs in them that words are written with left in: mathematics (2200-22FF) and
# numbers (2460-24FF, 2776-2793). Private use characters are pictures of some font.
_PICTURE = (
    "[\u2190-\u21ff\u2300-\u245f\u2500-\u2775\u2794-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\ufffc\ufffd\ue000-\uf8ff"
    "\U0001f000-\U0001faff\U000f0000-\U0010fffd]"
)
_AFTER_PICTURE = "[\ufe0e\ufe0f\u20e3\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
_EMOJI: Final = re.compile(
    f"(?:{_PICTURE}{_AFTER_PICTURE}*)+|[\u00a9\u00ae\u2122\u203c\u2049\u2139]\ufe0f|(?<=[0-9#*])\ufe0f?\u20e3"
)
_EMOTICON: Final = re.compile(r"(?<!\S)(?:[:;=][-'^o]?[()\[\]DPp/\\|*]|<3+|\^_?\^|[-=]_[-=])(?=[\s.,!?]|$)")

_IN_ADDRESS = r"[^\s<>\"\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]"
# none that is a word where a space was forgotten
_BARE = "com|org|net|edu|gov|info|biz|app|dev|online|site|xyz|tv|eu|ru|ua|cz|pl|hu|nl|de"
_ADDRESS: Final = re.compile(
    rf"(?:https?|ftps?)://{_IN_ADDRESS}+|(?<![\w.@])www\.{_IN_ADDRESS}+"
    r"|(?:mailto:)?(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"
    rf"|(?<![\w.@])(?:[A-Za-z0-9][A-Za-z0-9-]{{0,62}}\.){{1,8}}(?P<end>(?i:(?:co|com)\.[a-z]{{2}}|{_BARE}))(?![\w-])(?!\.\w)(?:/{_IN_ADDRESS}*)?"
    r"|(?<![\w@.])@[A-Za-z_][\w.]{1,30}",
)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,200}>|\{\\[^{}]{0,200}\}")
_CLOSING: Final = ".,!?;:…)]}»”\"'。，！？；：、）」』》〉】؟،؛۔।"
_SPACELESS: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\uff00-\uff9f\U00020000-\U0003ffff]"
)


def is_spaceless(character: str) -> bool:
    """Whether it is of a script that puts no space between words: Han, Kana, Thai, Lao, Khmer, Burmese."""
    return _SPACELESS.match(character) is not None


def markup(text: str) -> Iterator[Span]:
    """Tags and overrides that no reader knew."""
    return (found.span() for found in _TAG.finditer(text)) if "<" in text or "{" in text else iter(())


def emoji(text: str) -> Iterator[Span]:
    """Emoji and other pictures."""
    return (found.span() for found in _EMOJI.finditer(text)) if not text.isascii() else iter(())


def smileys(text: str) -> Iterator[Span]:
    """Those of letters: ":-)"."""
    return (found.span() for found in _EMOTICON.finditer(text))


def addresses(text: str) -> Iterator[Span]:
    """Web and mail addresses, @names. The full stop behind one is the sentence's."""
    if not ("." in text or "@" in text or "://" in text):
        return
    for found in _ADDRESS.finditer(text):
        end = found["end"]
        if end and not (end.islower() or end.isupper()):  # "the end.Com" lacks a space
            continue
        yield found.start(), found.start() + len(found[0].rstrip(".,!?;:)]}»”’'…"))


def without(text: str, spans: list[Span]) -> str:
    """The text on one line, the spans left out: no space doubled, none before a full stop that had none, none between
    words that need none."""
    spoken = ""
    at = 0
    for start, end in [*sorted(spans), (len(text), len(text))]:
        spoken = beside(spoken, text[at : max(start, at)], touching=at == 0)
        at = max(at, end)
    return spoken


def beside(left: str, right: str, *, touching: bool = False) -> str:
    """Two texts on one line. `touching`: nothing stood between them."""
    space = left[-1:].isspace() or right[:1].isspace() or not touching
    left, right = " ".join(left.split()), " ".join(right.split())
    if not left or not right:
        return left or right
    if not space or right[0] in _CLOSING or (is_spaceless(left[-1]) and is_spaceless(right[0])):
        return left + right
    return f"{left} {right}"


def voiced(text: str) -> str:
    """The text as a voice gets it. Equal to the text where there is nothing to leave out, so that no clip is bought
    again."""
    spans = [*markup(text), *addresses(text), *emoji(text), *smileys(text)]
    return without(text, spans).lstrip(",;:，；：、 ") if spans else text


KINDS: Final = ((LeftOutKind.ADDRESS, addresses), (LeftOutKind.EMOJI, emoji))
