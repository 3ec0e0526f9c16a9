"""Several languages of one video on the page: chosen before, added later, each with its own lines, removed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.doubles import translators as double
from tests.e2e.studio import LONG_MS, in_state, is_accessible_and_fits, saved, text_of
from tests.integration.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, whisper_checkpoint: Path) -> Iterator[Running]:
    with double.running() as service:
        server = Running(
            tmp_path_factory.mktemp("languages") / "data",
            AUTODUBBER_MODEL=str(whisper_checkpoint),
            AUTODUBBER_LIBRETRANSLATE_URL=service,
        )
        yield server.start()
        server.close()


def looked_at(page: Page, name: str) -> None:
    """Both widths and themes; kept where somebody wants to look."""
    for width, theme in ((1440, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        is_accessible_and_fits(page)
        if folder := os.environ.get("AUTODUBBER_TEST_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{width}-{theme}.png")
    page.set_viewport_size({"width": 1440, "height": 900})


@pytest.fixture
def film(server: Running, tmp_path: Path, ffmpeg: str) -> str:
    """A job of three lines, in Spanish and French."""
    video, lines = tmp_path / "Workshop tour.mp4", tmp_path / "lines.srt"
    made = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=10", "-f", "lavfi", "-i", "sine=f=330:d=10"]
    subprocess.run([ffmpeg, "-v", "error", *made, "-preset", "ultrafast", "-shortest", str(video)], check=True)
    cues = [f"{n}\n00:00:0{3 * n - 2},000 --> 00:00:0{3 * n},000\nThis is line {n} of it.\n" for n in (1, 2, 3)]
    lines.write_text("\n".join(cues))
    job = server.ok(
        server.client.post(
            "/api/jobs",
            json={
                "upload_id": server.upload(video),
                "subtitles_upload_id": server.upload(lines),
                "languages": [{"language": "fr"}],
                "options": {
                    "recognition": {"language": "en", "join_short_cues": "off"},
                    "translation": {"target_language": "es", "translator": "libretranslate"},
                },
            },
        )
    )
    server.wait(job["id"], "review")
    return str(job["id"])


def test_languages_are_chosen_for_a_new_video(page: Page, server: Running) -> None:
    page.goto("/")
    expect(page.get_by_label("Language of the lines")).to_be_visible()
    expect(page.get_by_label("Also into")).to_have_count(0)
    page.get_by_label("Language of the lines").select_option("es")
    page.get_by_label("Translated by").select_option("libretranslate")
    page.get_by_label("Also into").select_option("fr")
    page.get_by_label("Also into").select_option("de")
    chosen = page.get_by_role("list", name="Further languages")
    expect(chosen.get_by_role("button")).to_have_text(["French", "German"])
    looked_at(page, "new")
    chosen.get_by_role("button", name="Without French").click()
    expect(chosen.get_by_role("button")).to_have_text(["German"])


def test_a_language_has_its_own_lines_and_one_more_comes_and_goes(page: Page, server: Running, film: str) -> None:
    page.goto(f"/jobs/{film}")
    in_state(page, "review")
    tabs = page.get_by_role("navigation", name="Languages")
    expect(tabs.get_by_role("link")).to_have_text(["Spanish", "French"])
    expect(tabs.locator("[aria-current=page]")).to_have_text("Spanish")
    spanish = text_of(page, 0).input_value()
    first = page.url
    tabs.get_by_role("link", name="French").click()
    expect(tabs.locator("[aria-current=page]")).to_have_text("French", timeout=LONG_MS)
    expect(text_of(page, 0)).to_have_value(spanish, timeout=LONG_MS)  # of the double, which knows one language
    text_of(page, 0).fill("Bonjour tout le monde.")
    saved(page)
    expect(page.get_by_label("Title")).not_to_be_editable()
    looked_at(page, "french")
    tabs.get_by_role("link", name="Spanish").click()
    expect(tabs.locator("[aria-current=page]")).to_have_text("Spanish", timeout=LONG_MS)
    expect(text_of(page, 0)).to_have_value(spanish)
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")

    tabs.get_by_role("button", name="Add a language").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Language").first.select_option("de")
    looked_at(page, "add")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(tabs.locator("[aria-current=page]")).to_contain_text("German", timeout=LONG_MS)
    page.get_by_test_id("translated").get_by_role("button", name="Translate").click()
    expect(text_of(page, 0)).to_have_value(spanish, timeout=LONG_MS)
    page.get_by_role("button", name="Render again").click()
    expect(tabs.locator("[data-language=de] .status")).to_have_count(0, timeout=LONG_MS)
    in_state(page, "completed")
    expect(tabs.get_by_role("link")).to_have_text(["Spanish", "French", "German"])
    looked_at(page, "german")

    tabs.get_by_role("button", name="Remove German").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(tabs.get_by_role("link")).to_have_text(["Spanish", "French"], timeout=LONG_MS)
    assert page.url == first
