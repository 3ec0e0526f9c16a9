"""A video that is translated on its way: chosen in the page, seen beside each line, in the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.doubles import translators as double
from tests.e2e.studio import LONG_MS, drop, in_state, is_accessible_and_fits, text_of
from tests.integration.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, whisper_checkpoint: Path) -> Iterator[Running]:
    with double.running() as service:
        server = Running(
            tmp_path_factory.mktemp("translated") / "data",
            AUTODUBBER_MODEL=str(whisper_checkpoint),
            AUTODUBBER_LIBRETRANSLATE_URL=service,
        )
        yield server.start()
        server.close()


def test_a_video_is_translated_by_the_chosen_translator_and_shows_both_texts(
    page: Page, workshop_mp4: Path, server: Running
) -> None:
    page.goto("/")
    page.get_by_label("Language spoken in the video").select_option("en")
    page.get_by_label("Language of the lines").select_option("es")
    by = page.get_by_label("Translated by")
    expect(by.locator("option", has_text="DeepL")).to_be_disabled()  # there is no key
    by.select_option("libretranslate")
    drop(page, workshop_mp4)
    page.get_by_test_id("job").filter(has_text="Workshop tour").get_by_role("link").click()
    in_state(page, "review")
    original = page.get_by_test_id("original").first
    expect(original).to_be_visible(timeout=LONG_MS)
    source = original.locator("[dir=auto]").inner_text()
    expect(text_of(page, 0)).to_have_value(double.word_by_word(source))
    expect(page.get_by_label("Translated by")).to_be_disabled()
    is_accessible_and_fits(page)
    for width, theme in ((1440, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        is_accessible_and_fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")
    job_id = page.url.rstrip("/").rsplit("/", 1)[-1]
    assert source[:12] in server.client.get(f"/download/source_srt/{job_id}").text
