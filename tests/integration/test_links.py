"""Links on a real server and from the command line: kill -9, cookies, off, and a dub from an address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.doubles.video_site import VideoSite
from tests.integration.running import Running
from tests.unit.media.samples import sample

HERE = {"AUTODUBBER_LINKS_PRIVATE": "127.0.0.1"}


@pytest.fixture
def site() -> Iterator[VideoSite]:
    with VideoSite(sample("plain.mp4").read_bytes()) as site:
        yield site


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Any]:
    started: list[Running] = []

    def start(**environ: str) -> Running:
        started.append(Running(tmp_path / "data", **HERE | environ).start())
        return started[-1]

    yield start
    for server in started:
        server.close()


def added(server: Running, address: str) -> dict[str, Any]:
    answer = server.client.post("/api/links", json={"url": address})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def until(server: Running, link_id: str, *states: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (link := server.client.get(f"/api/links/{link_id}").json())["state"] not in states:
        assert time.monotonic() < deadline, link
        time.sleep(0.05)
    return dict(link)


def test_a_download_that_kill_9_interrupts_goes_on_by_range_and_becomes_a_job(site: VideoSite, running: Any) -> None:
    server: Running = running(AUTODUBBER_REVIEW="true")
    site.hold_at = 57344
    with connect(server.url.replace("http", "ws") + "/ws") as socket:
        link = added(server, f"{site.url}/slow-talk?key=SECRET")
        heard = [json.loads(socket.recv(30))]
        while not (heard[-1]["type"] == "link" and heard[-1]["link"]["received_bytes"] >= 16384):
            heard.append(json.loads(socket.recv(30)))
    assert site.holding.wait(30)
    server.kill()
    (part,) = (server.data / "links" / "open" / link["id"]).glob("0.media.part")
    have = part.stat().st_size
    site.goes_on.set()
    server.start()
    link = until(server, link["id"], "finished", "failed")
    assert link["state"] == "finished", link
    assert ("/slow.mp4", f"bytes={have}-") in site.asked

    body = {"caption": link["captions"][0]["id"]}
    link = server.client.post(f"/api/links/{link['id']}/captions", json=body).json()
    asked = {"upload_id": link["upload_id"], "subtitles_upload_id": link["subtitles_upload_id"], "title": link["title"]}
    job = server.client.post("/api/jobs", json=asked).json()
    assert server.client.delete(f"/api/links/{link['id']}").status_code == 204
    server.wait(job["id"], "review")
    lines = server.client.get(f"/api/jobs/{job['id']}/segments").json()["segments"]
    assert [line["text"] for line in lines] == ["Buenos d\u00edas.", "Hasta luego."]
    assert not list((server.data / "links" / "open").iterdir())
    assert "SECRET" not in server.logged() and "SECRET" not in json.dumps(heard)


def test_cookies_go_to_the_site_and_nowhere_else(site: VideoSite, running: Any, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    written = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\tSECRET\n"
    cookies.write_text(written)
    server: Running = running(AUTODUBBER_LINKS_COOKIES=str(cookies), AUTODUBBER_LOG_LEVEL="debug")
    until(server, added(server, f"{site.url}/film.mp4")["id"], "finished")
    failed = until(server, added(server, f"{site.url}/gone.mp4")["id"], "failed")
    assert "sid=SECRET" in site.cookies
    assert cookies.read_text() == written
    told = server.client.get("/api/links").text + server.client.get("/api/settings").text + json.dumps(failed)
    kept = "".join(path.read_text() for path in (server.data / "links").rglob("link.json"))
    assert "SECRET" not in told + kept + server.logged() and "cookies.txt" not in told + kept + server.logged()


def test_links_that_are_off_are_refused_and_say_so(site: VideoSite, running: Any) -> None:
    server: Running = running(AUTODUBBER_LINKS="off")
    refused = server.client.post("/api/links", json={"url": f"{site.url}/film.mp4"})
    assert (refused.status_code, refused.json()["code"]) == (403, "links_off")
    assert server.client.get("/api/links").json()["off"] is True
    assert site.asked == []


def test_the_command_line_dubs_what_is_at_an_address(site: VideoSite, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTODUBBER_")}
    environ = clean | HERE | {"AUTODUBBER_DATA": str(tmp_path / "data"), "AUTODUBBER_MIN_FREE_BYTES": "0"}
    out = tmp_path / "out"
    out.mkdir()

    def dub(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "app", "dub", *arguments, "--voice", "espeak:es", "--json"]
        return subprocess.run(
            command, cwd=out, env=environ | {"PYTHONPATH": str(Path.cwd())}, capture_output=True, text=True, timeout=120
        )

    done = dub(f"{site.url}/talk", "--captions", "es")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["lines"] == 2 and said["outputs"]["video"] == str(out / "A talk.dub.mp4")
    assert "Download only what you have the right to" in done.stderr
    asked = len(site.asked)
    missing = dub(f"{site.url}/talk", "--captions", "de")
    assert missing.returncode == 3 and json.loads(missing.stdout)["error"]["code"] == "link_caption"
    assert "It has es." in missing.stderr and len(site.asked) == asked, "the film is there, and not downloaded again"
    refused = dub("http://10.0.0.1/film.mp4")
    assert refused.returncode == 3 and json.loads(refused.stdout)["error"]["code"] == "link_private"
