"""Encodings of subtitle files before UTF-8: which languages used which, and their names for people."""

from __future__ import annotations

import codecs
from typing import Final

# Python's name of each -> what a person calls it. The first ones of a group are the usual ones.
NAMES: Final = {
    "utf-8": "Unicode (UTF-8)",
    "utf-16": "Unicode (UTF-16)",
    "utf-16-le": "Unicode (UTF-16, little end first)",
    "utf-16-be": "Unicode (UTF-16, big end first)",
    "utf-32": "Unicode (UTF-32)",
    "cp1252": "Western European (Windows-1252)",
    "iso8859-1": "Western European (ISO 8859-1)",
    "iso8859-15": "Western European (ISO 8859-15)",
    "mac-roman": "Western European (Mac)",
    "cp850": "Western European (DOS 850)",
    "cp437": "Western European (DOS 437)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO 8859-2)",
    "iso8859-16": "Romanian (ISO 8859-16)",
    "mac-latin2": "Central European (Mac)",
    "cp852": "Central European (DOS 852)",
    "cp1251": "Cyrillic (Windows-1251)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "koi8-u": "Cyrillic (KOI8-U)",
    "iso8859-5": "Cyrillic (ISO 8859-5)",
    "mac-cyrillic": "Cyrillic (Mac)",
    "cp866": "Cyrillic (DOS 866)",
    "cp1253": "Greek (Windows-1253)",
    "iso8859-7": "Greek (ISO 8859-7)",
    "mac-greek": "Greek (Mac)",
    "cp737": "Greek (DOS 737)",
    "cp1254": "Turkish (Windows-1254)",
    "iso8859-9": "Turkish (ISO 8859-9)",
    "mac-turkish": "Turkish (Mac)",
    "cp857": "Turkish (DOS 857)",
    "cp1257": "Baltic (Windows-1257)",
    "iso8859-13": "Baltic (ISO 8859-13)",
    "iso8859-4": "Baltic (ISO 8859-4)",
    "cp775": "Baltic (DOS 775)",
    "cp1255": "Hebrew (Windows-1255)",
    "iso8859-8": "Hebrew (ISO 8859-8)",
    "cp862": "Hebrew (DOS 862)",
    "cp1256": "Arabic (Windows-1256)",
    "iso8859-6": "Arabic (ISO 8859-6)",
    "cp1258": "Vietnamese (Windows-1258)",
    "cp874": "Thai (Windows-874)",
    "cp932": "Japanese (Shift JIS)",
    "euc_jp": "Japanese (EUC-JP)",
    "iso2022_jp": "Japanese (ISO 2022-JP)",
    "gb18030": "Chinese, simplified (GB 18030, GBK)",
    "big5hkscs": "Chinese, traditional (Big5)",
    "cp949": "Korean (EUC-KR, Windows-949)",
}

_WESTERN: Final = ("cp1252", "iso8859-15", "mac-roman", "cp850", "cp437")
_CENTRAL: Final = ("cp1250", "iso8859-2", "mac-latin2", "cp852")
_CYRILLIC: Final = ("cp1251", "koi8-u", "koi8-r", "iso8859-5", "cp866", "mac-cyrillic")
_TURKISH: Final = ("cp1254", "iso8859-9", "mac-turkish", "cp857")
_BALTIC: Final = ("cp1257", "iso8859-13", "iso8859-4", "cp775")

_OF: Final[dict[str, tuple[str, ...]]] = {
    "bs": _CENTRAL,
    "cs": _CENTRAL,
    "hr": _CENTRAL,
    "hu": _CENTRAL,
    "pl": _CENTRAL,
    "sk": _CENTRAL,
    "sl": _CENTRAL,
    "sq": (*_WESTERN, *_CENTRAL),
    "ro": (*_CENTRAL, "iso8859-16"),
    "sr": (*_CYRILLIC, *_CENTRAL),
    "be": _CYRILLIC,
    "bg": _CYRILLIC,
    "mk": _CYRILLIC,
    "ru": _CYRILLIC,
    "uk": _CYRILLIC,
    "az": (*_TURKISH, *_CYRILLIC),
    "tr": _TURKISH,
    "lt": _BALTIC,
    "lv": _BALTIC,
    "et": (*_BALTIC, *_WESTERN),
    "el": ("cp1253", "iso8859-7", "mac-greek", "cp737"),
    "he": ("cp1255", "iso8859-8", "cp862"),
    "ar": ("cp1256", "iso8859-6"),
    "fa": ("cp1256", "iso8859-6"),
    "vi": ("cp1258",),
    "th": ("cp874",),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "zh": ("gb18030", "big5hkscs"),
}

_ALSO: Final = {
    "shift_jis": "cp932",
    "cp1361": "cp949",
    "euc_kr": "cp949",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
    "utf-8-sig": "utf-8",
    "iso2022_jp_1": "iso2022_jp",
    "iso2022_jp_2": "iso2022_jp",
    "utf-32-le": "utf-32",
}


def pages_of(language: str) -> tuple[str, ...]:
    """The encodings that the language's files are likely in, likeliest first."""
    return _OF.get(language, _WESTERN)


def known(name: str) -> str | None:
    """Our name of an encoding that a person names; None for one that subtitles are not read in."""
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return None
    found = _ALSO.get(found, found)
    return found if found in NAMES else None
