"""The price table: what one unit of a service costs, in US dollars. The operator's rows come before the published ones.

A price that nobody has told is None: then units are told, and no sum is made up.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

INPUT: Final = "input token"
OUTPUT: Final = "output token"
MACHINE: Final = "machine"  # the engine whose "minute" is one of this machine
_MOST_BYTES: Final = 1 << 20
_LOCAL_NAMES: Final = (".local", ".lan", ".internal", ".home.arpa", ".localhost")


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`usd` for `per` units; null takes a published price away. `model` and `host` may have *; `published` is the date
    at which the service told it."""

    engine: str
    unit: str
    usd: Annotated[float, msgspec.Meta(ge=0)] | None
    per: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    model: str = "*"
    host: str = "*"
    published: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prices: tuple[Price, ...]


class Prices:
    """Rows in the order in which they count."""

    def __init__(self, rows: Iterable[Price]) -> None:
        self.rows = tuple(rows)

    def row(self, engine: str, unit: str, *, model: str = "", url: str = "") -> Price | None:
        """The first row for this model at this address."""
        host = urlsplit(url).hostname or ""
        for row in self.rows:
            same = (row.engine, row.unit) == (engine, unit)
            if same and fnmatchcase(model, row.model) and fnmatchcase(host, row.host):
                return row
        return None

    def usd(self, engine: str, unit: str, *, model: str = "", url: str = "") -> float | None:
        """US dollars for one unit; None where it is not known."""
        row = self.row(engine, unit, model=model, url=url)
        return None if row is None or row.usd is None else row.usd / row.per


def _chat(model: str, reads: float, writes: float, published: str) -> tuple[Price, Price]:
    host = "api.openai.com"
    return (
        Price(engine="chat", model=model, host=host, unit=INPUT, usd=reads, per=1e6, published=published),
        Price(engine="chat", model=model, host=host, unit=OUTPUT, usd=writes, per=1e6, published=published),
    )


def _openai(engine: str, model: str, unit: str, usd: float, per: float, published: str) -> Price:
    return Price(engine=engine, model=model, host="api.openai.com", unit=unit, usd=usd, per=per, published=published)


PUBLISHED: Final = Prices(
    (
        Price(engine="elevenlabs", unit="credit", usd=0.08, per=1000, published="2026-10"),
        Price(engine="scribe", unit="minute", usd=0.22, per=60, published="2026-06"),
        _openai("openai", "tts-1", "character", 15.0, 1e6, "2026-07"),
        _openai("openai", "tts-1-hd", "character", 30.0, 1e6, "2026-07"),
        _openai("openai-transcription", "whisper-1", "minute", 0.006, 1, "2025-11"),
        *_chat("gpt-4o-mini", 0.15, 0.6, "2025-07"),
        *_chat("gpt-4o", 2.5, 10.0, "2025-07"),
        *_chat("gpt-4.1-nano", 0.1, 0.4, "2025-07"),
        *_chat("gpt-4.1-mini", 0.4, 1.6, "2025-07"),
        *_chat("gpt-4.1", 2.0, 8.0, "2025-07"),
        *_chat("gpt-5-nano", 0.05, 0.4, "2025-11"),
        *_chat("gpt-5-mini", 0.25, 2.0, "2025-11"),
        *_chat("gpt-5", 1.25, 10.0, "2025-11"),
        Price(engine="deepl", host="api-free.deepl.com", unit="character", usd=0.0, published="2025-11"),
        Price(engine="deepl", host="api.deepl.com", unit="character", usd=25.0, per=1e6, published="2025-11"),
    )
)


def with_operators(rows: Iterable[Price]) -> Prices:
    """The published prices with the operator's before them."""
    return Prices((*rows, *PUBLISHED.rows))


def read(path: Path) -> tuple[Price, ...]:
    """The operator's rows: `{"prices": [{"engine": ..., "unit": ..., "usd": ...}, ...]}`. Raises ValueError with one
    line that says what is wrong. Blocks."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is far too large for a price table")
        return msgspec.json.decode(path.read_bytes(), type=_File).prices
    except OSError as error:
        raise ValueError(f"cannot read it: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None


def is_local(url: str) -> bool:
    """Whether an address is of this machine or of a network of one's own: a name without a dot, a private number."""
    host = (urlsplit(url).hostname or "").lower()
    if not host or ("." not in host and ":" not in host) or host.endswith(_LOCAL_NAMES):
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    return number.is_private or number.is_loopback or number.is_link_local
