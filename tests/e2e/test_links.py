"""An address instead of a file: pasted, watched, cancelled, and dubbed with the page's captions as lines."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.doubles.video_site import VideoSite
from tests.e2e.studio import in_state, is_accessible_and_fits, text_of


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> tuple[bytes, bytes]:
    """A film and its picture."""
    folder = tmp_path_factory.mktemp("site")
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=4", "-f", "lavfi", "-i", "sine=330:d=4"]
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest"]
    subprocess.run([ffmpeg, "-v", "error", *source, *coding, str(folder / "film.mp4")], check=True)
    picture = ["-i", str(folder / "film.mp4"), "-frames:v", "1", str(folder / "poster.jpg")]
    subprocess.run([ffmpeg, "-v", "error", *picture], check=True)
    return (folder / "film.mp4").read_bytes(), (folder / "poster.jpg").read_bytes()


@pytest.fixture
def site(film: tuple[bytes, bytes]) -> Iterator[VideoSite]:
    with VideoSite(*film) as site:
        yield site


def paste(page: Page, address: str) -> None:
    page.get_by_label("Address of a video").fill(address)
    page.get_by_label("Address of a video").press("Enter")


def test_a_pasted_address_becomes_a_dub_with_the_pages_captions_as_lines(page: Page, site: VideoSite) -> None:
    site.hold_at = len(site.film) // 2
    page.goto("/")
    field = page.get_by_label("Address of a video")
    field.fill("example.org/talk")
    field.press("Enter")
    expect(page.get_by_text("Paste the whole address")).to_be_visible()
    paste(page, "http://192.168.0.1/film.mp4")
    expect(page.get_by_role("alert").filter(has_text="leads into a private network")).to_be_visible()
    expect(page.get_by_test_id("link")).to_have_count(0)

    paste(page, f"{site.url}/slow-talk")
    row = page.get_by_test_id("link")
    expect(row).to_contain_text("A talk")
    expect(row.get_by_test_id("link-status")).to_contain_text(" of ")
    expect(page.get_by_text("Download only what you have the right to")).to_be_visible()
    row.get_by_label("Lines").select_option("Spanish")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        is_accessible_and_fits(page)
    site.goes_on.set()
    expect(row.get_by_test_id("link-status")).to_contain_text("Downloaded")
    row.get_by_role("button", name="Start").click()

    job = page.get_by_test_id("job").filter(has_text="A talk")
    expect(page.get_by_test_id("link")).to_have_count(0)
    job.get_by_role("link").first.click()
    in_state(page, "review")
    expect(text_of(page, 0)).to_have_value("Buenos d\u00edas.")
    expect(text_of(page, 1)).to_have_value("Hasta luego.")
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")


def test_a_download_can_be_cancelled_and_a_failure_says_why(page: Page, site: VideoSite) -> None:
    site.hold_at = len(site.film) // 2
    page.goto("/")
    paste(page, f"{site.url}/slow-talk")
    row = page.get_by_test_id("link")
    expect(row.get_by_role("progressbar")).to_be_visible()
    expect(row.get_by_test_id("link-status")).to_contain_text(" of ")
    row.get_by_role("button", name="Cancel A talk").click()
    expect(row).to_have_count(0)

    paste(page, f"{site.url}/feed")
    expect(row.get_by_role("alert")).to_contain_text("The address is that of a list of videos.")
    is_accessible_and_fits(page)
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)


def test_an_address_without_captions_becomes_a_job_by_itself(page: Page, site: VideoSite) -> None:
    page.goto("/")
    paste(page, f"{site.url}/film.mp4")
    expect(page.get_by_test_id("job").filter(has_text="film")).to_be_visible()
    expect(page.get_by_test_id("link")).to_have_count(0)


def test_the_settings_say_which_downloader_there_is_and_that_it_cannot_be_updated(page: Page) -> None:
    page.goto("/settings")
    card = page.get_by_test_id("downloader")
    expect(card).to_contain_text("yt-dlp 20")
    expect(card).to_contain_text("JavaScript")
    is_accessible_and_fits(page)
    card.get_by_role("button", name="Update yt-dlp").click()
    expect(page.get_by_text("The downloader could not be updated; the one that was there is used.")).to_be_visible()
    expect(card).to_contain_text("yt-dlp 20")
