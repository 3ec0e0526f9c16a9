"""Who speaks, as subtitles write it: "JOHN:", "- Mary:", "[Narrator]", ">> MAN:", "（太郎）". Never "He said: go" or
"10:30".

Capitals before a colon are a label at once, as in Subtitle Edit's "Remove text for hearing impaired". Other names need
more: a role or a title, a dialogue's dash before them, or that the file uses them again (`names_in`), as no letter's
case tells a name in Arabic or Chinese.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from app.dubbing.spoken.vocabulary import NOT_NAMES, PARTICLES, ROLES, SAYING, SOUND_SIGNS, SOUNDS, TITLES

_MOST_CHARACTERS: Final = 40
_MOST_WORDS: Final = 5
_AGAIN: Final = 2  # how often a file has to use each of two names
_OFTEN: Final = 4  # or one
_ALL_CAPS_FILE: Final = 0.85

# At the start of a line: what marks another speaker, and what stands before the colon. Brackets are blanks here.
MARKER: Final = re.compile(r"\s*(?P<arrows>>{2,}|≫|[›»]{2})?\s*(?P<dash>(?:[-–—―‐‑−](?![-–—\d])))?")
NAMED: Final = re.compile(r"\s*(?P<name>[^\s:：][^:：\n]*?)\s*(?P<colon>[:：])(?P<next>\s|$|.)")
_INSIDE: Final = re.compile(
    r"(?:(?<=[.!?…♪\"”’»)\]])|(?<=--)|(?<=—))\s+(?P<name>[^\s:：.!?…\"”’»)\]—][^:：.!?…\n]*?)\s*:(?=\s)"
)
_KANA: Final = re.compile("[\u3041-\u30ff]")
_WORD: Final = re.compile(r"[^\s]+")
_ORDINAL: Final = re.compile(r"\d+(?:st|nd|rd|th)$")


class KnownNames(msgspec.Struct, frozen=True):
    """What a file as a whole tells: the names that it uses as labels again and again (lower case, and as first
    written), and whether all of it is in capitals, so that capitals tell nothing.
    """

    known: dict[str, str] = {}
    all_caps: bool = False

    def written(self, name: str) -> str:
        """The name as the file first wrote it, on one line."""
        name = " ".join(name.split()).strip(" -–—,.;")
        return self.known.get(name.casefold(), name)


NOBODY: Final = KnownNames()


def names_in(texts: Iterable[str]) -> KnownNames:
    """Read a whole file for its labels."""
    seen: collections.Counter[str] = collections.Counter()
    first: dict[str, str] = {}
    upper = cased = 0
    for text in texts:
        upper += sum(map(str.isupper, text))
        cased += sum(character.isupper() or character.islower() for character in text)
        for line in text.split("\n"):
            marker = MARKER.match(line)
            at = marker.end() if marker else 0
            named = NAMED.match(line, at)
            if named is None or not _is_followed(named) or not may_be_name(named["name"]):
                continue
            name = " ".join(named["name"].split())
            seen[name.casefold()] += 2 if marker and (marker["dash"] or marker["arrows"]) else 1
            first.setdefault(name.casefold(), name)
    again = {name for name, count in seen.items() if count >= _AGAIN}
    if len(again) < 2 and not any(count >= _OFTEN for count in seen.values()):
        again = set()  # nobody speaks with himself: one word that comes back is a heading
    return KnownNames({name: first[name] for name in again}, cased >= 40 and upper / cased >= _ALL_CAPS_FILE)


def label_at(line: str, start: int, names: KnownNames, *, marked: bool, rest: str) -> tuple[str, int] | None:
    """The label that stands at `start` of a line, and where it ends (after its colon). `marked`: a dash or ">>" stands
    before it; `rest` is what follows in the cue.
    """
    found = NAMED.match(line, start)
    if found is None or not _is_followed(found):
        return None
    name = found["name"]
    if not _is_label(name, names, marked=marked, rest=rest) or (
        found["next"].isalnum() and found["colon"] == ":" and not is_caps(name)
    ):
        return None
    return name, found.end("colon")


def labels_inside(line: str, names: KnownNames) -> Iterator[tuple[str, int, int]]:
    """Labels after the end of a sentence within a line: "Really? MARY: Yes.": name, start, end."""
    for found in _INSIDE.finditer(line):
        name = found["name"]
        known = name.casefold() in names.known
        if known or (is_caps(name) and not names.all_caps and may_be_name(name) and len(name.split()) <= 3):
            yield name, found.start("name"), found.end()


def bracket_speaks(content: str, names: KnownNames, *, follows: str) -> bool:
    """Whether brackets before text (`follows`) name who says it: "[Narrator] Once", "（太郎）行くぞ", and not "[sighs]
    Well"."""
    name = " ".join(content.split())
    if not name or is_sound(name) or not follows.strip() or any(sign in name for sign in ':：«»"“”!?;'):
        return False
    if name.casefold() in names.known or is_role(name):
        return True
    words = name.split()
    # no letter case: in Japanese, and only there, names are written so
    if not name[0].isupper() and not name[0].islower():
        return (
            _KANA.search(follows) is not None
            and len(name) <= 8
            and SOUND_SIGNS.search(name) is None
            and any(map(str.isalpha, name))
            and not name[0].isdigit()
        )
    first = next((c for c in follows if c.isalnum()), "")
    if len(words) > 3 or not may_be_name(name) or first.islower():
        return False
    return not is_caps(name) or (len(words) <= 2 and not names.all_caps and not words[-1].endswith("S"))


