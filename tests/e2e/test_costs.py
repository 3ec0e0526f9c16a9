"""What a dub costs, on the button that starts it; and a ceiling that is typed, reached and raised."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.doubles.elevenlabs import KEY
from tests.e2e.studio import in_state
from tests.integration.running import Running


def test_a_job_stops_at_its_ceiling_and_goes_on_when_it_is_raised(page: Page, server: Running, reviewed: str) -> None:
    server.ok(server.client.put("/api/settings/keys/elevenlabs", json={"key": KEY}))
    voice = {"voices": {"voice": "elevenlabs:EnglishMale000000002"}}
    server.ok(server.client.patch(f"/api/jobs/{reviewed}", json={"options": voice}))
    page.goto(f"/jobs/{reviewed}")
    price = page.get_by_test_id("price")
    expect(price).to_have_text(re.compile(r"· (about \$0\.\d\d|under \$0\.01) · \d+ credits"))
    page.get_by_text("Costs", exact=True).click()
    page.get_by_label(re.compile("At most, in ElevenLabs")).fill("30")
    page.get_by_label("At most, in US dollars").fill("2.5")
    page.get_by_label("At most, in US dollars").press("Tab")
    expect(page.get_by_text("At most $2.50 and 30 credits")).to_be_visible()
    expect(page.get_by_text("This is more than the ceiling allows")).to_be_visible()
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "failed")
    raising = page.get_by_test_id("raise")
    expect(raising).to_contain_text("Spent: ")
    raising.get_by_role("button", name="Raise and go on").click()
    in_state(page, "completed")
    options = server.job(reviewed)["options"]["spending"]
    assert options["ceiling_usd"] == 2.5 and options["ceiling_credits"] > 30
    server.ok(server.client.delete("/api/settings/keys/elevenlabs"))
