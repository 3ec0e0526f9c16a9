"""`autodubber dub --estimate` and the ceiling of a run: what is told, and that nothing more is bought."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from app.system import exit_status
from tests.doubles import elevenlabs
from tests.unit.cli.test_dub import run
from tests.unit.dubbing.sounds import movie, noise

LINES = ("Now turn the table.", "The glue needs ten minutes.")
CREDITS = sum(map(len, LINES))


@pytest.fixture
def film(ffmpeg: str, tmp_path: Path) -> Path:
    return movie(ffmpeg, tmp_path / "film.mp4", noise(8.0, level=0.1))


def test_an_estimate_spends_nothing_and_a_ceiling_stops_the_run_before_it_is_passed(film: Path, tmp_path: Path) -> None:
    subtitles = tmp_path / "lines.srt"
    subtitles.write_text("".join(f"{n}\n00:00:0{n * 3},000 --> 00:00:0{n * 3 + 2},500\n{LINES[n]}\n\n" for n in (0, 1)))
    voice = ("--voice", "elevenlabs:EnglishMale000000002", "-o", tmp_path / "out")
    with elevenlabs.running("--tones") as url:
        settings = {
            "AUTODUBBER_MIN_FREE_BYTES": "0",
            "ELEVENLABS_BASE_URL": url,
            "ELEVENLABS_API_KEY": elevenlabs.KEY,
        }

        def dub(*more: object) -> dict[str, object]:
            done = run(tmp_path / "data", "dub", film, *voice, *more, "--json", **settings)
            return {"status": done.returncode} | json.loads(done.stdout)

        def bought() -> list[str]:
            return [call["text"] for call in httpx.get(f"{url}/_journal").json()["calls"]]

        told = run(tmp_path / "data", "dub", film, *voice, "--subtitles", subtitles, "--estimate", **settings)
        assert told.returncode == 0, told.stderr
        assert f"speech by elevenlabs eleven_multilingual_v2: about {CREDITS} credits, $0.0037 " in told.stdout
        assert "(as published on 2026-10); 100,000 left" in told.stdout
        assert "lines to speak: 2 of 2" in told.stdout
        assert "in all: about $0.0037" in told.stdout
        guessed = dub("--estimate")["estimate"]
        assert guessed["guessed"] and guessed["credits"] == pytest.approx(8 * 15.5, rel=0.2)  # type: ignore[index]
        assert bought() == []
        stopped = dub("--subtitles", subtitles, "--ceiling-credits", len(LINES[0]) + 1)
        assert stopped["status"] == exit_status.ENGINE
        assert stopped["error"]["code"] == "ceiling_reached"  # type: ignore[index]
        assert bought() == [LINES[0]]
        rest = dub("--subtitles", subtitles, "--estimate")["estimate"]
        assert (rest["cached_lines"], rest["credits"]) == (1, len(LINES[1]))  # type: ignore[index]
        assert dub("--subtitles", subtitles)["status"] == 0
        assert sorted(bought()) == sorted(LINES)
    wrong = run(tmp_path / "data", "dub", film, "--ceiling-usd", "-1", **settings)
    assert wrong.returncode == exit_status.USAGE and "--ceiling-usd" in wrong.stderr
