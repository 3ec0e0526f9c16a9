"""Where the downloader is: the one that came with AutoDubber, or a newer one in the data folder.

`DATA/links/yt-dlp/current.json` names the wheels that `app.links.update` has put beside it. The image ships yt-dlp as
an archive that lies in the folder of its packages and is on no path of the server's.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import sysconfig
from pathlib import Path
from typing import Final

import msgspec

from app.links.tasks import Examined

CURRENT: Final = "current.json"
_SHIPPED: Final = "yt-dlp.zip"  # deploy/image/shrink.sh makes it
_RUNTIMES: Final = (("deno", "deno"), ("node", "node"), ("quickjs", "qjs"), ("bun", "bun"))


class Current(msgspec.Struct, frozen=True):
    """`files` are names in the folder."""

    version: str
    files: tuple[str, ...]


def home(data: Path) -> Path:
    return data / "links" / "yt-dlp"


def updated(data: Path) -> Current | None:
    """The downloader in the data folder, if its files are all there."""
    folder = home(data)
    try:
        current = msgspec.json.decode((folder / CURRENT).read_bytes(), type=Current)
    except (OSError, msgspec.DecodeError):
        return None
    named = all(Path(name).name == name and (folder / name).is_file() for name in current.files)
    return current if named and current.files else None


def shipped_version() -> str:
    """The version that came with AutoDubber; "" where the extra `links` is not installed."""
    try:
        return importlib.metadata.version("yt-dlp")
    except importlib.metadata.PackageNotFoundError:
        return ""


def packages(data: Path) -> tuple[tuple[str, ...], ...]:
    """What the downloader is tried from, in this order; the installed one comes last without being named."""
    found: list[tuple[str, ...]] = []
    newer = updated(data)
    if newer is not None and order(newer.version) > order(shipped_version()):
        found.append(tuple(str(home(data) / name) for name in newer.files))
    shipped = Path(sysconfig.get_path("purelib")) / _SHIPPED
    if shipped.is_file():
        found.append((str(shipped),))
    return tuple(found)


def javascript_hint(found: Examined) -> str:
    """What to do so that sites that need JavaScript can be read; "" where they can."""
    if not found.runtime:
        return (
            "Some sites, YouTube among them, need a JavaScript runtime, and "
            f"{f'{found.too_old} is too old' if found.too_old else 'none was found'}: install deno 2.3 (or "
            "Node.js 22, Bun or QuickJS) where the PATH finds it."
        )
    return "" if found.solver else "The scripts for the JavaScript runtime are missing: `pip install yt-dlp-ejs`."


def order(version: str) -> tuple[int, ...]:
    """What versions are compared by: 2026.10.26 is older than 2026.11.1."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def runtimes() -> tuple[tuple[str, str], ...]:
    """The JavaScript runtimes on the PATH: yt-dlp's name for each, and its path."""
    paths = ((name, shutil.which(program)) for name, program in _RUNTIMES)
    return tuple((name, path) for name, path in paths if path is not None)
