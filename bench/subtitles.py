"""Our reader of subtitles beside others, over generated files of every kind of fault: FFmpeg's (SRT, WebVTT),
Chromium's own of <track> (WebVTT), and, in a Python that has them, pysubs2 and srt (SRT) and webvtt-py (WebVTT).

    python -m bench.subtitles [--files 10] [--seed 8] [--python VENV/bin/python] [--differences]

For each kind: how many of the files each of them reads as we do, cue by cue: times to 10 ms, and text without markup.
With --differences, an example of each difference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
from playwright.sync_api import Page, sync_playwright

from app.domain.errors import DubError
from app.dubbing.subtitles.srt_vtt import read

TOLERANCE_S = 0.011  # FFmpeg's clock of some formats counts hundredths
Shown = list[tuple[float, float, str]]
WORDS = (
    "we",
    "will",
    "see",
    "you",
    "there",
    "when",
    "the",
    "old",
    "river",
    "runs",
    "slowly",
    "under",
    "bridges",
    "that",
    "nobody",
    "has",
    "named",
    "yet",
    "42",
    "naïve",
    "Übung",
    "—",
    "“so”",
)
OTHERS = """
import json, sys
def seconds(clock):
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)
def shown(path):
    if path.endswith(".srt"):
        import pysubs2, srt
        def one():
            return [(l.start / 1000, l.end / 1000, l.plaintext) for l in pysubs2.load(path, format_="srt")]
        def two():
            text = open(path, encoding="utf-8-sig", newline=None)
            return [(c.start.total_seconds(), c.end.total_seconds(), c.content) for c in srt.parse(text)]
        readers = {"pysubs2": one, "srt": two}
    else:
        import webvtt
        readers = {"webvtt-py": lambda: [(seconds(c.start), seconds(c.end), c.text) for c in webvtt.read(path)]}
    found = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except Exception as error:
            found[name] = []
    return found
