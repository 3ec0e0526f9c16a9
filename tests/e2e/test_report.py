"""What a render came out like, and what a person does about it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.studio import LONG_MS, MINUS, TIMES, in_state, is_accessible_and_fits, saved, text_of
from tests.integration.running import Running

MUCH = "This is far more than anybody could ever say in the short time that this one line has in the picture."


def row(page: Page, line: dict[str, Any]) -> Locator:
    return page.locator(f'[data-line="{line["id"]}"]')


def says(found: Locator, value: float, within: float) -> None:
    """The text has this number, rounded."""
    text = found.inner_text().replace(MINUS, "-")
    assert any(abs(float(number) - value) <= within + 1e-9 for number in re.findall(r"-?\d+(?:\.\d+)?", text)), (
        text,
        value,
    )


def rendered(page: Page) -> None:
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")
    expect(page.get_by_test_id("report")).to_be_visible(timeout=LONG_MS)


@pytest.fixture
def crowded(server: Running, reviewed: str) -> list[dict[str, Any]]:
    """The lines of the job, the third with far too much text for its time."""
    lines = server.segments(reviewed)[0]
    return server.edit(reviewed, edit=[{"id": lines[2]["id"], "text": MUCH}])


def test_the_page_tells_the_truth_about_a_render_and_leads_to_the_lines_to_mend(
    page: Page, server: Running, reviewed: str, crowded: list[dict[str, Any]], tmp_path: Path
) -> None:
    server.ok(server.client.patch(f"/api/jobs/{reviewed}", json={"options": {"output": {"audio_format": "flac"}}}))
    page.goto(f"/jobs/{reviewed}")
    much = row(page, crowded[2])
    expect(much.get_by_test_id("advice")).to_contain_text("Too much text for its time: shorten it by about")
    expect(page.get_by_test_id("truth")).to_have_count(0)
    rendered(page)

    told = server.ok(server.client.get(f"/api/jobs/{reviewed}/report"))
    line = told["lines"][2]
    report = page.get_by_test_id("report")
    assert told["to_shorten"] >= 1
    says(report.locator("[data-finding=pace]"), told["highest_rate"], within=0.005)
    says(report.locator("[data-finding=loudness]"), told["loudness_lufs"], within=0.05)
    expect(report.locator("[data-finding=loudness]")).to_contain_text(f"target {MINUS}16")
    expect(report.locator("[data-finding=picture]")).to_contain_text("copied, not touched")
    says(much.get_by_test_id("truth"), line["rate"], within=0.005)
    expect(much.get_by_test_id("advice")).to_contain_text("Hurried: shorten it by about")
    says(row(page, crowded[0]).get_by_test_id("truth"), told["lines"][0]["rate"], within=0.005)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        is_accessible_and_fits(page)

    for kind, begins in (("audio", b"fLaC"), ("ass", b"[Script Info]"), ("report", b"{")):
        with page.expect_download() as started:
            page.get_by_role("region", name="Downloads").locator(f"[data-kind={kind}]").click()
        started.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(begins)
    assert json.loads((tmp_path / "report").read_text())["to_shorten"] == told["to_shorten"]

    # The lines to shorten, and only they; one that is mended stays, and its figures are those of before.
    page.get_by_test_id("report").locator("[data-finding=pace]").get_by_role("button").click()
    expect(page.locator("[data-line]")).to_have_count(told["to_shorten"])
    much.locator("textarea").fill("Ten minutes to dry.")
    expect(much.get_by_test_id("truth")).to_have_attribute("data-old", "true")
    expect(much.get_by_test_id("advice")).to_have_count(0)
    saved(page)
    expect(report).to_contain_text("From before your changes")
    page.get_by_role("button", name="Show all lines").click()
    expect(page.locator("[data-line]")).to_have_count(len(crowded))
    page.get_by_role("button", name="Render again").click()
    expect(page.get_by_text("The dub is ready.")).to_be_visible(timeout=LONG_MS)
    expect(much.get_by_test_id("truth")).not_to_have_attribute("data-old", "true")
    expect(much.get_by_test_id("advice")).to_have_count(0)


def test_a_line_is_pinned_and_given_its_own_speed_and_the_dub_obeys(page: Page, server: Running, reviewed: str) -> None:
    def locks(line: int) -> tuple[bool, float | None]:
        segment = server.segments(reviewed)[0][line]
        return segment["start_locked"], segment["locked_rate"]

    page.goto(f"/jobs/{reviewed}")
    lines = server.segments(reviewed)[0]
    pinned, paced = row(page, lines[1]), row(page, lines[4])
    pin, pace = (
        pinned.get_by_role("button", name="Start exactly here"),
        paced.get_by_role("button", name="Speed of this line"),
    )
    pin.click()
    pace.click()
    speed = paced.get_by_label("Times as fast as spoken")
    expect(speed).to_have_value(f"1.00{TIMES}")
    speed.fill("1,2")
    speed.press("Enter")
    expect(speed).to_have_value(f"1.20{TIMES}")
    speed.press("ArrowUp")
    expect(speed).to_have_value(f"1.25{TIMES}")
    saved(page)
    assert (locks(1), locks(4)) == ((True, None), (False, 1.25))

    # What was typed within a moment is one step, however long the machine took for it.
    undo, redo = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Redo")
    while speed.count():
        undo.click()
    saved(page)
    assert (locks(1), locks(4)) == ((True, None), (False, None))
    undo.click()
    expect(pin).to_have_attribute("aria-pressed", "false")
    while redo.is_enabled():
        redo.click()
    expect(pin).to_have_attribute("aria-pressed", "true")
    expect(speed).to_have_value(f"1.25{TIMES}")
    saved(page)

    rendered(page)
    told = server.ok(server.client.get(f"/api/jobs/{reviewed}/report"))["lines"]
    assert told[1]["placed_s"] == pytest.approx(lines[1]["start_s"], abs=0.002)
    assert told[4]["rate"] == pytest.approx(1.25, abs=0.01)
    expect(paced.get_by_test_id("truth")).not_to_have_attribute("data-old", "true")
    speed.fill("auto")
    speed.press("Enter")
    expect(pace).to_have_attribute("aria-pressed", "false")
    saved(page)
    assert locks(4) == (False, None)


def test_an_error_that_names_lines_leads_to_them(page: Page, server: Running, reviewed: str) -> None:
    lines = server.segments(reviewed)[0]
    server.edit(reviewed, edit=[{"id": line["id"], "start_locked": True, "locked_rate": 0.5} for line in lines[5:7]])
    page.goto(f"/jobs/{reviewed}")
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "failed")
    blame = page.get_by_test_id("blame")
    blame.get_by_role("button", name="Show the 2 lines").click()
    expect(page.locator("[data-line]")).to_have_count(2)
    expect(text_of(page, 0)).to_have_value(lines[5]["text"])
    is_accessible_and_fits(page)
    for line in lines[5:7]:
        row(page, line).get_by_role("button", name="Speed of this line").click()
    saved(page)
    page.get_by_role("button", name="Try again").click()
    in_state(page, "completed")
    expect(page.get_by_test_id("blame")).to_have_count(0)
