"""Picture and sound that come apart, or in pieces, become one file; title, chapters and cover go into it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.link import LinkState
from app.links.joining import extension_of, is_whole, join
from app.links.tasks import Chapter, Fetched, Stream
from app.media.ffmpeg import tool
from tests.doubles.video_site import VideoSite
from tests.unit.links.conftest import Houses
from tests.unit.media.samples import sample


def described(path: Path) -> str:
    """What FFmpeg says of a file."""
    return subprocess.run([tool(), "-hide_banner", "-i", path], capture_output=True, text=True).stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film as DASH, picture and sound apart, and as HLS."""
    folder = tmp_path_factory.mktemp("streams")
    base = [tool(), "-v", "error", "-i", sample("plain.mp4"), "-c", "copy"]
    subprocess.run([*base, "-f", "dash", "-seg_duration", "1", folder / "film.mpd"], check=True)
    subprocess.run([*base, "-f", "hls", "-hls_time", "1", "-hls_list_size", "0", folder / "film.m3u8"], check=True)
    return folder


@pytest.fixture
def pieces(film: bytes, folder: Path) -> Iterator[VideoSite]:
    with VideoSite(film, folder=folder) as site:
        yield site


@pytest.mark.parametrize("name", ["film.mpd", "film.m3u8"])
async def test_streams_in_pieces_become_one_upload(pieces: VideoSite, house: Houses, name: str) -> None:
    home = house()
    link = await home.ended(await home.links.add(f"{pieces.url}/files/{name}"))
    assert link.state is LinkState.FINISHED and link.upload_id is not None, link
    with home.blobs.local_copy(home.uploads.get(link.upload_id).key) as path:
        told = described(path)
    assert told.count("Video: h264") == 1 and told.count("Audio: aac") == 1, told
    assert "Duration: 00:00:04" in told


async def test_a_broadcast_without_an_end_is_refused(film: bytes, folder: Path, house: Houses) -> None:
    listed = (folder / "film.m3u8").read_text()
    (folder / "live.m3u8").write_text(listed.replace("#EXT-X-ENDLIST\n", ""))
    with VideoSite(film, folder=folder) as site:
        home = house()
        link = await home.ended(await home.links.add(f"{site.url}/files/live.m3u8"))
    assert link.error is not None and link.error.code == "link_live", link
    assert not [path for path, _ in site.asked if path.endswith(".ts")]


async def test_pieces_that_lie_in_a_private_network_are_not_fetched(film: bytes, folder: Path, house: Houses) -> None:
    with VideoSite(film, folder=folder) as site:
        elsewhere = site.url.replace("127.0.0.1", "127.0.0.2") + "/files/"
        listed = (folder / "film.m3u8").read_text()
        (folder / "far.m3u8").write_text(listed.replace("\nfilm", f"\n{elsewhere}film"))
        home = house(networks=("127.0.0.1/32",))
        link = await home.ended(await home.links.add(f"{site.url}/files/far.m3u8"))
    assert link.error is not None and link.error.code == "link_private", link
    assert {path for path, _ in site.asked} == {"/files/far.m3u8"}


async def test_an_mp4_gets_title_chapters_and_cover(tmp_path: Path) -> None:
    picture, sound, cover = tmp_path / "0.media", tmp_path / "1.media", tmp_path / "thumbnail.jpg"
    copy = [tool(), "-v", "error", "-i", sample("plain.mp4"), "-c", "copy"]
    subprocess.run([*copy, "-an", "-f", "mp4", picture], check=True)
    subprocess.run([*copy, "-vn", "-f", "mp4", sound], check=True)
    subprocess.run([tool(), "-v", "error", "-i", sample("plain.mp4"), "-frames:v", "1", cover], check=True)
    chapters = (Chapter(0.0, 1.5, "One = #1; \\ a\\"), Chapter(1.5, 4.0, "Zwei"))
    streams = (Stream(str(picture), "mp4", True, False), Stream(str(sound), "m4a", False, True))
    fetched = Fetched(streams, chapters, str(cover))
    assert not is_whole(fetched) and extension_of(streams) == "mp4"
    await join(fetched, tmp_path / "joined.mp4", title="A talk", duration_s=4.0)
    told = described(tmp_path / "joined.mp4")
    assert "Video: h264" in told and "Audio: aac" in told and "attached pic" in told
    assert "One = #1; \\ a" in told and "Zwei" in told and "A talk" in told, told


async def test_streams_of_other_kinds_become_matroska(tmp_path: Path) -> None:
    picture, sound = tmp_path / "0.media", tmp_path / "1.media"
    subprocess.run(
        [tool(), "-v", "error", "-i", sample("plain.webm"), "-an", "-c", "copy", "-f", "webm", picture], check=True
    )
    subprocess.run(
        [tool(), "-v", "error", "-i", sample("plain.mp4"), "-vn", "-c", "copy", "-f", "mp4", sound], check=True
    )
    streams = (Stream(str(picture), "webm", True, False), Stream(str(sound), "m4a", False, True))
    assert extension_of(streams) == "mkv"
    await join(Fetched(streams, (), ""), tmp_path / "joined.mkv", title="", duration_s=None)
    told = described(tmp_path / "joined.mkv")
    assert "matroska" in told and "Video: vp8" in told and "Audio: aac" in told, told
