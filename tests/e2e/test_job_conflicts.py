"""Two people on the same job, each in a browser of their own: none overwrites the other without being asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.conftest import PATIENCE_MS
from tests.e2e.studio import TIMES, is_accessible_and_fits
from tests.integration.running import Running


@pytest.fixture
def other(chromium: Browser, server: Running) -> Iterator[Page]:
    """The page of the other person."""
    yield from in_browser(chromium, server, 1440, "light")


@pytest.fixture
def mine(chromium: Browser, server: Running, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page as wide, and as light or dark, as the test says."""
    yield from in_browser(chromium, server, *request.param)


def in_browser(chromium: Browser, server: Running, width: int, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    context = chromium.new_context(
        base_url=server.url, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def title(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Title")


def faster(page: Page, steps: int) -> None:
    """Move the speed by so many steps of 0.05."""
    for _ in range(abs(steps)):
        page.get_by_role("slider", name="Speed").press("ArrowRight" if steps > 0 else "ArrowLeft")


def opened(page: Page, job_id: str) -> None:
    page.goto(f"/jobs/{job_id}")
    expect(page.get_by_role("slider", name="Speed")).to_have_value("1")


def alert(page: Page) -> Locator:
    return page.get_by_test_id("job-conflict")


@pytest.mark.parametrize("mine", [(1440, "light"), (390, "dark")], indirect=True)
def test_a_title_that_both_change_is_asked_about_and_what_was_typed_stays(
    mine: Page, other: Page, server: Running, reviewed: str
) -> None:
    opened(mine, reviewed)
    opened(other, reviewed)
    title(mine).fill("Mine")
    title(other).fill("Theirs")
    title(other).press("Enter")
    expect(mine).to_have_title("Theirs · AutoDubber")  # it has come, and what is being typed stays
    expect(title(mine)).to_have_value("Mine")
    title(mine).press("Enter")
    expect(alert(mine)).to_contain_text("Title: “Theirs” there, “Mine” here")
    expect(title(mine)).to_have_value("Mine")
    expect(mine.get_by_role("button", name="Approve and dub")).to_be_disabled()
    assert server.job(reviewed)["title"] == "Theirs"
    is_accessible_and_fits(mine)
    alert(mine).get_by_role("button", name="Keep mine").focus()
    mine.keyboard.press("Enter")
    expect(alert(mine)).to_have_count(0)
    expect(title(other)).to_have_value("Mine")
    assert server.job(reviewed)["title"] == "Mine"


def test_an_option_that_both_change_is_asked_about_and_others_are_merged(
    page: Page, other: Page, server: Running, reviewed: str
) -> None:
    opened(page, reviewed)
    opened(other, reviewed)
    held: list[Route] = []
    page.route(f"**/api/jobs/{reviewed}", lambda route: held.append(route), times=1)
    with page.expect_request(lambda request: request.method == "PATCH"):
        faster(page, -2)
    faster(other, 2)
    expect(page.get_by_role("slider", name="Speed")).to_have_value("0.9")
    with other.expect_response(lambda response: "burn_subtitles" in (response.request.post_data or "")):
        other.get_by_role("checkbox", name="Burn subtitles into the picture").check()
    held[0].continue_()
    expect(alert(page)).to_contain_text(f"Speed: 1.10{TIMES} there, 0.90{TIMES} here")
    expect(page.get_by_role("slider", name="Speed")).to_have_value("0.9")
    assert server.job(reviewed)["options"]["voices"]["speed"] == 1.1
    expect(page.get_by_role("checkbox", name="Burn subtitles into the picture")).to_be_checked()
    alert(page).get_by_role("button", name="Take theirs").click()
    expect(alert(page)).to_have_count(0)
    expect(page.get_by_role("slider", name="Speed")).to_have_value("1.1")
    assert server.job(reviewed)["options"]["voices"]["speed"] == 1.1
