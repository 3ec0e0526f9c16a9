"""Downloads the chosen streams, a thumbnail or captions, within the limit of bytes. Runs in the downloader's
process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.plain_text import plain
from app.domain.problems.links import LINK_CAPTION, LINK_FAILED, LINK_TOO_LARGE
from app.links.looking import INFO, caption_files, check, streams
from app.links.tasks import MOST_CAPTION_BYTES, Chapter, Fetched, FetchedCaption, Rules, Stream

_MOST_PICTURE_BYTES: Final = 4 << 20
_MOST_CHAPTERS: Final = 500
_EVERY_S: Final = 0.25
_PICTURES: Final = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"RIFF", "webp"))


class Meter:
    """A progress hook of yt-dlp: counts the bytes of all streams, reports them, and raises beyond the limit, whatever
    a server has declared."""

    def __init__(self, limit_bytes: int, report: Callable[[int], None]) -> None:
        self._limit_bytes, self._report = limit_bytes, report
        self._before, self._now, self._at = 0, 0, float("-inf")

    def __call__(self, status: Mapping[str, Any]) -> None:
        self._now = int(status.get("downloaded_bytes") or status.get("total_bytes") or self._now)
        declared = int(status.get("total_bytes") or 0)
        if self._limit_bytes and self._before + max(self._now, declared) > self._limit_bytes:
            raise DubError(LINK_TOO_LARGE, f"It is larger than {self._limit_bytes} bytes.")
        if time.monotonic() - self._at >= _EVERY_S:
            self.tell()

    def tell(self) -> None:
        self._at = time.monotonic()
        self._report(self._before + self._now)

    def next_file(self) -> None:
        self._before, self._now = self._before + self._now, 0
        self.tell()


def read_info(folder: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((folder / INFO).read_bytes())
    return info


def fetch(module: Any, ydl: Any, rules: Rules, meter: Meter, said: Callable[[], str]) -> Fetched:
    """Download every stream; returns when they are whole. `said` is the last error of yt-dlp."""
    folder = Path(rules.folder)
    info = read_info(folder)
    check(info, rules)
    found = []
    for number, stream in enumerate(streams(info)):
        path = folder / f"{number}.media"
        _download(ydl, path, stream, said)
        meter.next_file()
        found.append(
            Stream(
                str(path),
                str(stream.get("ext") or ""),
                has_video=stream.get("vcodec") != "none",
                has_audio=stream.get("acodec") != "none",
            )
        )
    return Fetched(tuple(found), _chapters(info), _thumbnail(module, ydl, info, folder))


def fetch_caption(ydl: Any, rules: Rules, caption_id: str, said: Callable[[], str]) -> FetchedCaption:
    """Raises link_caption where the page does not offer them."""
    folder = Path(rules.folder)
    info = read_info(folder)
    file = next(iter(caption_files(info, caption_id)), None)
    if file is None:
        raise DubError(LINK_CAPTION)
    path = folder / "caption.media"
    path.unlink(missing_ok=True)
    if file.get("data") is not None:
        path.write_text(str(file["data"])[:MOST_CAPTION_BYTES], encoding="utf-8")
    else:
        _download(ydl, path, {"http_headers": info.get("http_headers"), **file}, said, subtitle=True)
    return FetchedCaption(str(path), str(file["ext"]))


def _download(
    ydl: Any, path: Path, stream: Mapping[str, Any], said: Callable[[], str], *, subtitle: bool = False
) -> None:
    done = ydl.dl(str(path), dict(stream), subtitle=subtitle)
    if not (done[0] if isinstance(done, tuple) else done) or not path.is_file():
        reason = said()
        if "max-filesize" in reason:
            raise DubError(LINK_TOO_LARGE)
        raise DubError(LINK_FAILED, reason)


def _chapters(info: Mapping[str, Any]) -> tuple[Chapter, ...]:
    found = []
    for chapter in (info.get("chapters") or ())[:_MOST_CHAPTERS]:
        start_s, end_s = chapter.get("start_time"), chapter.get("end_time")
        if isinstance(start_s, int | float) and isinstance(end_s, int | float) and 0 <= start_s < end_s:
            found.append(Chapter(float(start_s), float(end_s), plain(str(chapter.get("title") or ""))[:255]))
    return tuple(found)


def _thumbnail(module: Any, ydl: Any, info: Mapping[str, Any], folder: Path) -> str:
    """The best picture of the page that a file may carry; "" where there is none that can be had."""
    offered = [picture for picture in info.get("thumbnails") or () if picture.get("url")]
    plain_ones = [picture for picture in offered if str(picture["url"]).split("?")[0].endswith((".jpg", ".png"))]
    for picture in [*reversed(plain_ones), *reversed(offered)][:3]:
        try:
            with ydl.urlopen(picture["url"]) as answer:
                data = answer.read(_MOST_PICTURE_BYTES + 1)
        except module.networking.exceptions.RequestError:
            continue
        kind = next((kind for magic, kind in _PICTURES if data.startswith(magic)), "")
        if kind and len(data) <= _MOST_PICTURE_BYTES:
            path = folder / f"thumbnail.{kind}"
            path.write_bytes(data)
            return str(path)
    return ""
