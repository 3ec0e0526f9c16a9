"""The page while the server is away."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.studio import in_state, saved, text_of
from tests.integration.running import Running


def test_a_lost_connection_is_said_and_what_happened_meanwhile_is_shown(
    page: Page, context: BrowserContext, server: Running, reviewed: str
) -> None:
    page.goto(f"/jobs/{reviewed}")
    expect(text_of(page, 0)).to_be_visible()
    server.stop()
    expect(page.get_by_text("The connection to the server is lost.")).to_be_visible()
    text_of(page, 1).fill("Written while the server was away.")
    expect(page.get_by_test_id("saving")).to_have_attribute("data-state", "failed")
    server.start()
    line = server.segments(reviewed)[0][0]["id"]
    server.edit(reviewed, edit=[{"id": line, "text": "Changed meanwhile."}])
    expect(page.get_by_text("The connection to the server is lost.")).to_have_count(0)
    expect(text_of(page, 0)).to_have_value("Changed meanwhile.")
    saved(page)
    assert server.segments(reviewed)[0][1]["text"] == "Written while the server was away."


def test_the_page_works_where_no_socket_gets_through(page: Page, server: Running, reviewed: str) -> None:
    page.route_web_socket("**/ws/**", lambda socket: socket.close())
    page.goto(f"/jobs/{reviewed}")
    expect(page.get_by_text("The connection to the server is lost.")).to_be_visible()
    text_of(page, 0).fill("Written without a socket.")
    saved(page)
    assert server.segments(reviewed)[0][0]["text"] == "Written without a socket."
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")
