"""What of brought subtitles is spoken, as a person sees it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.studio import in_state, is_accessible_and_fits, saved
from tests.integration.running import Running

SDH = """1
00:00:01,000 --> 00:00:02,000
[door slams]

2
00:00:02,200 --> 00:00:04,000
JOHN: (sighs) We should go.

3
00:00:05,000 --> 00:00:07,000
\N{EIGHTH NOTE} La la la \N{EIGHTH NOTE}
"""
WORDS = ["One", "word", "in", "every", "cue.", "This", "is", "no", "way", "to", "speak."]
ONE_WORD = "\n\n".join(
    f"{n}\n00:00:0{n // 3},{n % 3 * 300:03} --> 00:00:0{n // 3},{n % 3 * 300 + 280:03}\n{word}"
    for n, word in enumerate(WORDS)
)


def brought(server: Running, video: Path, srt: Path, text: str) -> str:
    srt.write_text(text, encoding="utf-8")
    job_id: str = server.create(server.upload(video), subtitles=server.upload(srt))["id"]
    server.wait(job_id, "review")
    return job_id


def test_what_is_not_spoken_is_there_with_its_reason_and_can_be_spoken(
    page: Page, server: Running, workshop_mp4: Path, tmp_path: Path
) -> None:
    job_id = brought(server, workshop_mp4, tmp_path / "sdh.srt", SDH)
    page.goto(f"/jobs/{job_id}")
    rows = page.locator("[data-line]")
    expect(rows.nth(0).get_by_test_id("unspoken")).to_contain_text("Only a sound description.")
    expect(rows.nth(1).get_by_test_id("speaker")).to_have_text("JOHN")
    expect(rows.nth(1).locator("textarea")).to_have_value("We should go.")
    expect(rows.nth(1).get_by_test_id("left-out")).to_contain_text("JOHN: (sighs)")
    expect(rows.nth(2).get_by_test_id("unspoken")).to_contain_text("Only music.")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        is_accessible_and_fits(page)
    rows.nth(0).get_by_role("button", name="Speak it").click()
    expect(rows.nth(0).get_by_test_id("unspoken")).to_have_count(0)
    saved(page)
    first = server.segments(job_id)[0][0]
    assert (first["skip"], first["text"], first["left_out"]) == (False, "[door slams]", [])


def test_short_cues_are_joined_the_page_says_so_and_it_can_be_chosen_otherwise(
    page: Page, server: Running, workshop_mp4: Path, tmp_path: Path
) -> None:
    job_id = brought(server, workshop_mp4, tmp_path / "words.srt", ONE_WORD)
    page.goto(f"/jobs/{job_id}")
    expect(page.get_by_test_id("joined")).to_have_text(f"{len(WORDS)} short cues were joined to 2 lines")
    expect(page.locator("[data-line] textarea").nth(0)).to_have_value("One word in every cue.")
    page.get_by_role("button", name="Recognise it again").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Subtitles of a word or two").select_option("off")
    dialog.get_by_role("button", name="Recognise again").click()
    page.wait_for_url(lambda address: not address.endswith(job_id))
    in_state(page, "review")
    expect(page.locator("[data-line]")).to_have_count(len(WORDS))
    expect(page.get_by_test_id("joined")).to_have_count(0)
