"""Several languages of one run of the command line: one film with all tracks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from tests.doubles import translators
from tests.unit.cli.test_dub import at, run
from tests.unit.cli.test_dub import talk as talk

LINES = ("Good morning to all of you.", "This is the second line of it.")


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with translators.running() as url:
        yield url


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "lines.srt"
    cues = [f"{n}\n00:00:0{3 * n - 2},000 --> 00:00:0{3 * n},500\n{text}\n" for n, text in enumerate(LINES, 1)]
    path.write_text("\n".join(cues))
    return path


def languages(path: str) -> list[tuple[str, str]]:
    with av.open(path) as film:
        return [(each.type, each.language or "") for each in film.streams if each.type != "video"]


def test_one_film_has_the_languages_that_were_asked_for_and_one_that_fails_is_told(
    tmp_path: Path, talk: Path, lines: Path, service: str
) -> None:
    video = at(tmp_path / "here", talk)
    asked = ("dub", video, "--subtitles", lines, "--language", "en", "--voice", "espeak:auto", "--json")
    more = ("--translator", "libretranslate", "--to", "es,fr,it")
    done = run(tmp_path / "data", *asked, *more, AUTODUBBER_LIBRETRANSLATE_URL=service, AUTODUBBER_MIN_FREE_BYTES="0")
    told = json.loads(done.stdout)
    assert done.returncode == 4 and "it is left out" in done.stderr
    assert languages(told["outputs"]["video"]) == [
        ("audio", "spa"),
        ("audio", "fra"),
        ("subtitle", "spa"),
        ("subtitle", "fra"),
        ("subtitle", "eng"),
    ]
    french, italian = told["languages"]
    assert italian["error"]["code"] == "translation_refused" and italian["outputs"] == {}
    names = {kind: Path(path).name for kind, path in french["outputs"].items()}
    assert names["srt"] == "talk.dub.fr.srt" and names["audio"] == "talk.dub.fr.m4a"
    assert names["source_srt"] == "talk.dub.fr.original.srt" and names["report"] == "talk.dub.fr.report.json"
    texts = [translators.word_by_word(text) for text in LINES]
    assert [line["text"] for line in french["report"]["lines"]] == texts
    assert all(text in Path(french["outputs"]["srt"]).read_text() for text in texts)


@pytest.mark.parametrize(
    "asked",
    [
        ("--to", "es,fr", "--translator", ""),
        ("--to", "es,es"),
        ("--to", "es,"),
        ("--to", "es,fr", "--review", "lines.srt"),
        ("--to", "es,fr", "--voice-for", "de=espeak:de"),
        ("--to", "es", "--voice-for", "es=espeak:es"),
    ],
)
def test_languages_that_make_no_sense_are_refused(tmp_path: Path, talk: Path, asked: tuple[str, ...]) -> None:
    done = run(tmp_path / "data", "dub", talk, "--translator", "libretranslate", *asked)
    assert done.returncode == 2, done.stderr
