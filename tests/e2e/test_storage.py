"""What is kept, what would be deleted, and what a full disk looks like."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.retention import Kind
from tests.e2e.conftest import PATIENCE_MS
from tests.e2e.studio import is_accessible_and_fits
from tests.integration.running import Running
from tests.unit.retention.shelf import Shelf, rule

SHOTS = os.environ.get("STORAGE_SHOTS")  # a folder: pictures of what is tested, for people


class Stored:
    """A server with three jobs: one is old, one is new, and one has lost its original."""

    def __init__(self, folder: Path, **environ: str) -> None:
        shelf = Shelf(folder / "data")
        self.lost = shelf.job(days=90, title="A talk from last year")
        shelf.cleaner(rule(Kind.SOURCES, 60)).clean()
        self.old = shelf.job(days=40, title="Workshop tour")
        self.new = shelf.job(days=1, title="A small wooden table", lines=("three",))
        backup = {
            "at": time.time() - 16 * 86_400,
            "to": "/data/backups",
            "snapshot": "x",
            "bytes": 1_200_000_000,
            "seconds": 9.0,
            "ok": True,
            "error": "",
        }
        (shelf.data / "backup.json").write_text(json.dumps(backup))
        shelf.database.dispose()
        self.server = Running(shelf.data, **environ)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    stored = Stored(
        tmp_path,
        AUTODUBBER_KEEP_OUTPUTS_DAYS="30",
        AUTODUBBER_MAX_SOURCES_BYTES="200000000000",
        AUTODUBBER_MAX_CLIPS_BYTES="50",
        AUTODUBBER_BACKUP_TO=str(tmp_path / "backups"),
        AUTODUBBER_BACKUP_EVERY_S="864000",
    )
    stored.server.start()
    yield stored
    stored.server.close()


def opened(chromium: Browser, server: Running, width: int = 1440, theme: Any = "light") -> Page:
    context = chromium.new_context(
        base_url=server.url, viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


def test_the_person_sees_what_would_be_deleted_and_deletes_it_by_the_keyboard(
    chromium: Browser, stored: Stored
) -> None:
    page = opened(chromium, stored.server)
    page.goto("/settings")
    section = page.get_by_role("region", name="Storage")
    expect(section).to_contain_text("kept for 3 jobs")
    expect(section).to_contain_text("Finished files: kept for 30 days")
    expect(section).to_contain_text("AUTODUBBER_KEEP_OUTPUTS_DAYS")
    expect(section).to_contain_text("Originals: kept up to 200 GB")
    expect(section.get_by_test_id("backup")).to_contain_text("overdue")
    section.get_by_role("button", name="What would be deleted").press("Enter")
    planned = section.get_by_test_id("plan")
    expect(
        planned.get_by_role("listitem").filter(has_text="Workshop tour").filter(has_text="older than is kept")
    ).to_have_count(1)
    expect(planned.get_by_role("listitem").filter(has_text="more than is kept").first).to_be_visible()
    shot(page, "settings-1440-light")
    section.get_by_role("button", name="Clean up now").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone")
    shot(page, "confirm-1440-light")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert not stored.server.job(stored.old)["outputs_gone"]

    section.get_by_role("button", name="Clean up now").press("Enter")
    dialog.get_by_role("button", name="Delete").press("Enter")
    expect(page.get_by_text(re.compile(r"\d+ things deleted, .* free again"))).to_be_visible()
    assert stored.server.job(stored.old)["outputs_gone"]
    assert not stored.server.job(stored.new)["outputs_gone"]
    section.get_by_role("button", name="What would be deleted").press("Enter")
    expect(section.get_by_test_id("plan")).to_have_text("Nothing would be deleted.")

    page.goto(f"/jobs/{stored.old}")
    status = page.get_by_test_id("status")
    expect(status).to_contain_text("The finished files have been deleted to make room.")
    expect(status.get_by_role("button", name="Render again")).to_be_enabled()
    shot(page, "job-outputs-gone")
    page.context.close()


def test_a_job_without_its_original_plays_the_dub_and_cannot_be_rendered(chromium: Browser, stored: Stored) -> None:
    page = opened(chromium, stored.server)
    page.goto(f"/jobs/{stored.lost}")
    expect(page.get_by_test_id("source-gone")).to_contain_text("has been deleted to make room")
    expect(page.locator("video[data-take=dub]")).to_have_count(1)
    expect(page.locator("video[data-take=original]")).to_have_count(0)
    expect(page.get_by_role("button", name="Render again")).to_have_count(0)
    shot(page, "job-source-gone")
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_a_full_disk_is_told_before_people_upload_and_everything_is_accessible(
    chromium: Browser, tmp_path: Path, width: int, theme: Any
) -> None:
    stored = Stored(tmp_path, AUTODUBBER_MIN_FREE_BYTES=str(1 << 60), AUTODUBBER_KEEP_OUTPUTS_DAYS="365")
    server = stored.server
    started = server.start(ready=False)
    try:
        page = opened(chromium, started, width, theme)
        page.goto("/")
        banner = page.get_by_test_id("disk-full")
        expect(banner).to_contain_text("New videos are not accepted for now")
        is_accessible_and_fits(page)
        shot(page, f"banner-{width}-{theme}")
        banner.get_by_role("link", name="Storage").click()
        expect(page).to_have_url(re.compile("/settings#storage$"))
        section = page.get_by_role("region", name="Storage")
        section.get_by_role("button", name="What would be deleted").click()
        expect(section.get_by_test_id("plan")).to_be_visible()
        is_accessible_and_fits(page)
        shot(page, f"settings-{width}-{theme}")
        page.goto(f"/jobs/{stored.lost}")
        expect(page.get_by_test_id("source-gone")).to_be_visible()
        is_accessible_and_fits(page)
        page.context.close()
    finally:
        server.close()
