"""Imports yt-dlp and configures it. Runs in the downloader's process alone, behind the guard."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.problems.links import LINK_DOWNLOADER
from app.links.tasks import Rules

BEST: Final = "bv*+ba/b/ba/bv*"
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Log:
    """What yt-dlp says, for the error; nothing of it is printed."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def debug(self, message: str) -> None:
        if "max-filesize" in message:  # it ends quietly then
            self.errors.append(message)

    info = debug

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def error(self, message: str) -> None:
        self.errors.append(message)


def clean_environment(folder: Path) -> None:
    """Only what the downloader needs: no keys of the server, no proxies that would connect in its place, no plugins."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    os.environ.clear()
    os.environ.update(environment)
    home = str(folder)
    os.environ.update(HOME=home, TMPDIR=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home, YTDLP_NO_PLUGINS="1")


def load(packages: Sequence[Sequence[str]]) -> Any:
    """The module yt_dlp from the first of `packages` that starts, else the installed one. Raises link_downloader."""
    sys.modules["curl_cffi"] = None  # type: ignore[assignment]  # it connects from C, where nothing is checked
    before, reason = list(sys.path), ""
    for paths in (*packages, ()):
        sys.path[:] = [*paths, *before]
        try:
            module = importlib.import_module("yt_dlp")
            if paths:  # not what came with AutoDubber
                module.YoutubeDL({"quiet": True, "cachedir": False, "js_runtimes": {}, "logger": Log()}).close()
            return module
        except Exception as error:  # whatever a damaged or foreign version raises: the next one is tried
            reason = f"{type(error).__name__}: {error}"[:200]
            for name in [name for name in sys.modules if name.partition(".")[0] in ("yt_dlp", "yt_dlp_ejs")]:
                del sys.modules[name]
    raise DubError(LINK_DOWNLOADER, reason)


def configured(module: Any, rules: Rules, log: Log, hook: Callable[[dict[str, Any]], None] | None = None) -> Any:
    """A YoutubeDL that reads no configuration, starts no other program than a JavaScript runtime, and knows no
    FFmpeg: that would connect by itself. It takes one video, never a list."""
    options: dict[str, Any] = {
        "quiet": True,
        "noprogress": True,
        "color": "never",
        "logger": log,
        "cachedir": False,
        "format": BEST,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlistend": 2,
        "enable_file_urls": False,
        "proxy": "",
        "geo_bypass": False,
        "usenetrc": False,
        "ffmpeg_location": str(Path(rules.folder) / "none"),
        "hls_prefer_native": True,
        "fixup": "never",
        "postprocessors": [],
        "js_runtimes": {name: {"path": path} for name, path in rules.programs},
        "remote_components": (),
        "socket_timeout": 20,
        "retries": 3,
        "fragment_retries": 5,
        "extractor_retries": 1,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "continuedl": True,
        "updatetime": False,
        "buffersize": 16 << 10,  # what may come between two looks at the limit
        "noresizebuffer": True,
        "max_filesize": rules.max_bytes or None,
        "progress_hooks": [hook] if hook else [],
    }
    if rules.cookies:
        # a copy in memory: yt-dlp writes cookies back to where they came from
        options["cookiefile"] = io.StringIO(_cookies(rules.cookies))
    return module.YoutubeDL(options)


def _cookies(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DubError(LINK_DOWNLOADER, "The file of AUTODUBBER_LINKS_COOKIES cannot be read.") from None
