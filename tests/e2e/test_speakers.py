"""Who says what, as a person sees and changes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.studio import is_accessible_and_fits, saved
from tests.integration.running import Running

TALK = """1
00:00:01,000 --> 00:00:03,000
ANNA: Where do we go?

2
00:00:04,000 --> 00:00:06,000
BEN: Up the hill.

3
00:00:07,000 --> 00:00:09,000
BEN: And then home.
"""


@pytest.fixture
def job_id(server: Running, workshop_mp4: Path, tmp_path: Path) -> str:
    (tmp_path / "talk.srt").write_text(TALK)
    job: str = server.create(server.upload(workshop_mp4), subtitles=server.upload(tmp_path / "talk.srt"))["id"]
    server.wait(job, "review")
    return job


def speakers(server: Running, job_id: str) -> dict[str, dict[str, object]]:
    found = server.client.get(f"/api/jobs/{job_id}/speakers").json()["speakers"]
    return {speaker["name"]: speaker for speaker in found}


def test_a_line_gets_another_speaker_and_a_speaker_a_voice(page: Page, server: Running, job_id: str) -> None:
    page.goto(f"/jobs/{job_id}")
    said = page.locator("[data-line]").get_by_test_id("speaker")
    expect(said).to_have_text(["ANNA", "BEN", "BEN"])

    # At the line, with the keyboard.
    page.get_by_label("Speaker at 0:07").focus()
    page.keyboard.press("ArrowUp")
    expect(said).to_have_text(["ANNA", "BEN", "ANNA"])
    saved(page)
    assert [speakers(server, job_id)[name]["lines"] for name in ("ANNA", "BEN")] == [2, 1]
    page.get_by_label("Speaker at 0:04").select_option("New speaker")
    expect(said).to_have_text(["ANNA", "Speaker 1", "ANNA"])

    # In the panel: a name, a voice, and one who is the same as another.
    page.get_by_text("Speakers", exact=True).click()
    cards = page.get_by_test_id("speaker-card")
    expect(cards).to_have_count(3)
    name = page.get_by_label("Name of Speaker 1")
    name.fill("Clara")
    name.press("Enter")
    expect(said).to_have_text(["ANNA", "Clara", "ANNA"])
    anna = cards.nth(0)
    anna.get_by_role("button", name="The best").click()
    page.get_by_role("dialog").get_by_text("espeak-ng", exact=False).last.scroll_into_view_if_needed()
    page.get_by_role("dialog").get_by_label("Search voices").fill("German")
    page.get_by_role("dialog").get_by_role("button", name="German").first.click()
    expect(anna.get_by_text("Use the job")).to_be_visible()
    assert str(speakers(server, job_id)["ANNA"]["voice"]).startswith("espeak:")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 900})
        is_accessible_and_fits(page)
    page.get_by_label("Give all lines of Clara to another speaker").select_option("BEN")
    expect(said).to_have_text(["ANNA", "BEN", "ANNA"])
    page.get_by_label("Remove BEN; the lines stay").click()
    expect(said).to_have_text(["ANNA", "No speaker", "ANNA"])
    assert list(speakers(server, job_id)) == ["ANNA"]
