"""Files on their way, and what comes along with them."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.studio import drop, in_state, padded, text_of


def test_an_upload_goes_on_after_a_reload(
    page: Page, context: BrowserContext, workshop_mp4: Path, tmp_path: Path
) -> None:
    large = padded(workshop_mp4, tmp_path / "Long film.mp4", 24 << 20)
    offsets: list[int] = []
    page.on(
        "request",
        lambda r: (
            offsets.append(int(r.headers["upload-offset"]))
            if r.method == "PATCH" and "/api/uploads/" in r.url
            else None
        ),
    )
    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    page.goto("/")
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 3 << 20}
    wire.send("Network.emulateNetworkConditions", slow)
    page.get_by_label("Videos to dub").set_input_files(large)
    bar = page.get_by_test_id("upload").get_by_role("progressbar")
    page.wait_for_function("() => document.querySelector('[data-testid=upload] progress')?.value > 0.25")
    expect(page.get_by_test_id("upload")).to_contain_text("MB/s")
    assert float(bar.get_attribute("value") or 0) < 0.9

    page.reload()
    waiting = page.get_by_test_id("unfinished")
    expect(waiting).to_contain_text("Long film.mp4")
    expect(waiting).to_contain_text("is uploaded")
    wire.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    before = len(offsets)
    waiting.get_by_label("Choose Long film.mp4 again").set_input_files(large)
    expect(page.get_by_test_id("job").filter(has_text="Long film")).to_be_visible()
    assert offsets[before] > 1 << 20, "it began again"
    expect(page.get_by_test_id("unfinished")).to_have_count(0)
    expect(page.get_by_test_id("upload")).to_have_count(0)
    page.wait_for_function("() => !Object.keys(localStorage).some((key) => key.startsWith('tus::'))")


def test_an_upload_can_be_paused_and_cancelled(
    page: Page, context: BrowserContext, workshop_mp4: Path, tmp_path: Path
) -> None:
    large = padded(workshop_mp4, tmp_path / "Unwanted.mp4", 16 << 20)
    page.goto("/")
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1 << 20},
    )
    page.get_by_label("Videos to dub").set_input_files(large)
    row = page.get_by_test_id("upload")
    page.wait_for_function("() => document.querySelector('[data-testid=upload] progress')?.value > 0.05")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("Paused")
    with page.expect_request(lambda request: request.method == "DELETE" and "/api/uploads/" in request.url):
        row.get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(0)
    expect(page.get_by_test_id("unfinished")).to_have_count(0)


def test_subtitles_that_come_along_are_the_lines(page: Page, workshop_mp4: Path, tmp_path: Path) -> None:
    subtitles = tmp_path / "Workshop tour.srt"
    subtitles.write_text(
        "1\n00:00:01,000 --> 00:00:03,000\nBrought by the person.\n\n2\n00:00:05,000 --> 00:00:07,500\n二番目の行\n"
    )
    page.goto("/")
    page.get_by_label("Videos to dub").set_input_files([workshop_mp4, subtitles])
    page.get_by_role("link", name="Watch it being transcribed").click()
    in_state(page, "review")
    expect(page.locator("[data-line]")).to_have_count(2)
    expect(text_of(page, 0)).to_have_value("Brought by the person.")
    expect(text_of(page, 1)).to_have_value("二番目の行")
    expect(page.get_by_label("Start", exact=True).nth(1)).to_have_value("0:05.00")


def test_a_video_dropped_on_a_job_is_uploaded_too(
    page: Page, reviewed: str, workshop_mp4: Path, tmp_path: Path
) -> None:
    page.goto(f"/jobs/{reviewed}")
    expect(text_of(page, 0)).to_be_visible()
    other = tmp_path / "Dropped elsewhere.mp4"
    other.write_bytes(workshop_mp4.read_bytes())
    drop(page, other)
    page.wait_for_url("**/")
    expect(page.get_by_test_id("job").filter(has_text="Dropped elsewhere")).to_be_visible()
    page.get_by_role("button", name="Delete Dropped elsewhere").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_test_id("job").filter(has_text="Dropped elsewhere")).to_have_count(0)
