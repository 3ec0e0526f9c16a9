"""Text from the bytes of a subtitle file."""

from __future__ import annotations

import codecs

from app.domain.errors import SUBTITLES_INVALID, DubError


def decode(data: bytes) -> str:
    """Text from bytes: by its BOM, as UTF-8, as UTF-16 where every second byte is zero, else by the best guess. Raises SUBTITLES_INVALID."""
    data = data.rstrip(b"\0\x1a") if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE)) and data[-2:] in (b"\0\0", b"\n\x1a") else data
    for bom, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
                      (codecs.BOM_UTF16_BE, "utf-16")):  # fmt: skip
        if data.startswith(bom):
            return _decode_as(data, "utf-8-sig" if name == "utf-8" else name)
    if b"\0" in data:
        head = data[:2000]
        if head[1::2].count(0) > len(head) // 4:
            return _decode_as(data, "utf-16-le")
        if head[::2].count(0) > len(head) // 4:
            return _decode_as(data, "utf-16-be")
        line = data[: data.index(0)].count(b"\n") + 1
        raise DubError(SUBTITLES_INVALID, f"Line {line} holds bytes that are no text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(data)


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        raise DubError(SUBTITLES_INVALID, f"Line {line} is not valid {encoding.upper()}.") from error


def _guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes  # only for old files

    matches = from_bytes(data[:200_000])
    best = matches.best()
    if best is None:
        raise DubError(SUBTITLES_INVALID, "Its encoding is not known; save it as UTF-8.")
    # cp1250 is as likely for French by the measure, and wrong; by number of files Western European is the better bet.
    western = (match for match in matches if match.encoding == "cp1252" and match.chaos <= best.chaos and match.coherence >= best.coherence)
    return _decode_as(data, next(western, best).encoding)
