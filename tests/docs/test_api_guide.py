"""The API guide tells the truth: every example is run, in the page's order, against a real server, and gives what the
page says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.guide import Example, Python, Shell, differences, examples
from tests.doubles import elevenlabs
from tests.integration.conftest import DURATION_S, SPOKEN
from tests.integration.running import Running
from tests.integration.speech import spoken_video

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:8000"
TOKEN = "a-token-for-metrics"


@pytest.fixture
def server(tmp_path: Path, whisper_checkpoint: Path) -> Iterator[Running]:
    with elevenlabs.running("--tones") as service:
        running = Running(
            tmp_path / "data",
            AUTODUBBER_MODEL=str(whisper_checkpoint),
            AUTODUBBER_THREADS="1",
            AUTODUBBER_METRICS_TOKEN=TOKEN,
            ELEVENLABS_BASE_URL=service,
        )
        try:
            yield running.start()
        finally:
            running.close()


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="the shell examples need jq and curl")
def test_every_example_of_the_api_guide_gives_what_the_guide_says(
    server: Running, ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    spoken_video(ffmpeg, desk / "talk.mp4", SPOKEN, DURATION_S)
    monkeypatch.setenv("ELEVENLABS_API_KEY", elevenlabs.KEY)
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    runners = {"sh": Shell(desk, dict(os.environ)), "python": Python(desk)}
    found = list(examples(PAGE))
    assert {example.language for example in found} == set(runners)
    for example in found:
        wrong = run(runners[example.language], example, server.url)
        assert not wrong, f"{PAGE.name}, line {example.line}: {wrong}\n{server.logged()[-2000:]}"


def run(runner: Shell | Python, example: Example, url: str) -> str:
    try:
        return differences(example, runner.run(example.code.replace(ADDRESS, url)))
    except Exception as error:
        raise AssertionError(f"{PAGE.name}, line {example.line}: {error}") from error


def test_a_guide_that_says_something_else_is_found_out() -> None:
    said = Example(1, "sh", "", '{"a": 1, "b": {"c": "…"}}', as_json=True)
    assert not differences(said, '{"a": 1.0, "b": {"c": 5, "more": 0}}')
    assert differences(said, '{"a": 2, "b": {"c": 5}}') == ".a is 2, not 1"
    assert differences(said, '{"a": 1, "b": {}}') == ".b.c is missing"
    said = Example(1, "sh", "", "at …\n204\n", as_json=False)
    assert not differences(said, "at 200\n204\n")
    assert "came" in differences(said, "at 200\n500\n")
