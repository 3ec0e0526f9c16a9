"""Serves the built page: `index.html` for every route, hashed assets with unlimited caching. The folder is read once,
at the start."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import mimetypes
import re
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Response

from app.api.depends import Given
from app.api.ranges import tags
from app.api.security import STRICT_POLICY, content_security_policy
from app.domain.errors import DubError
from app.domain.problems.requests import NOT_FOUND

_SCRIPT: Final = re.compile(rb"<script(?:\s[^>]*)?>(.*?)</script>", re.DOTALL | re.IGNORECASE)
# The addresses in the built index.html: of its tags, of the first modules, and the router's base.
_ROOTED: Final = re.compile(rb"""(\b(?:href|src)="|\bimport\(")/(?!/)""")
_ROUTED: Final = re.compile(rb"""(\bbase: ")(")""")
_SRC: Final = re.compile(rb"<script\s[^>]*\bsrc\s*=", re.IGNORECASE)
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_RESERVED: Final = ("api", "ws", "download", "media", "health", "metrics", "schema", "_app")
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"
content="width=device-width">
<title>AutoDubber</title>
<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0
1rem}code{background:#8883;padding:.1em .4em}</style>
<h1>AutoDubber is running</h1><p>The page has not been built. Run <code>make setup</code> in the source folder and
start again.</p>
<p>The interface works without it: see <a href="/schema">/schema</a>.</p></html>"""


class Asset(msgspec.Struct, frozen=True):
    """One file of the build; `copies` are its compressed copies by content encoding."""

    path: Path
    etag: str
    media_type: str
    modified_at: float
    cache_control: str
    copies: dict[str, Path]


class Page(msgspec.Struct, frozen=True):
    """index.html as it is sent, with a content policy that allows its own inline scripts."""

    body: bytes
    etag: str
    policy: str


class Pages:
    """The build in `folder`, or a page that says it is missing, served under the path `base`. Reads the disk once, in
    the constructor."""

    def __init__(self, folder: Path, base: str = "") -> None:
        index = folder / "index.html"
        self.built = index.is_file()
        body = under(base, index.read_bytes() if self.built else _NOT_BUILT.encode())
        digest = hashlib.sha256(body).hexdigest()[:32]
        policy = content_security_policy(script_hashes(body)) if self.built else STRICT_POLICY
        self.page = Page(body, f'"{digest}"', policy)
        self.assets: dict[str, Asset] = {}
        if self.built:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path != index and path.suffix not in (".br", ".gz"):
                    self.assets[path.relative_to(folder).as_posix()] = _asset(path, folder)


def under(base: str, html: bytes) -> bytes:
    """index.html, which is built for the root, rewritten for `base`. Other files of the build refer to each other
    relatively."""
    prefix = base.encode()
    return _ROUTED.sub(rb"\1" + prefix + rb"\2", _ROOTED.sub(rb"\1" + prefix + b"/", html))


def script_hashes(html: bytes) -> list[str]:
    """The CSP hashes of the inline scripts: base64 of sha256 of the exact text between the tags."""
    inline = [m[1] for m in _SCRIPT.finditer(html) if not _SRC.match(m[0])]
    return [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in inline]


def _asset(path: Path, folder: Path) -> Asset:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    immutable = "immutable" in path.relative_to(folder).parts
    copies = {name: copy for name, suffix in _ENCODINGS if (copy := path.with_name(path.name + suffix)).is_file()}
    return Asset(path, f'"{digest}"', kind, path.stat().st_mtime, _IMMUTABLE if immutable else "no-cache", copies)


def _encoding(accepted: str, asset: Asset) -> str | None:
    """The best compressed copy that the client accepts; None for the plain file."""
    taken = {}
    for part in accepted.split(","):
        name, _, q = part.strip().partition(";")
        taken[name.strip().lower()] = q.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((name for name, _ in _ENCODINGS if name in asset.copies and taken.get(name, False)), None)


async def _send_asset(request: Request[Any, Any, Any], asset: Asset) -> Response[bytes]:
    encoding = _encoding(request.headers.get("accept-encoding", ""), asset)
    etag = asset.etag if encoding is None else f'{asset.etag[:-1]}-{encoding}"'
    headers = {
        "ETag": etag,
        "Cache-Control": asset.cache_control,
        "Last-Modified": formatdate(asset.modified_at, usegmt=True),
    }
    if asset.copies:
        headers["Vary"] = "Accept-Encoding"
    if etag in tags(request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    path = asset.copies[encoding] if encoding else asset.path
    return Response(await asyncio.to_thread(path.read_bytes), headers=headers, media_type=asset.media_type)


@get(["/", "/{file_path:path}"], include_in_schema=False)
async def page(request: Request[Any, Any, Any], pages: Given[Pages], file_path: FromPath[str] = "") -> Response[bytes]:
    """A file of the build; for any other path index.html, whose router knows the pages."""
    name = file_path.strip("/")
    if (asset := pages.assets.get(name)) is not None:
        return await _send_asset(request, asset)
    parts = name.split("/")
    if parts[0] in _RESERVED or ".." in parts or "." in parts[-1]:
        raise DubError(NOT_FOUND, f"/{name[:200]}")
    shown = pages.page
    headers = {"ETag": shown.etag, "Cache-Control": "no-cache", "Content-Security-Policy": shown.policy}
    if shown.etag in tags(request.headers.get("if-none-match")):
        return Response(b"", status_code=304, headers=headers, media_type="text/html")
    return Response(shown.body, headers=headers, media_type="text/html")
