"""The page as a person uses it: a real Chromium on a real server."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.doubles.elevenlabs import KEY
from tests.integration.running import Running

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
LONG_MS = 120_000


def drop(page: Page, file: Path) -> None:
    """Drop a file onto the page, wherever."""
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


def in_state(page: Page, state: str) -> None:
    expect(page.get_by_test_id("status")).to_have_attribute("data-state", state, timeout=LONG_MS)


def saved(page: Page) -> None:
    expect(page.get_by_test_id("saving")).to_have_attribute("data-state", "saved")


def text_of(page: Page, line: int) -> Any:
    return page.locator("[data-line] textarea").nth(line)


def media(page: Page) -> dict[str, Any]:
    """What the visible player is doing."""
    found: dict[str, Any] = page.evaluate(
        """() => {
            const shown = [...document.querySelectorAll('video')].find((v) => getComputedStyle(v).visibility === 'visible');
            return { take: shown.dataset.take, time_s: shown.currentTime, paused: shown.paused, cues: shown.textTracks[0]?.cues?.length ?? 0 };
        }"""
    )
    return found


def plays(page: Page, take: str, beyond_s: float) -> None:
    """Waits until a take plays and has passed a time."""
    passed = "([take, time_s]) => [...document.querySelectorAll('video')].some((v) => v.dataset.take === take && !v.paused && v.currentTime > time_s)"
    page.wait_for_function(passed, arg=[take, beyond_s])


@pytest.fixture
def reviewed(server: Running, spoken_job: str) -> str:
    """A job of its own for a test, waiting for its review: a copy that shares the transcript."""
    copy = server.ok(server.client.post(f"/api/jobs/{spoken_job}/duplicate", json={}))
    server.wait(copy["id"], "review")
    return str(copy["id"])


@pytest.fixture(scope="module")
def spoken_job(server: Running, workshop_mp4: Path) -> str:
    job = server.create(server.upload(workshop_mp4), language="en")
    server.wait(job["id"], "review")
    return str(job["id"])


def test_a_dropped_video_is_transcribed_corrected_dubbed_played_and_downloaded(page: Page, workshop_mp4: Path, tmp_path: Path) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Give your video a new voice")).to_be_visible()
    drop(page, workshop_mp4)
    row = page.get_by_test_id("job").filter(has_text="Workshop tour")
    expect(row.get_by_role("progressbar")).to_be_visible()
    row.get_by_role("link").click()

    # Lines come while Whisper still runs.
    page.wait_for_selector("[data-line]", timeout=LONG_MS)
    expect(page.get_by_test_id("status")).to_have_attribute("data-state", "preparing")
    early = page.locator("[data-line]").count()
    in_state(page, "review")
    assert page.locator("[data-line]").count() > early
    expect(page.get_by_test_id("estimate")).to_contain_text("free")

    # What is written is saved by itself, and is there after a reload.
    text_of(page, 1).fill("Today we build a small wooden chair.")
    saved(page)
    page.reload()
    expect(text_of(page, 1)).to_have_value("Today we build a small wooden chair.")

    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")

    # The dub plays, and the original goes on from the same position.
    page.locator("[data-line]").nth(2).get_by_role("button", name="Play from").click()
    plays(page, "dub", beyond_s=5)
    dub = media(page)
    assert dub["take"] == "dub"
    assert dub["cues"] == page.locator("[data-line]").count()
    page.get_by_role("button", name="Original", exact=True).click()
    plays(page, "original", beyond_s=dub["time_s"])
    assert media(page)["time_s"] < dub["time_s"] + 5
    expect(page.locator("[data-line][data-active]")).to_have_count(1)

    downloads = page.get_by_role("region", name="Downloads")
    for kind in ("video", "audio", "srt", "vtt"):
        with page.expect_download() as started:
            downloads.locator(f"[data-kind={kind}]").click()
        assert started.value.suggested_filename.startswith("Workshop tour.")
        started.value.save_as(tmp_path / kind)
    assert b"ftyp" in (tmp_path / "video").read_bytes()[:16]
    assert "wooden chair" in (tmp_path / "srt").read_text()
    assert "wooden chair" in (tmp_path / "vtt").read_text()

    # One changed line: the page says that the dub is old, and what a new one takes.
    text_of(page, 0).fill("Let me show you the result.")
    saved(page)
    expect(page.get_by_text("Something changed since this dub was made.")).to_be_visible()
    expect(page.get_by_test_id("estimate")).to_contain_text("1 of")
    page.get_by_role("button", name="Render again").click()
    expect(page.get_by_text("The dub is ready.")).to_be_visible(timeout=LONG_MS)


def padded(video: Path, path: Path, size_bytes: int) -> Path:
    """The same film in a larger file: an MP4 box that players skip."""
    path.write_bytes(video.read_bytes() + struct.pack(">I4s", size_bytes, b"free") + bytes(size_bytes - 8))
    return path


def test_an_upload_goes_on_after_a_reload(page: Page, context: BrowserContext, workshop_mp4: Path, tmp_path: Path) -> None:
    large = padded(workshop_mp4, tmp_path / "Long film.mp4", 24 << 20)
    offsets: list[int] = []
    page.on("request", lambda r: offsets.append(int(r.headers["upload-offset"])) if r.method == "PATCH" and "/api/uploads/" in r.url else None)
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


def test_an_upload_can_be_paused_and_cancelled(page: Page, context: BrowserContext, workshop_mp4: Path, tmp_path: Path) -> None:
    large = padded(workshop_mp4, tmp_path / "Unwanted.mp4", 16 << 20)
    page.goto("/")
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1 << 20})
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
    subtitles.write_text("1\n00:00:01,000 --> 00:00:03,000\nBrought by the person.\n\n2\n00:00:05,000 --> 00:00:07,500\n二番目の行\n")
    page.goto("/")
    page.get_by_label("Videos to dub").set_input_files([workshop_mp4, subtitles])
    page.get_by_role("link", name="Watch it being transcribed").click()
    in_state(page, "review")
    expect(page.locator("[data-line]")).to_have_count(2)
    expect(text_of(page, 0)).to_have_value("Brought by the person.")
    expect(text_of(page, 1)).to_have_value("二番目の行")
    expect(page.get_by_label("Start").nth(1)).to_have_value("0:05.00")


def test_a_running_job_is_cancelled_and_goes_on(page: Page, workshop_mp4: Path) -> None:
    page.goto("/")
    page.get_by_label("Language spoken in the video").select_option("en")
    page.get_by_text("Let me read the lines before they are spoken").click()
    page.get_by_label("Videos to dub").set_input_files(workshop_mp4)
    page.get_by_role("link", name="Watch it being transcribed").click()
    page.wait_for_selector("[data-line]", timeout=LONG_MS)
    page.get_by_role("button", name="Cancel").click()
    in_state(page, "cancelled")
    page.get_by_role("button", name="Go on").click()
    in_state(page, "completed")  # without a review, as was chosen
    expect(page.locator("[data-stage=Review]")).to_have_attribute("data-state", "skipped")


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


def test_lines_are_split_merged_skipped_added_removed_and_all_of_it_is_undone(page: Page, server: Running, reviewed: str) -> None:
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


def test_a_video_dropped_on_a_job_is_uploaded_too(page: Page, reviewed: str, workshop_mp4: Path, tmp_path: Path) -> None:
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


def test_one_line_can_be_heard_before_the_render(page: Page, reviewed: str) -> None:
    page.goto(f"/jobs/{reviewed}")
    with page.expect_response(lambda response: response.url.endswith("/preview")) as answered:
        page.locator("[data-line]").first.get_by_role("button", name="Hear it").click()
    assert answered.value.status == 200
    assert answered.value.headers["content-type"] == "audio/wav"
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)  # it has been heard to the end


def test_a_lost_connection_is_said_and_what_happened_meanwhile_is_shown(page: Page, context: BrowserContext, server: Running, reviewed: str) -> None:
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


def test_a_job_that_failed_says_why_and_what_to_do(page: Page, tmp_path: Path) -> None:
    song = tmp_path / "Not a film.mp4"
    song.write_bytes(b"This is no film. " * 1000)
    page.goto("/")
    drop(page, song)
    row = page.get_by_test_id("job").filter(has_text="Not a film")
    expect(row.locator("[data-state=failed]")).to_be_visible()
    row.get_by_role("link").click()
    expect(page.get_by_role("alert")).to_contain_text("Use MP4")
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This job does not exist any more")).to_be_visible()


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
    page.get_by_role("dialog").get_by_role("button", name="Rachel").click()
    expect(page.get_by_test_id("estimate")).to_contain_text("credits ($")
    page.get_by_role("button", name="Approve and dub").click()
    in_state(page, "completed")
    server.ok(server.client.delete("/api/settings/keys/elevenlabs"))


def test_the_key_is_kept_on_the_server_and_masked(page: Page) -> None:
    page.goto("/settings")
    card = page.locator("[data-engine=elevenlabs]")
    card.get_by_label("API key").fill("sk_0123456789abcdef")
    card.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("masked-key")).to_have_text("••••cdef")
    page.reload()
    expect(page.get_by_test_id("masked-key")).to_have_text("••••cdef")
    assert "0123456789" not in page.content() + page.evaluate("() => JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    card.get_by_role("button", name="Forget it").click()
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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_every_page_is_accessible_and_fits(chromium: Browser, server: Running, reviewed: str, theme: Any, width: int) -> None:
    context = chromium.new_context(base_url=server.url, viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    for address in ("/", f"/jobs/{reviewed}", "/settings", "/nothing/here"):
        page.goto(address)
        expect(page.get_by_role("heading").first).to_be_attached()
        if address.startswith("/jobs"):
            expect(page.locator("[data-line]").first).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, address
        page.evaluate(AXE.read_text())
        found = page.evaluate("async () => (await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })).violations")
        assert [f"{v['id']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found] == [], address
    context.close()
