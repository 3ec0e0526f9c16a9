"""The lines, written and heard."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.e2e.studio import saved, text_of
from tests.integration.running import Running


def test_words_written_at_the_same_time_elsewhere_are_both_kept(page: Page, server: Running, reviewed: str) -> None:
    page.goto(f"/jobs/{reviewed}")
    expect(text_of(page, 0)).to_be_visible()
    line = server.segments(reviewed)[0][0]["id"]

    def elsewhere_first(route: Route) -> None:
        server.edit(reviewed, edit=[{"id": line, "text": "Written elsewhere."}])
        route.continue_()

    page.route("**/segments", elsewhere_first, times=1)
    text_of(page, 0).fill("Written here.")
    row = page.locator("[data-line]").first
    expect(row.get_by_role("alert")).to_contain_text("Written elsewhere.")
    expect(text_of(page, 0)).to_have_value("Written here.")
    row.get_by_role("button", name="Keep mine").click()
    saved(page)
    assert server.segments(reviewed)[0][0]["text"] == "Written here."


def test_lines_are_split_merged_skipped_added_removed_and_all_of_it_is_undone(
    page: Page, server: Running, reviewed: str
) -> None:
    def lines() -> list[tuple[str, bool]]:
        return [(segment["text"], segment["skip"]) for segment in server.segments(reviewed)[0]]

    page.goto(f"/jobs/{reviewed}")
    rows = page.locator("[data-line]")
    expect(rows.first).to_be_visible()
    before, count = lines(), rows.count()
    rows.nth(1).get_by_role("button", name="Split").click()
    expect(rows).to_have_count(count + 1)
    rows.nth(3).get_by_role("button", name="Merge").click()
    expect(rows).to_have_count(count)
    rows.nth(0).get_by_role("button", name="Keep the original sound").click()
    saved(page)
    assert lines()[0][1] is True
    rows.nth(4).get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(count - 1)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(rows).to_have_count(count)
    for _ in range(5):
        page.get_by_role("button", name="Undo").click()
        saved(page)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    expect(rows).to_have_count(count)
    assert lines() == before


def test_one_line_can_be_heard_before_the_render(page: Page, reviewed: str) -> None:
    page.goto(f"/jobs/{reviewed}")
    with page.expect_response(lambda response: response.url.endswith("/preview")) as answered:
        page.locator("[data-line]").first.get_by_role("button", name="Hear it").click()
    assert answered.value.status == 200
    assert answered.value.headers["content-type"] == "audio/wav"
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)  # it has been heard to the end
