"""Writes docs/licences.md (`make licences`): the licence of everything that the image brings, Debian's packages aside,
whose texts lie in the image.

Licences of Python packages are what the packages themselves declare (pip-licenses); those of web packages stand in
package-lock.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from packages import ROOT, Package, python_packages, web_packages

PAGE = ROOT / "docs" / "licences.md"
# What a package's metadata does not say, or says by its whole text.
STATED = {
    "espeakng-loader": "MIT (the loader)",
    "rich-click": "MIT",
    "tiktoken": "MIT",
    "supervisor": "BSD-derived (repoze)",
    "setuptools": "MIT",
    "yt-dlp-ejs": "Unlicense AND MIT AND ISC",  # its scripts hold meriyah (ISC) and astring (MIT)
    "python-stretch": "MIT",  # not installed where there is no wheel (arm64)
}
SHORT = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Apache Software License; MIT License": "Apache-2.0 OR MIT",
}
# Programs, libraries and fonts that lie inside packages or in this repository: name, where, licence, copyleft.
BUNDLED = (
    ("FFmpeg, the program", "imageio-ffmpeg", "GPL-3.0-or-later", True),
    ("FFmpeg, the libraries", "av", "LGPL-3.0-or-later", True),
    ("x264, x265", "av", "GPL-2.0-or-later", True),
    ("espeak-ng and its voices", "espeakng-loader", "GPL-3.0-or-later", True),
    ("libpq", "psycopg-binary", "PostgreSQL", False),
    ("libsoxr", "soxr", "LGPL-2.1-or-later", True),
    ("Signalsmith Stretch", "python-stretch", "MIT", False),
    ("Silero VAD, the model", "faster-whisper", "MIT", False),
    ("oneDNN", "ctranslate2", "Apache-2.0", False),
    ("Intel oneMKL, on x86-64", "ctranslate2", "Intel Simplified Software License", False),
    ("CLDR, rules of numbers", "unicode-rbnf", "Unicode-3.0", False),
    ("libgomp", "ctranslate2", "GPL-3.0 with GCC Runtime Library Exception", False),
    (
        "Frequencies of letters, of lingua-language-detector",
        "app/dubbing/subtitles/letter_statistics.txt",
        "Apache-2.0",
        False,
    ),
    ("Samples of the Kokoro voices", "app/speech/neural/samples", "Apache-2.0", False),
    ("Noto Sans, 19 scripts", "app/media/fonts", "OFL-1.1", False),
    ("WenQuanYi Micro Hei", "app/media/fonts", "Apache-2.0 OR GPL-3.0 with font exception", False),
    ("Instrument Sans, Bricolage Grotesque", "the page", "OFL-1.1", False),
)
COPYLEFT = ("GPL", "MPL")
ABOUT = """
AutoDubber itself is under the MIT licence (LICENSE). This page names what it brings along. The licence of a Python
package is what the package declares; that of a web package stands in `package-lock.json`. A test compares names and
versions with the lock files. The Debian packages of the image keep their own texts in `/usr/share/doc/*/copyright`;
`make sbom IMAGE=...` lists them.

This is a reading in plain words, not legal advice.

## Copyleft, and what follows

- **GPL**: the program FFmpeg, x264 and x265 (they lie in the package `av`) and espeak-ng. Who only *runs* AutoDubber
  has nothing to do. Who *passes the image on* passes these on under the GPL: keep their notices, and be ready to give
  their source, which is public at the addresses that their packages name. AutoDubber starts `ffmpeg` as a program of
  its own, and loads `av` and espeak-ng into its processes; take the image as a whole as being under the GPL, version
  3 or later. The MIT licence of AutoDubber's own code is compatible with it. What AutoDubber makes (videos, sound,
  subtitles) is not covered.
- **LGPL** (FFmpeg's libraries, psycopg, soxr): used unchanged, as libraries that can be exchanged. Passing them on
  needs their notices and the way to their source.
- **MPL** (certifi, tqdm): files of theirs that somebody changes would have to be published; AutoDubber changes none.
- **Models** are no part of the image. OpenAI's Whisper models and Deezer's Spleeter are MIT, Resemblyzer's speaker
  embedding and the Kokoro voices are Apache-2.0, a Piper voice has a model card; one is downloaded when it is first
  used, and its licence is shown before.
"""


def python_rows() -> list[Package]:
    """The locked packages with the licences that they declare."""
    locked = python_packages()
    names = [package.name for package in locked]
    command = [
        str(Path(sys.executable).with_name("pip-licenses")),
        "--from=mixed",
        "--format=json",
        "--packages",
        *names,
    ]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603
    declared = {entry["Name"].lower().replace("_", "-"): entry["License"] for entry in said}
    rows = []
    for package in locked:
        licence = STATED.get(package.name) or declared.get(package.name.lower().replace("_", "-"), "")
        licence = SHORT.get(licence, licence)
        if not licence or licence == "UNKNOWN" or "\n" in licence:
            raise SystemExit(f"licences: {package.name} declares none; find it and put it into STATED")
        rows.append(package._replace(licence=licence))
    return rows


def table(packages: list[Package]) -> list[str]:
    return [
        "| package | version | licence |",
        "|---|---|---|",
        *(f"| {p.name} | {p.version} | {p.licence} |" for p in packages),
    ]


def page() -> str:
    """The whole of docs/licences.md."""
    python, web = python_rows(), web_packages()
    copyleft = [f"{p.name} ({p.licence})" for p in [*python, *web] if any(word in p.licence for word in COPYLEFT)]
    bundled = [
        f"| {name} | {where} | {licence} | {'yes' if strong else ''} |" for name, where, licence, strong in BUNDLED
    ]
    return "\n".join(
        [
            "<!-- Made by `make licences`. Do not edit. -->",
            "# Licences of others",
            "",
            *ABOUT.strip().splitlines(),
            f"- By declaration: {', '.join(copyleft)}.",
            "",
            "## Programs, libraries, fonts and models inside packages",
            "",
            "| what | where | licence | copyleft |",
            "|---|---|---|---|",
            *bundled,
            "",
            f"## Python, {len(python)} packages",
            "",
            *table(python),
            "",
            f"## The page, {len(web)} packages",
            "",
            (
                "What the page's code imports and what that depends on. Of some, only a part or nothing is left in the "
                "built page."
            ),
            "",
            *table(web),
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
