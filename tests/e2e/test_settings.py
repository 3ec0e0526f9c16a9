"""Keys, prices and the look of the page."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.doubles.elevenlabs import KEY
from tests.e2e.studio import in_state
from tests.integration.running import Running


def test_a_paid_voice_tells_its_price_before_the_person_agrees(page: Page, server: Running, reviewed: str) -> None:
    page.goto("/settings")
    card = page.locator("[data-engine=elevenlabs]")
    expect(card).to_contain_text("Not available")
    card.get_by_label("API key").fill(KEY)
    card.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("Ready")

    page.goto(f"/jobs/{reviewed}")
    expect(page.get_by_test_id("estimate")).to_contain_text("free")
    page.locator("button[aria-haspopup=dialog]").click()
    page.get_by_label("Search voices").fill("rachel")
    page.get_by_role("dialog").get_by_role("button", name="Rachel English").click()
    expect(page.get_by_test_id("estimate")).to_contain_text("credits ($")
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")
    server.ok(server.client.delete("/api/settings/keys/elevenlabs"))


def test_a_voice_of_the_public_library_is_heard_added_and_chosen(page: Page, server: Running) -> None:
    server.ok(server.client.put("/api/settings/keys/elevenlabs", json={"key": KEY}))
    page.goto("/")
    page.locator("button[aria-haspopup=dialog]").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Search voices").fill("narrator")
    dialog.get_by_role("button", name="Look in the public library").click()
    library = dialog.get_by_role("list", name="Public library")
    expect(library.get_by_role("listitem")).to_have_count(30)
    dialog.get_by_role("button", name="More").click()
    expect(library.get_by_role("listitem")).to_have_count(60)
    with page.expect_response("**/sample") as sample:
        library.get_by_role("button", name="Play a sample of Narrator 7", exact=True).click()
    assert sample.value.ok and sample.value.headers["content-type"] == "audio/wav"
    library.get_by_role("button", name="Narrator 7 Spanish").click()
    expect(page.locator("button[aria-haspopup=dialog]").first).to_contain_text("Narrator 7")
    server.ok(server.client.delete("/api/settings/keys/elevenlabs"))


def test_the_key_is_kept_on_the_server_and_masked(page: Page) -> None:
    page.goto("/settings")
    card = page.locator("[data-engine=elevenlabs]")
    card.get_by_label("API key").fill("sk_0123456789abcdef")
    card.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("masked-key")).to_have_text("••••cdef")
    page.reload()
    expect(page.get_by_test_id("masked-key")).to_have_text("••••cdef")
    assert "0123456789" not in page.content() + page.evaluate(
        "() => JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"
    )
    card.get_by_role("button", name="Delete it").click()
    expect(page.get_by_test_id("masked-key")).to_have_count(0)


def test_the_theme_stays_and_the_question_mark_lists_the_keys(page: Page) -> None:
    page.goto("/settings")
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to the library")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.wait_for_url("**/")
