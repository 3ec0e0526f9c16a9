"""Every page for everybody: contrast, names, keyboard, narrow screens."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.studio import is_accessible_and_fits
from tests.integration.running import Running


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_every_page_is_accessible_and_fits(
    chromium: Browser, server: Running, reviewed: str, theme: Any, width: int
) -> None:
    context = chromium.new_context(
        base_url=server.url, viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    for address in ("/", f"/jobs/{reviewed}", "/settings", "/nothing/here"):
        page.goto(address)
        expect(page.get_by_role("heading").first).to_be_attached()
        if address.startswith("/jobs"):
            expect(page.locator("[data-line]").first).to_be_visible()
        is_accessible_and_fits(page)
    context.close()
