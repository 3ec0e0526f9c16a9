"""A real server for every test, and one spoken video for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.running import Running
from tests.integration.speech import Sentence, spoken_video

SPOKEN = [
    Sentence(1.0, "Welcome to the workshop."),
    Sentence(4.0, "Today we build a small wooden table."),
    Sentence(8.0, "Please wear your safety glasses."),
    Sentence(12.0, "Thank you very much for watching."),
]
DURATION_S = 16.0


@pytest.fixture(scope="session")
def spoken_mp4(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    """SPOKEN over a moving picture, 16 s."""
    return spoken_video(ffmpeg, tmp_path_factory.mktemp("video") / "spoken.mp4", SPOKEN, DURATION_S)


@pytest.fixture
def serve(tmp_path: Path, whisper_checkpoint: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers on a data folder of this test's; closes them at the end."""
    started: list[Running] = []

    def start(name: str = "data", **environ: str) -> Running:
        running = Running(tmp_path / name, AUTODUBBER_MODEL=str(whisper_checkpoint), AUTODUBBER_THREADS="1", **environ)
        started.append(running)
        return running.start()

    yield start
    for running in started:
        running.close()


@pytest.fixture
def server(serve: Callable[..., Running]) -> Running:
    return serve()
