"""What a person does on the page, and what the tests look at."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
LONG_MS = 120_000
# Rows out of view are not painted (content-visibility), and keep the colours of the theme before; what fades is read
# when it is there.
AS_SEEN = """() => {
    for (const row of document.querySelectorAll('[data-line]')) row.style.contentVisibility = 'visible';
    for (const a of document.getAnimations()) if (Number.isFinite(a.effect.getComputedTiming().endTime)) a.finish();
}"""
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"  # as the page writes them


def drop(page: Page, file: Path) -> None:
    """Drop a file onto the page, wherever, once it is there to take it."""
    expect(page.get_by_role("banner")).to_be_visible()
    payload = [base64.b64encode(file.read_bytes()).decode(), file.name]
    carried = page.evaluate_handle(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: 'video/mp4' }));
            return carried;
        }""",
        payload,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": carried})


def padded(video: Path, path: Path, size_bytes: int) -> Path:
    """The same film in a larger file: an MP4 box that players skip."""
    path.write_bytes(video.read_bytes() + struct.pack(">I4s", size_bytes, b"free") + bytes(size_bytes - 8))
    return path


def in_state(page: Page, state: str) -> None:
    expect(page.get_by_test_id("status")).to_have_attribute("data-state", state, timeout=LONG_MS)


def saved(page: Page) -> None:
    expect(page.get_by_test_id("saving")).to_have_attribute("data-state", "saved")


def text_of(page: Page, line: int) -> Any:
    return page.locator('[data-line] textarea[aria-label^="Text at"]').nth(line)


def media(page: Page) -> dict[str, Any]:
    """What the visible player is doing."""
    found: dict[str, Any] = page.evaluate(
        """() => {
            const shown = [...document.querySelectorAll('video')].find((v) => getComputedStyle(v).visibility ===
            'visible');
            return { take: shown.dataset.take, time_s: shown.currentTime, paused: shown.paused, cues:
            shown.textTracks[0]?.cues?.length ?? 0 };
        }"""
    )
    return found


def plays(page: Page, take: str, beyond_s: float) -> None:
    """Waits until a take plays and has passed a time."""
    passed = (
        "([take, time_s]) => [...document.querySelectorAll('video')].some((v) => v.dataset.take === take && "
        "!v.paused && v.currentTime > time_s)"
    )
    page.wait_for_function(passed, arg=[take, beyond_s])


def is_accessible_and_fits(page: Page) -> None:
    """Nothing for axe to complain of (WCAG 2.1 AA), and nothing to scroll sideways."""
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, page.url
    page.evaluate(AXE.read_text())
    page.evaluate(AS_SEEN)
    found = page.evaluate(
        "async () => (await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })).violations"
    )
    told = [f"{v['id']}: {n['html'][:120]} {n.get('failureSummary', '')[:300]}" for v in found for n in v["nodes"][:3]]
    assert told == [], (page.url, told)


def opened(within: Page | Locator, title: str) -> Locator:
    """The disclosure of that title, opened."""
    disclosure = within.locator(f"details:has(> summary :text-is('{title}'))")
    if disclosure.get_attribute("open") is None:
        disclosure.locator("summary").first.click()
    return disclosure
