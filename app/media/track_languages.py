"""Converts ISO 639-1 codes to ISO 639-2/T, the language labels of MP4 and Matroska tracks."""

from __future__ import annotations

from app.domain.iso_639 import ISO_639_2, SAME


def same_language(a: str | None, b: str | None) -> bool | None:
    """Whether two codes, of two letters or three, are of one language ("de" and "ger" are); None where one of them says
    nothing."""
    first, second = (SAME.get(label, label) for label in (track_language(a), track_language(b)))
    return None if "und" in (first, second) else first == second


def track_language(code: str | None) -> str:
    """The label of a track: "es" and "es-419" are "spa", three letters stay, anything else is "und"."""
    head = (code or "").lower().replace("_", "-").partition("-")[0]
    if len(head) == 3 and head.isascii() and head.isalpha():
        return head
    return ISO_639_2.get(head, "und")
