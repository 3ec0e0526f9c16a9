"""Subtitles as the world writes them, as a person sees them: the guess of the encoding, its choice, and what was
faulty."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.studio import in_state, is_accessible_and_fits
from tests.integration.running import Running

HUNGARIAN = (
    "1\r\n00:00:01,000 --> 00:00:02,500\r\nŐ és ű: micsoda öröm.\r\n\r\n2\r\n00:00:04,000 --> "
    "00:00:03,000\r\nTűzoltó jött.\r\n\r\n"
    "3\r\n00:00:0x,000 --> 00:00:07,000\r\nElveszett.\r\n"
)


def test_a_guessed_encoding_is_shown_with_a_sample_and_can_be_changed_before_and_after(
    page: Page, server: Running, workshop_mp4: Path, tmp_path: Path
) -> None:
    srt = tmp_path / "regi.srt"
    srt.write_bytes(HUNGARIAN.encode("cp1250"))
    page.goto("/")
    page.get_by_label("Subtitle file").set_input_files(srt)
    field = page.get_by_test_id("subtitles")
    expect(field.get_by_test_id("sample")).to_have_text("Ő és ű: micsoda öröm.")
    encoding = field.get_by_label("Encoding of the subtitles")
    expect(encoding.locator("option:checked")).to_have_text("Guessed: Windows-1250")
    field.get_by_text("1 faulty subtitle was left out, 1 was repaired").click()
    expect(field.get_by_role("listitem").nth(0)).to_contain_text("Line 6: the cue ends before it starts; ends at")
    expect(field.get_by_role("listitem").nth(1)).to_have_text("Line 10: the times cannot be read; left out")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        is_accessible_and_fits(page)
    encoding.select_option("cp1252")
    expect(field.get_by_test_id("sample")).to_have_text("Õ és û: micsoda öröm.")
    film = tmp_path / "Regi film.mp4"
    film.write_bytes(workshop_mp4.read_bytes())
    page.get_by_label("Videos to dub").set_input_files(film)
    page.get_by_test_id("job").filter(has_text="Regi film").get_by_role("link").first.click()
    in_state(page, "review")
    expect(page.locator("[data-line] textarea").nth(0)).to_have_value("Õ és û: micsoda öröm.")

    notice = page.get_by_test_id("subtitle-notice")
    expect(notice).to_contain_text("1 faulty subtitle was left out, 1 was repaired")
    expect(notice).not_to_contain_text("do not say their encoding")  # a person chose it
    before = page.url
    page.get_by_role("button", name="Recognise it again").click()
    page.get_by_role("dialog").get_by_label("Encoding of the subtitles").select_option("")
    page.get_by_role("dialog").get_by_role("button", name="Recognise again").click()
    page.wait_for_url(lambda address: address != before)
    in_state(page, "review")
    expect(page.locator("[data-line] textarea").nth(0)).to_have_value("Ő és ű: micsoda öröm.")
    expect(notice).to_contain_text("They were read as Central European (Windows-1250)")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        is_accessible_and_fits(page)


def test_a_file_that_cannot_be_read_says_so_before_the_video_is_sent_and_utf_8_asks_nothing(
    page: Page, tmp_path: Path
) -> None:
    bad, good = tmp_path / "bad.srt", tmp_path / "good.srt"
    bad.write_text("<SAMI><BODY>")
    good.write_text(HUNGARIAN[:80], encoding="utf-8")
    page.goto("/")
    page.get_by_label("Subtitle file").set_input_files(bad)
    field = page.get_by_test_id("subtitles")
    expect(field.get_by_role("alert")).to_contain_text("It looks like SAMI.")
    field.get_by_role("button", name="Remove these subtitles").click()
    page.get_by_label("Subtitle file").set_input_files(good)
    expect(field).to_contain_text("good.srt")
    expect(field.get_by_role("alert")).to_have_count(0)
    expect(field.get_by_label("Encoding of the subtitles")).to_have_count(0)
