"""Makes `app/dubbing/subtitles/letter_statistics.txt`: how likely a letter is after another, in each language that
has had code pages of its own.

    python -m bench.letters FOLDER [--out FILE]

FOLDER is `lingua/language-models` of the package lingua-language-detector 1.3.5 (Apache-2.0; counted in news of the
Leipzig Corpora Collection, CC BY), its files unpacked by `brotli -d`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

from app.dubbing.subtitles.letter_statistics import FOLDED, LEVELS, TABLE, level_of

LANGUAGES = (
    "af",
    "ar",
    "az",
    "be",
    "bg",
    "bs",
    "ca",
    "cs",
    "cy",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "eu",
    "fa",
    "fi",
    "fr",
    "ga",
    "he",
    "hr",
    "hu",
    "id",
    "is",
    "it",
    "ja",
    "ko",
    "lt",
    "lv",
    "mk",
    "ms",
    "nb",
    "nl",
    "nn",
    "pl",
    "pt",
    "ro",
    "ru",
    "sk",
    "sl",
    "sq",
    "sr",
    "sv",
    "th",
    "tl",
    "tr",
    "uk",
    "vi",
    "zh",
)
RAREST = 5e-7  # of a letter, or a pair, among all; what is rarer is foreign words and slips
LIKELIEST_OF_MANY = 3000  # Chinese, Japanese and Korean characters
HEAD = """\
# How likely a letter is, alone (1) and after another (2): language, 1 or 2, level, letters. Level `a` is certain;
# each further letter of the alphabet is half a nat less likely. Made by `python -m bench.letters` from the models
# of lingua-language-detector 1.3.5, by Peter M. Stahl, Apache-2.0 (https://www.apache.org/licenses/LICENSE-2.0),
# which were counted in the Leipzig Corpora Collection, CC BY.
"""


def frequencies(folder: Path, name: str) -> dict[str, float]:
    path = folder / f"{name}.json"
    if not path.exists():
        return {}
    raw = json.loads(path.read_bytes())["ngrams"]
    found: dict[str, float] = defaultdict(float)
    for share, ngrams in raw.items():
        for ngram in ngrams.split():
            found["".join(FOLDED.get(c, c) for c in ngram)] += float(Fraction(share))
    return found


def levels(shares: dict[str, float]) -> dict[int, list[str]]:
    by_level: dict[int, list[str]] = defaultdict(list)
    for ngram, share in sorted(shares.items()):
        by_level[level_of(-math.log(share))].append(ngram)
    return by_level


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: one language of two letters."""
    (folder / "fi").mkdir()
    (folder / "fi" / "unigrams.json").write_text('{"ngrams": {"1/2": "a n"}}')
    (folder / "fi" / "bigrams.json").write_text('{"ngrams": {"1/2": "an na"}}')
    return [str(folder), "--out", str(folder / "letters.txt")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--out", type=Path, default=TABLE, help="where the table goes (default: where the program reads it)"
    )
    asked = parser.parse_args()
    folder: Path = asked.folder
    if not any((folder / language).is_dir() for language in LANGUAGES):
        parser.error(f"no models in {folder}")
    rows = []
    for language in LANGUAGES:
        alone = frequencies(folder / language, "unigrams")
        most = sorted(alone, key=lambda letter: -alone[letter])[:LIKELIEST_OF_MANY]
        alone = {letter: alone[letter] for letter in most if alone[letter] >= RAREST}
        after = {
            pair: share
            for pair, share in frequencies(folder / language, "bigrams").items()
            if alone.get(pair[0], 0.0) * share >= RAREST
        }
        for kind, shares in (("1", alone), ("2", {pair: min(share, 1.0) for pair, share in after.items()})):
            for level, ngrams in sorted(levels(shares).items()):
                rows.append(f"{language} {kind} {LEVELS[level]} {''.join(ngrams)}")
    asked.out.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{asked.out}: {asked.out.stat().st_size >> 10} KiB, {len(LANGUAGES)} languages")


if __name__ == "__main__":
    main()
