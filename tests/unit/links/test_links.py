"""Links from the pasted address to a finished upload, with real servers and the real downloader in its process."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import psutil
import pytest

from app.domain.errors import DubError
from app.domain.link import LinkState
from app.links import client
from app.links.tasks import Found, Look, Rules
from app.media.ffmpeg import tool
from app.storage.blobs import bytes_of
from tests.doubles.video_site import SPANISH, VideoSite
from tests.unit.links.conftest import House, Houses


async def failure(house: House, address: str) -> str:
    """The code with which a link ends."""
    link = await house.ended(await house.links.add(address))
    assert link.state is LinkState.FAILED and link.error is not None, link
    assert link.upload_id is None
    return link.error.code


async def test_the_address_of_a_film_becomes_a_finished_upload(site: VideoSite, house: Houses, film: bytes) -> None:
    home = house()
    link = await home.ended(await home.links.add(f" {site.url}/film.mp4?token=secret "))
    assert link.state is LinkState.FINISHED and link.upload_id is not None, link
    upload = home.uploads.get(link.upload_id)
    assert bytes_of(home.blobs, upload.key) == film
    assert (upload.filename, link.size_bytes, link.received_bytes) == ("film.mp4", len(film), len(film))
    assert all("secret" not in repr(told) for told in home.heard)
    assert not list(home.folder(link).glob("*.media*")), "only the upload is left"


async def test_a_page_gives_its_title_captions_and_picture(house: Houses, film: bytes, tmp_path: Path) -> None:
    poster = tmp_path / "poster.jpg"
    subprocess.run(
        [tool(), "-v", "error", "-f", "lavfi", "-i", "color=red:s=64x48:d=1", "-frames:v", "1", poster], check=True
    )
    with VideoSite(film, poster.read_bytes()) as site:
        home = house()
        link = await home.ended(await home.links.add(f"{site.url}/talk"))
        assert link.state is LinkState.FINISHED and link.upload_id is not None, link
        assert link.title == "A talk" and home.uploads.get(link.upload_id).filename == "A talk.mp4"
        assert home.links.thumbnail(link.id) == (poster.read_bytes(), "image/jpeg")
        (caption,) = link.captions
        assert (caption.language, caption.automatic) == ("es", False)
        link = await home.links.choose(link.id, caption.id)
        assert link.subtitles_upload_id is not None and link.caption == caption.id
        assert bytes_of(home.blobs, home.uploads.get(link.subtitles_upload_id).key).decode() == SPANISH
    with home.blobs.local_copy(home.uploads.get(link.upload_id).key) as path:
        probed = subprocess.run([tool(), "-hide_banner", "-i", path], capture_output=True, text=True).stderr
    assert "attached pic" in probed and "A talk" in probed and "Audio: aac" in probed


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/film.mp4",
        "http://[::1]/film.mp4",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/",
        "http://[::ffff:192.168.0.1]/",
        "http://localhost:8000/",
        "http://nas.local/film.mp4",
    ],
)
async def test_a_private_address_is_refused_at_once(house: Houses, address: str) -> None:
    with pytest.raises(DubError) as refused:
        await house(networks=()).links.add(address)
    assert refused.value.problem.code == "link_private"


@pytest.mark.parametrize(
    "address",
    ["", "film.mp4", "file:///etc/passwd", "ftp://example.org/a.mp4", "https://", "https://a b/", "javascript:alert(1)",
     "https://me:secret@example.org/", "http://example.org:99999/", "https://example.org/\n--exec", "h" * 5000],
)  # fmt: skip
async def test_what_is_no_address_of_a_page_is_refused_at_once(house: Houses, address: str) -> None:
    with pytest.raises(DubError) as refused:
        await house().links.add(address)
    assert refused.value.problem.code == "link_address" and "secret" not in refused.value.message


@pytest.mark.parametrize("target", ["http://127.0.0.2:{port}/film.mp4", "http://169.254.169.254/"])
async def test_a_redirect_into_a_private_network_is_not_followed(site: VideoSite, house: Houses, target: str) -> None:
    home = house(networks=("127.0.0.1/32",))
    port = site.url.rpartition(":")[2]
    assert await failure(home, f"{site.url}/to?{target.format(port=port)}") == "link_private", home.links.listed()
    assert {path for path, _ in site.asked} == {"/to"}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/film.mp4"])
async def test_a_redirect_to_something_else_than_http_is_not_followed(
    site: VideoSite, house: Houses, target: str
) -> None:
    home = house()
    assert await failure(home, f"{site.url}/to?{target}") in ("link_failed", "link_site", "link_private")
    assert {path for path, _ in site.asked} == {"/to"}


async def test_a_name_that_leads_to_a_private_address_is_refused_when_it_is_connected_to(
    site: VideoSite, tmp_path: Path
) -> None:
    """What `add` has allowed says nothing: here the name is the machine's own, which only the resolver knows."""
    port = site.url.rpartition(":")[2]
    rules = Rules(str(tmp_path), (), (), ("192.168.77.0/24",))
    with pytest.raises(DubError) as refused:
        await client.run(rules, Look(f"http://localhost:{port}/film.mp4"), Found)
    assert refused.value.problem.code == "link_private" and site.asked == []


