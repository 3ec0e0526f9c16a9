"""What the downloader says, as an error of the catalogue, without addresses' secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from app.domain.errors import Problem
from app.domain.plain_text import plain
from app.domain.problems.links import (
    LINK_FAILED,
    LINK_JAVASCRIPT,
    LINK_LIVE,
    LINK_PLAYLIST,
    LINK_SIGN_IN,
    LINK_SITE,
    LINK_TOO_LARGE,
)
from app.domain.problems.uploads import DISK_FULL
from app.system import disk_full

_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s'\"<>]+", re.IGNORECASE)
_PATH: Final = re.compile(r"(?<![\w.:/])/(?:[^\s'\":;,()]+/)+[^\s'\":;,()]*")
_SECRET: Final = re.compile(r"(?i)\b((?:cookie|authorization|token|key|sig(?:nature)?|password)\b\s*[:=]\s*)\S+")
_BOILERPLATE: Final = re.compile(
    r"(?is)(?:;? *please report this issue on.*|\.? *See +https://\S+.*|\.? *Use --\S+.*|\(caused by .*)$"
)

_PREFIX: Final = re.compile(r"^(?:ERROR: *)?(?:\[[\w:.+-]+\] *(?:[^\s:]{1,64}: +)?)?")
_KNOWN: Final[tuple[tuple[str, Problem], ...]] = (
    (r"file too large|larger than max-filesize", LINK_TOO_LARGE),
    (
        r"live event will begin|premieres? in|not currently live|is not live|is offline"
        r"|has not (?:yet )?(?:begun|started)",
        LINK_LIVE,
    ),
    (
        r"\bsign in\b|\blog ?in\b|logged[- ]in|registered users|use --cookies|--username|members?[- ]only|private video"
        r"|account (?:is )?required|requires? (?:authentication|payment)|HTTP Error 401",
        LINK_SIGN_IN,
    ),
    (r"unsupported url|no video|no media|there(?:'s| is) no video", LINK_SITE),
    (r"\bis a (?:playlist|channel)\b|playlist does not exist", LINK_PLAYLIST),
)
_JAVASCRIPT: Final = re.compile(r"(?i)javascript runtime|challenge solving failed|js challenge")
_NOTHING: Final = re.compile(r"(?i)requested format is not available|only images are available|no video formats|403")


def problem_of(message: str, warnings: Iterable[str]) -> Problem:
    """The entry of the catalogue for what the downloader said last, and before."""
    if disk_full.told(message):
        return DISK_FULL
    if _NOTHING.search(message) and any(_JAVASCRIPT.search(said) for said in warnings):
        return LINK_JAVASCRIPT
    return next((problem for pattern, problem in _KNOWN if re.search(pattern, message, re.IGNORECASE)), LINK_FAILED)


def cleaned(message: str) -> str:
    """One line for people: no queries of addresses, no paths of this machine, no advice about options of a command."""
    text = _BOILERPLATE.sub("", _PREFIX.sub("", plain(message.replace("\n", " ")).strip()))
    text = _URL.sub(_address, text)
    text = _SECRET.sub(r"\1...", text)
    return re.sub(r"\s+", " ", _PATH.sub("...", text)).strip(" .;:")[:300]


def _address(found: re.Match[str]) -> str:
    scheme, _, rest = found[0].partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme} address at {host}"
