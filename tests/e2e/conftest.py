"""A real browser on a real server, and a spoken video to drop into it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.conftest import FIXTURES
from tests.doubles.elevenlabs import running
from tests.integration.running import Running

PATIENCE_MS = 20_000  # a busy machine is slow to draw a page
# The browser's own services would call home; nothing of ours does.
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="package")
def elevenlabs() -> Iterator[str]:
    """The address of what stands in for ElevenLabs: no test leaves the machine."""
    with running() as url:
        yield url


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, whisper_checkpoint: Path, elevenlabs: str) -> Iterator[Running]:
    if not (Path(__file__).parents[2] / "web/build/index.html").exists():
        pytest.fail("the page is not built: make web")
    server = Running(
        tmp_path_factory.mktemp("studio") / "data",
        AUTODUBBER_MODEL=str(whisper_checkpoint),
        ELEVENLABS_BASE_URL=elevenlabs,
        AUTODUBBER_LINKS_PRIVATE="127.0.0.1",
        AUTODUBBER_LINKS_INDEX="http://127.0.0.1:9",  # where nothing answers
    )
    yield server.start()
    server.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Package scope: while Playwright runs, no test of another kind may start an event loop."""
    program = (
        os.environ.get("CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if program is None:
        pytest.skip("no Chromium here (Debian: apt install chromium), or name it with CHROMIUM=")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser, server: Running) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def complaints(server: Running) -> list[str]:
    """What the browser complained of: errors of the page, refusals by the content policy, requests to elsewhere."""
    return []


@pytest.fixture
def page(context: BrowserContext, server: Running, complaints: list[str]) -> Iterator[Page]:
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((server.url, "blob:", "data:")) else complaints.append(request.url)
        ),
    )
    yield page
    page.close()
    assert complaints == []


@pytest.fixture(scope="session")
def workshop_mp4(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    """A minute of sentences that the small checkpoint knows, over a moving picture: long enough to be recognised in
    several parts."""
    path = tmp_path_factory.mktemp("film") / "Workshop tour.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-i", str(FIXTURES / "clips/en_60s.flac")]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    subprocess.run([ffmpeg, "-v", "error", *picture, *coding, str(path)], check=True)
    return path


@pytest.fixture(scope="package")
def spoken_job(server: Running, workshop_mp4: Path) -> str:
    job = server.create(server.upload(workshop_mp4), language="en")
    server.wait(job["id"], "review")
    return str(job["id"])


@pytest.fixture
def reviewed(server: Running, spoken_job: str) -> str:
    """A job of its own for a test, waiting for its review: a copy that shares the transcript."""
    copy = server.ok(server.client.post(f"/api/jobs/{spoken_job}/duplicate", json={}))
    server.wait(copy["id"], "review")
    return str(copy["id"])