async def test_a_list_of_videos_is_refused(site: VideoSite, house: Houses) -> None:
    assert await failure(house(), f"{site.url}/feed") == "link_playlist"
    assert site.sent_bytes == 0


async def test_a_page_without_a_video_says_so(site: VideoSite, house: Houses) -> None:
    assert await failure(house(), f"{site.url}/nothing") == "link_site"


async def test_a_page_without_an_end_is_stopped_by_the_limit_of_memory(site: VideoSite, house: Houses) -> None:
    home = house()
    link = await home.ended(await home.links.add(f"{site.url}/endless"))
    assert link.error is not None and link.error.code == "link_failed" and "more memory" in link.error.message


async def test_a_file_that_says_that_it_is_too_large_is_refused_before_it_comes(
    site: VideoSite, house: Houses, film: bytes
) -> None:
    assert await failure(house(max_bytes=len(film) - 1), f"{site.url}/talk") == "link_too_large"
    assert site.sent_bytes == 0


@pytest.mark.parametrize("name", ["endless.mp4", "liar.mp4", "grows.mp4"])
async def test_a_file_that_tells_no_length_or_a_wrong_one_is_stopped_at_the_limit(
    site: VideoSite, house: Houses, name: str
) -> None:
    home = house(max_bytes=1 << 20)
    link = await home.ended(await home.links.add(f"{site.url}/{name}"))
    assert link.error is not None and link.error.code == "link_too_large"
    assert sum(path.stat().st_size for path in home.folder(link).iterdir()) < (1 << 20) + (1 << 17)


async def test_cancelling_a_download_that_stands_still_works_at_once(site: VideoSite, house: Houses) -> None:
    home, before = house(), psutil.Process().children(recursive=True)  # those of other tests, kept warm
    site.hold_at = 40960
    link = await home.links.add(f"{site.url}/slow.mp4")
    await home.until(link, lambda now: now.received_bytes > 0)
    folder = home.folder(link)
    children = [child for child in psutil.Process().children(recursive=True) if child not in before]
    assert children
    async with asyncio.timeout(2):
        await home.links.delete(link.id)
    assert not folder.exists() and home.links.listed() == ()
    psutil.wait_procs(children, timeout=5)
    assert not [child for child in children if child.is_running()]
    assert home.heard[-1] == (link.id, None)


async def test_a_download_goes_on_after_a_restart_where_it_was(site: VideoSite, house: Houses, film: bytes) -> None:
    home = house()
    site.hold_at = 40960
    link = await home.links.add(f"{site.url}/slow.mp4")
    await asyncio.to_thread(site.holding.wait, 30)
    await home.until(link, lambda now: now.received_bytes > 0)
    await home.links.close()
    (part,) = home.folder(link).glob("0.media.part")
    have = part.stat().st_size
    assert have > 0
    site.goes_on.set()
    await home.restart()
    link = await home.ended(link)
    assert link.state is LinkState.FINISHED and link.upload_id is not None, link
    assert bytes_of(home.blobs, home.uploads.get(link.upload_id).key) == film
    assert site.asked[-1] == ("/slow.mp4", f"bytes={have}-")


async def test_a_failed_link_is_tried_again_on_request(site: VideoSite, house: Houses) -> None:
    home = house()
    link = await home.ended(await home.links.add(f"{site.url}/gone.mp4"))
    assert link.error is not None and link.error.code == "link_failed" and "404" in link.error.message
    assert site.url not in link.error.message
    again = await home.links.again(link.id)
    assert again.error is None
    assert (await home.ended(link)).state is LinkState.FAILED


async def test_a_disk_without_room_refuses_before_the_download(site: VideoSite, house: Houses) -> None:
    home = house(min_free_bytes=1 << 60)
    assert await failure(home, f"{site.url}/film.mp4") == "disk_full"
    assert len(site.asked) == 2, "it was looked at, and not downloaded"


async def test_links_that_are_over_are_forgotten_and_jobs_keep_their_files(site: VideoSite, house: Houses) -> None:
    home = house()
    link = await home.ended(await home.links.add(f"{site.url}/film.mp4"))
    assert link.upload_id is not None and home.links.sweep() == 0
    home.links._records[link.id] = home.links._records[link.id].now(expires_at=1.0)
    assert home.links.sweep() == 1
    assert home.links.listed() == () and not home.folder(link).exists()
    with pytest.raises(DubError):
        home.uploads.get(link.upload_id)
