"""The page below /dub of another site, behind a real nginx with TLS and HTTP/2, as deploy/proxies/nginx-subpath.conf
sets it up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.deploy.authority import Authority
from tests.deploy.proxies import PASSWORD, USER, Proxy, proxy
from tests.e2e.conftest import PATIENCE_MS
from tests.e2e.studio import LONG_MS, in_state, is_accessible_and_fits, media, padded, plays, saved, text_of
from tests.integration.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, whisper_checkpoint: Path) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("below") / "data"
    server = Running(data, AUTODUBBER_MODEL=str(whisper_checkpoint), AUTODUBBER_BASE_PATH="/dub")
    yield server.start()
    server.close()


@pytest.fixture(scope="module")
def site(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("site")
    with proxy("nginx", server.port, folder / "nginx", Authority(folder), subpath=True) as running:
        yield running


@pytest.fixture
def page(chromium: Browser, site: Proxy) -> Iterator[Page]:
    """Nothing may be asked for outside /dub/, nothing be refused by the content policy, no script fail."""
    complaints: list[str] = []
    allowed = (f"{site.url}/dub", f"{site.url.replace('https', 'wss')}/dub/ws", "blob:", "data:")
    context = chromium.new_context(base_url=site.url, viewport={"width": 1440, "height": 900}, ignore_https_errors=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.on("request", lambda request: None if request.url.startswith(allowed) else complaints.append(request.url))
    page.on("websocket", lambda socket: None if socket.url.startswith(allowed) else complaints.append(socket.url))
    yield page
    context.close()
    assert complaints == []


@pytest.mark.slow
def test_the_whole_journey_is_below_the_path(page: Page, site: Proxy, workshop_mp4: Path, tmp_path: Path) -> None:
    large = padded(workshop_mp4, tmp_path / "Workshop tour.mp4", 60 << 20)  # more than one chunk of 50 MB
    patches: list[str] = []
    page.on(
        "request",
        lambda request: (
            patches.append(request.url) if request.method == "PATCH" and "/api/uploads/" in request.url else None
        ),
    )
    another = {
        "size": 1,
        "metadata": {"filename": "Of another AutoDubber.mp4"},
        "creationTime": "2026-01-01",
        "uploadUrl": f"{site.url}/api/uploads/another",
    }

    # The library, the upload in chunks, and the job's row while it is transcribed.
    page.goto("/dub/theme.js")
    page.evaluate("kept => localStorage.setItem('tus::another::1', kept)", json.dumps(another))
    page.goto("/dub/")
    expect(page.get_by_role("heading", name="Give your video a new voice")).to_be_visible()
    assert page.evaluate("() => performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    page.get_by_label("Videos to dub").set_input_files(large)
    row = page.get_by_test_id("job").filter(has_text="Workshop tour")
    row.get_by_role("link").click()
    assert page.evaluate("() => localStorage.getItem('tus::another::1')"), (
        "what another AutoDubber of this site remembers was taken for ours"
    )
    assert len(patches) == 2 and all(url.startswith(f"{site.url}/dub/api/uploads/") for url in patches)

    # The job's page, live over its socket; a deep link that is opened anew.
    page.wait_for_selector("[data-line]", timeout=LONG_MS)
    in_state(page, "review")
    address = page.url
    assert address.startswith(f"{site.url}/dub/jobs/")
    page.goto("about:blank")
    page.goto(address)
    text_of(page, 1).fill("Today we build a small wooden chair.")
    saved(page)
    page.reload()
    expect(text_of(page, 1)).to_have_value("Today we build a small wooden chair.")
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")

    # The player, which asks for ranges, and the downloads.
    page.locator("[data-line]").nth(2).get_by_role("button", name="Play from").click()
    plays(page, "dub", beyond_s=5)
    assert media(page)["cues"] == page.locator("[data-line]").count()
    downloads = page.get_by_role("region", name="Downloads")
    for kind in ("video", "audio", "srt", "vtt"):
        with page.expect_download() as started:
            downloads.locator(f"[data-kind={kind}]").click()
        assert started.value.url.startswith(f"{site.url}/dub/download/{kind}/")
        started.value.save_as(tmp_path / kind)
    assert b"ftyp" in (tmp_path / "video").read_bytes()[:16]
    assert "wooden chair" in (tmp_path / "srt").read_text()

    # The router goes about below the path, back and forth.
    page.get_by_role("banner").get_by_role("link", name="Settings").click()
    expect(page).to_have_url(f"{site.url}/dub/settings")
    is_accessible_and_fits(page)
    page.go_back()
    expect(page).to_have_url(address)
    page.get_by_role("link", name="Back to the library").click()
    expect(page).to_have_url(f"{site.url}/dub/")
    expect(page.get_by_test_id("job").filter(has_text="Workshop tour").first).to_be_visible()
    row.first.get_by_role("link").click()
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="To the library").click()
    expect(page).to_have_url(f"{site.url}/dub/")


def test_behind_a_sign_in_the_browsers_sockets_and_uploads_pass(
    chromium: Browser, server: Running, workshop_mp4: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("guarded")
    with proxy("nginx", server.port, folder / "nginx", Authority(folder), subpath=True, users=True) as guarded:
        signed_in = {"username": USER, "password": PASSWORD}
        context = chromium.new_context(base_url=guarded.url, ignore_https_errors=True, http_credentials=signed_in)
        page = context.new_page()
        with page.expect_websocket() as opened:
            page.goto("/dub/")
        opened.value.wait_for_event("framereceived")
        page.get_by_text("Let me read the lines before they are spoken").wait_for()
        page.get_by_label("Videos to dub").set_input_files(workshop_mp4)
        expect(page.get_by_test_id("job").filter(has_text="Workshop tour")).to_be_visible(timeout=LONG_MS)
        context.close()


def test_an_address_that_is_none_leads_back_to_the_library(page: Page, site: Proxy) -> None:
    page.goto("/dub/there/is/nothing")
    expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    page.get_by_role("link", name="To the library").click()
    expect(page).to_have_url(f"{site.url}/dub/")