def is_sound(text: str) -> bool:
    """Whether it reads like a sound: its first word is one, or one of its words ends in -ing, as captions in English
    have it."""
    words = [word.strip(".,!?;:'\"…-").casefold() for word in text.split()]
    if not words or words[0] in SOUNDS or any(len(word) > 5 and word.endswith("ing") for word in words):
        return True
    return len(words) > 1 and words[-1] in SOUNDS


def is_role(name: str) -> bool:
    """ "Man", "Woman 2", "Male voice", "Narrator"."""
    words = [word.strip("#.") for word in name.casefold().split()]
    words = [word for word in words if word and not word.isdigit()]
    return bool(words) and words[-1] in ROLES and len(words) <= 3 and not set(words) & PARTICLES


def is_caps(name: str) -> bool:
    """Capitals: two letters or more, with room for "McDONALD" and "2nd MAN"."""
    letters = [c for word in name.split() if not _ORDINAL.match(word) for c in word if c.isupper() or c.islower()]
    upper = sum(map(str.isupper, letters))
    return len(letters) >= 2 and upper >= 0.75 * len(letters) and not name[0].islower()


def may_be_name(name: str) -> bool:
    """Short, every word with a capital (where the script has them), and no word that stands before colons in prose."""
    words = _WORD.findall(name)
    if not 0 < len(words) <= _MOST_WORDS or len(name) > _MOST_CHARACTERS or not any(map(str.isalpha, name)):
        return False
    if any(
        word[-1] in ".!?…" and len(word) > 2 and word.strip(".").casefold() not in TITLES and "." not in word[:-1]
        for word in words[:-1]
    ):
        return False  # a sentence ends within
    if (
        name[-1] in ',;!?…"”'
        or words[0].strip(".").casefold() in NOT_NAMES
        or name.casefold() in NOT_NAMES
        or SAYING.search(name)
    ):
        return False
    if not any(c.isupper() or c.islower() for c in name):
        return len(words) <= 3 and len(name) <= 16
    return all(not word[0].islower() or word.casefold() in PARTICLES for word in words) and not words[0][0].islower()


def _is_label(name: str, names: KnownNames, *, marked: bool, rest: str) -> bool:
    if name.casefold() in names.known:
        return True
    if not may_be_name(name):
        return False
    if is_caps(name) and not names.all_caps:  # not a sign that is in capitals as a whole
        return (
            len(rest.split()) < 3
            or any(map(str.islower, rest))
            or not any(map(str.isupper, rest))
            or marked
            or is_role(name)
        )
    words = name.casefold().split()
    return marked or is_role(name) or (len(words) > 1 and words[0].strip(".") in TITLES)


def _is_followed(found: re.Match[str]) -> bool:
    """The colon ends a word: no time of day, no address."""
    following = found["next"]
    return (
        found["colon"] == "："
        or not following
        or following.isspace()
        or (following.isalpha() and not found["name"][-1].isdigit())
    )
