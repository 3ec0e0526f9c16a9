"""From a dropped video to the finished dub, and the ways in which it ends otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.studio import LONG_MS, drop, in_state, media, plays, saved, text_of
from tests.integration.running import Running

# Notes the job's state and its lines at every change of the page: what was shown for a moment is known afterwards.
SHOWN_LINES = """
    window.shownLines = [];
    new MutationObserver(() => {
        const lines = document.querySelectorAll('[data-line]').length;
        const state = document.querySelector('[data-testid=status]')?.dataset.state;
        if (lines) window.shownLines.push([state, lines]);
    }).observe(document, { childList: true, subtree: true });
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, whisper_checkpoint: Path) -> Iterator[Running]:
    """A server that nobody has used yet."""
    server = Running(tmp_path_factory.mktemp("new") / "data", AUTODUBBER_MODEL=str(whisper_checkpoint))
    yield server.start()
    server.close()


def test_a_dropped_video_is_transcribed_corrected_dubbed_played_and_downloaded(
    page: Page, workshop_mp4: Path, tmp_path: Path
) -> None:
    page.add_init_script(SHOWN_LINES)
    page.goto("/")
    expect(page.get_by_role("heading", name="Give your video a new voice")).to_be_visible()
    drop(page, workshop_mp4)
    row = page.get_by_test_id("job").filter(has_text="Workshop tour")
    expect(row.get_by_role("progressbar")).to_be_visible()
    row.get_by_role("link").click()

    # Lines come while Whisper still runs, and not all at once.
    in_state(page, "review")
    shown = page.evaluate("window.shownLines")
    assert min(lines for state, lines in shown if state == "preparing") < page.locator("[data-line]").count(), shown
    expect(page.get_by_test_id("estimate")).to_contain_text("free")

    # What is written is saved by itself, and is there after a reload.
    text_of(page, 1).fill("Today we build a small wooden chair.")
    saved(page)
    page.reload()
    expect(text_of(page, 1)).to_have_value("Today we build a small wooden chair.")

    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")

    # The dub plays, and the original goes on from the same position.
    page.locator("[data-line]").nth(2).get_by_role("button", name="Play from").click()
    plays(page, "dub", beyond_s=5)
    dub = media(page)
    assert dub["take"] == "dub"
    assert dub["cues"] == page.locator("[data-line]").count()
    page.get_by_role("button", name="Original", exact=True).click()
    plays(page, "original", beyond_s=dub["time_s"])
    assert media(page)["time_s"] < dub["time_s"] + 5
    expect(page.locator("[data-line][data-active]")).to_have_count(1)

    downloads = page.get_by_role("region", name="Downloads")
    for kind in ("video", "audio", "srt", "vtt"):
        with page.expect_download() as started:
            downloads.locator(f"[data-kind={kind}]").click()
        assert started.value.suggested_filename.startswith("Workshop tour.")
        started.value.save_as(tmp_path / kind)
    assert b"ftyp" in (tmp_path / "video").read_bytes()[:16]
    assert "wooden chair" in (tmp_path / "srt").read_text()
    assert "wooden chair" in (tmp_path / "vtt").read_text()

    # One changed line: the page says that the dub is old, and what a new one takes.
    text_of(page, 0).fill("Let me show you the result.")
    saved(page)
    expect(page.get_by_text("Something changed since this dub was made.")).to_be_visible()
    expect(page.get_by_test_id("estimate")).to_contain_text("1 of")
    page.get_by_role("button", name="Render again").click()
    expect(page.get_by_text("The dub is ready.")).to_be_visible(timeout=LONG_MS)


def test_a_running_job_is_cancelled_and_goes_on(page: Page, workshop_mp4: Path) -> None:
    page.goto("/")
    page.get_by_label("Language spoken in the video").select_option("en")
    page.get_by_text("Let me read the lines before they are spoken").click()
    page.get_by_label("Videos to dub").set_input_files(workshop_mp4)
    page.get_by_role("link", name="Watch it being transcribed").click()
    page.wait_for_selector("[data-line]", timeout=LONG_MS)
    page.get_by_role("button", name="Cancel").click()
    in_state(page, "cancelled")
    page.get_by_role("button", name="Go on").click()
    in_state(page, "completed")  # without a review, as was chosen
    expect(page.locator("[data-stage=Review]")).to_have_attribute("data-state", "skipped")


def test_a_job_that_failed_says_why_and_what_to_do(page: Page, tmp_path: Path) -> None:
    song = tmp_path / "Not a film.mp4"
    song.write_bytes(b"This is no film. " * 1000)
    page.goto("/")
    drop(page, song)
    row = page.get_by_test_id("job").filter(has_text="Not a film")
    expect(row.locator("[data-state=failed]")).to_be_visible()
    row.get_by_role("link").click()
    expect(page.get_by_role("alert")).to_contain_text("Use MP4")
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This job no longer exists")).to_be_visible()
