"""`autodubber dub --voice openai:NAME`: a whole dub by a speech server, and nothing is asked for twice."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from app.system import exit_status
from tests.doubles.openai_audio import KEY, running
from tests.unit.cli.test_dub import run
from tests.unit.dubbing.sounds import movie, noise

LINES = ("Now turn the table.", "The glue needs ten minutes.")


@pytest.fixture
def film(ffmpeg: str, tmp_path: Path) -> Path:
    return movie(ffmpeg, tmp_path / "film.mp4", noise(8.0, level=0.1))


def test_a_dub_by_a_speech_server_asks_for_each_line_once(film: Path, tmp_path: Path) -> None:
    subtitles = tmp_path / "lines.srt"
    subtitles.write_text("".join(f"{n}\n00:00:0{n * 3},000 --> 00:00:0{n * 3 + 2},500\n{LINES[n]}\n\n" for n in (0, 1)))
    with running("--kind", "kokoro", "--key") as url:
        dub = ("dub", film, "--subtitles", subtitles, "--json", "-o", tmp_path / "out", "--voice")
        settings = {"AUTODUBBER_MIN_FREE_BYTES": "0", "AUTODUBBER_SPEECH_URL": url, "AUTODUBBER_SPEECH_KEY": KEY}
        failed = run(tmp_path / "data", *dub, "openai:nobody", **settings)
        assert failed.returncode == exit_status.ENGINE and "voice_unknown" in failed.stdout
        assert httpx.get(f"{url.removesuffix('/v1')}/_journal").json()["calls"] == []
        for _ in range(2):
            done = run(tmp_path / "data", *dub, "openai:bm_george", **settings)
            assert done.returncode == 0 and json.loads(done.stdout)["lines"] == 2, done.stderr
            assert KEY not in done.stdout + done.stderr
        journal = httpx.get(f"{url.removesuffix('/v1')}/_journal").json()
        asked = [(call["input"], call.get("speed", 1.0)) for call in journal["calls"]]
        assert {text for text, _ in asked} == set(LINES) and len(asked) == len(set(asked))
        assert journal["violations"] == []