print(json.dumps({path: shown(path) for path in sys.stdin.read().split()}))
"""
TRACK = """async (text) => {
    const video = document.createElement('video'), track = document.createElement('track');
    track.src = URL.createObjectURL(new Blob([text], { type: 'text/vtt' }));
    track.default = true;
    const done = new Promise((resolve) => { track.onload = () => resolve(true); track.onerror = () => resolve(false);
    });
    video.append(track);
    document.body.append(video);
    track.track.mode = 'hidden';
    const loaded = await done;
    const cues = loaded ? [...track.track.cues].map((cue) => [cue.startTime, cue.endTime,
    cue.getCueAsHTML().textContent]) : [];
    video.remove();
    return cues;
}"""


def clock(ms: int, point: str) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


def blocks(dice: random.Random, vtt: bool) -> list[list[str]]:
    """Eight cues, each as its lines: a number (SRT), the times, the text."""
    at, made = dice.randrange(500, 5000), []
    for n in range(1, 9):
        until = at + dice.randrange(900, 4000)
        point = "." if vtt else ","
        text = [" ".join(dice.sample(WORDS, dice.randrange(2, 7))) for _ in range(dice.randrange(1, 3))]
        made.append([*([] if vtt else [str(n)]), f"{clock(at, point)} --> {clock(until, point)}", *text])
        at = until + dice.randrange(40, 2000)
    return made


def joined(made: list[list[str]], vtt: bool) -> str:
    return ("WEBVTT\n\n" if vtt else "") + "\n\n".join("\n".join(block) for block in made) + "\n"


def in_one(change: Callable[[list[str], int], None]) -> Callable[[list[list[str]], random.Random, bool], str]:
    """A fault in one cue: `change` is given its lines, and where the times stand."""

    def changed(made: list[list[str]], dice: random.Random, vtt: bool) -> str:
        change(made[dice.randrange(1, len(made) - 1)], 0 if vtt else 1)
        return joined(made, vtt)

    return changed


def whole(change: Callable[[str], str]) -> Callable[[list[list[str]], random.Random, bool], str]:
    return lambda made, dice, vtt: change(joined(made, vtt))


def _times(change: Callable[[str, str], str]) -> Callable[[list[str], int], None]:
    def changed(block: list[str], at: int) -> None:
        block[at] = change(*block[at].split(" --> "))

    return changed


def _tight(made: list[list[str]], vtt: bool) -> str:
    return ("WEBVTT\n\n" if vtt else "") + "\n".join("\n".join(block) for block in made) + "\n"


def _first_negative(made: list[list[str]], dice: random.Random, vtt: bool) -> str:
    at = 0 if vtt else 1
    made[0][at] = f"-{made[0][at]}"
    return joined(made, vtt)


KINDS: dict[str, Callable[[list[list[str]], random.Random, bool], str]] = {
    "nothing wrong": whole(lambda text: text),
    "\\r\\n": whole(lambda text: text.replace("\n", "\r\n")),
    "\\r\\r\\n": whole(lambda text: text.replace("\n", "\r\r\n")),
    "byte order mark": whole(lambda text: "\ufeff" + text),
    "tags": in_one(lambda block, at: block.append("<i>slanted</i> and <b>bold</b>")),
    "a line of one space": in_one(lambda block, at: block.insert(at + 1, " ")),
    "an empty line in the cue": in_one(lambda block, at: block.extend(["", "said after it"])),
    "text before the first cue": whole(
        lambda text: text if text.startswith("WEBVTT") else "Made by somebody\n\n" + text
    ),
    "no empty line between cues": lambda made, dice, vtt: _tight(made, vtt),
    "the end is cut": whole(lambda text: text[: text.rindex("-->") - 4]),
    "ends before it starts": in_one(_times(lambda start, end: f"{end} --> {start}")),
    "ends where it starts": in_one(_times(lambda start, end: f"{start} --> {start}")),
    "negative start": _first_negative,
    "times unreadable": in_one(_times(lambda start, end: f"00:0x:00.000 --> {end}")),
    "arrow ->": in_one(_times(lambda start, end: f"{start} -> {end}")),
    "arrow →": in_one(_times(lambda start, end: f"{start} → {end}")),
    "other point": whole(
        lambda text: re.sub(
            r"(\d\d)[.,](\d\d\d)", lambda m: f"{m[1]}{',' if text.startswith('WEBVTT') else '.'}{m[2]}", text
        )
    ),
    "no hours": whole(lambda text: re.sub(r"\b00:(\d\d:\d\d[.,])", r"\1", text)),
    "no milliseconds": whole(lambda text: re.sub(r"[.,]\d\d\d\b(?=\s-->|\n)", "", text)),
    "not in order": lambda made, dice, vtt: joined([*made[4:], *made[:4]], vtt),
    "a number as text": in_one(lambda block, at: block.__setitem__(slice(at + 1, None), ["1984"])),
    "settings": whole(lambda text: re.sub(r"(-->.*)", r"\1 align:start position:0%", text)),
}


def alike(cues: Shown) -> Shown:
    """Comparable: sorted, no markup, white space as one space, cues without text or time left out."""
    plain = [
        (start, end, " ".join(re.sub(r"<[^<>]*>|\{\\[^{}]*\}", "", text.replace("\\N", "\n")).split()))
        for start, end, text in cues
    ]
    return sorted((round(start, 3), round(end, 3), text) for start, end, text in plain if text and end > start)


def same(a: Shown, b: Shown) -> bool:
    return len(a) == len(b) and all(
        x[2] == y[2] and abs(x[0] - y[0]) <= TOLERANCE_S and abs(x[1] - y[1]) <= TOLERANCE_S
        for x, y in zip(a, b, strict=True)
    )


def ours(path: Path) -> Shown:
    try:
        return [(cue.start_s, cue.end_s, cue.text) for cue in read(path.read_bytes()).cues]
    except DubError:
        return []


def ffmpeg(path: Path) -> Shown:
    try:
        with av.open(str(path), format="srt" if path.suffix == ".srt" else "webvtt") as file:
            stream = file.streams.subtitles[0]
            return [
                (
                    float(p.pts * stream.time_base),
                    float((p.pts + (p.duration or 0)) * stream.time_base),
                    bytes(p).decode("utf-8", "replace"),
                )
                for p in file.demux(stream)
                if p.pts is not None and p.size
            ]
    except (av.FFmpegError, IndexError):
        return []


def chromium(page: Page, path: Path) -> Shown:
    return [(start, end, text) for start, end, text in page.evaluate(TRACK, path.read_bytes().decode("utf-8"))]


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--files", "1"]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=10)
    asked.add_argument("--seed", type=int, default=8)
    asked.add_argument("--python", type=Path)
    asked.add_argument("--differences", action="store_true")
    arguments = asked.parse_args()
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        asked.error("there is no Chromium on the path; name it with CHROMIUM=")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        made: dict[tuple[str, str], list[Path]] = {}
        for kind, change in KINDS.items():
            for extension in ("srt", "vtt"):
                for number in range(arguments.files):
                    dice = random.Random(f"{arguments.seed} {kind} {extension} {number}")
                    path = folder / f"{len(made)}-{extension}-{number}.{extension}"
                    path.write_text(
                        change(blocks(dice, extension == "vtt"), dice, extension == "vtt"), encoding="utf-8", newline=""
                    )
                    made.setdefault((kind, extension), []).append(path)
        others: dict[str, dict[str, Shown]] = {}
        if arguments.python:
            paths = " ".join(str(path) for group in made.values() for path in group)
            done = subprocess.run(
                [arguments.python, "-c", OTHERS], input=paths, capture_output=True, text=True, check=True
            )
            others = json.loads(done.stdout)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_content("<body></body>")
        for extension in ("srt", "vtt"):
            readers: dict[str, Callable[[Path], Shown]] = {"FFmpeg": ffmpeg}
            if extension == "vtt":
                readers["Chromium"] = lambda path: chromium(page, path)
            for name in ("pysubs2", "srt") if extension == "srt" else ("webvtt-py",):
                if others:
                    readers[name] = lambda path, name=name: [(a, b, text) for a, b, text in others[str(path)][name]]  # type: ignore[misc]
            print(f"\n{extension}: of {arguments.files} files, read as by us (seed {arguments.seed})\n")
            print(
                "| what is wrong | "
                + " | ".join(readers)
                + " | cues that we read of 8 |\n|---"
                + "|---" * (len(readers) + 1)
                + "|"
            )
            for (kind, of), group in made.items():
                if of == extension:
                    row(kind, group, readers, arguments.differences)
        browser.close()


def row(kind: str, group: list[Path], readers: dict[str, Callable[[Path], Shown]], differences: bool) -> None:
    mine = [alike(ours(path)) for path in group]
    cells, told = [], []
    for name, reader in readers.items():
        theirs = [alike(reader(path)) for path in group]
        cells.append(str(sum(same(a, b) for a, b in zip(mine, theirs, strict=True))))
        different = next(((a, b) for a, b in zip(mine, theirs, strict=True) if not same(a, b)), None)
        if different and differences:
            a, b = different
            told.append(
                f"    {name}: we {[cue for cue in a if cue not in b][:2]}, they "
                f"{[cue for cue in b if cue not in a][:2]} ({len(b)} cues)"
            )
    print(f"| {kind} | {' | '.join(cells)} | {sum(map(len, mine)) / len(mine):g} |")
    print("".join(line + "\n" for line in told), end="")


if __name__ == "__main__":
    main()
