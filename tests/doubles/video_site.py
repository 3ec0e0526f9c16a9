"""A site with videos on 127.0.0.1: pages, files that are slow, that lie about their length, that break off, and
redirects to where a link may not lead."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_KINDS = {".mpd": "application/dash+xml", ".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t"}
TWO_VIDEOS = b"""<rss version="2.0"><channel><title>Two</title>
<item><title>One</title><enclosure url="/film.mp4" type="video/mp4"/><link>/film.mp4</link></item>
<item><title>Two</title><enclosure url="/film.mp4" type="video/mp4"/><link>/film.mp4</link></item>
</channel></rss>"""
SPANISH = "WEBVTT\n\n00:00:00.200 --> 00:00:01.500\nBuenos d\u00edas.\n\n00:00:01.800 --> 00:00:03.400\nHasta luego.\n"
PAGE = """<!DOCTYPE html><html><head><title>A talk</title></head><body>
<video poster="/poster.jpg" controls><source src="{film}" type="video/mp4">
<track kind="subtitles" srclang="es" src="/es.vtt" label="Espa\u00f1ol"></video></body></html>"""


class Quiet(ThreadingHTTPServer):
    """Clients that go away are what the tests are about."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class VideoSite:
    """`with VideoSite(film) as site: site.url`. `asked` has every request: its path and Range.

    `/slow.mp4` waits at `hold_at` bytes until `goes_on` is set. `/endless.mp4` declares nothing and sends without end,
    `/liar.mp4` and `/grows.mp4` say to HEAD that they have 1,000 bytes, and to GET nothing or ten billion.
    `/to?ADDRESS` redirects.
    """

    def __init__(self, film: bytes, poster: bytes = b"", folder: Path | None = None) -> None:
        """`folder` has further files, below `/files/`."""
        self.folder = folder
        self.film, self.poster = film, poster
        self.asked: list[tuple[str, str | None]] = []
        self.cookies: list[str] = []
        self.sent_bytes = 0
        self.goes_on = threading.Event()
        self.holding = threading.Event()  # set when a slow answer waits
        self.hold_at = 0
        self._closing = False
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Nothing is printed."""

            def do_GET(self) -> None:
                site._answer(self)

            do_HEAD = do_GET

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> VideoSite:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self.goes_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        self.asked.append((path, request.headers.get("Range")))
        self.cookies.append(request.headers.get("Cookie") or "")
        try:
            if path == "/to":
                self._head(request, 302, {"Location": query, "Content-Length": "0"})
            elif path in ("/film.mp4", "/slow.mp4", "/broken.mp4"):
                self._file(request, slow=path == "/slow.mp4")
            elif path == "/liar.mp4":
                self._endless(request, {"Content-Length": "1000"} if request.command == "HEAD" else {})
            elif path == "/grows.mp4":
                self._endless(request, {"Content-Length": "1000" if request.command == "HEAD" else "9999999999"})
            elif path == "/endless.mp4":
                self._endless(request, {})
            elif path == "/endless":
                self._endless(request, {}, b"<p>Hello.</p>\n" * 8000)
            elif path == "/talk":
                self._whole(request, PAGE.format(film="/film.mp4").encode(), "text/html; charset=utf-8")
            elif path == "/slow-talk":
                self._whole(request, PAGE.format(film="/slow.mp4").encode(), "text/html; charset=utf-8")
            elif path == "/feed":
                self._whole(request, TWO_VIDEOS, "application/rss+xml")
            elif path == "/es.vtt":
                self._whole(request, SPANISH.encode(), "text/vtt")
            elif path == "/poster.jpg" and self.poster:
                self._whole(request, self.poster, "image/jpeg")
            elif path.startswith("/files/") and self.folder is not None:
                file = self.folder / Path(path).name
                self._whole(request, file.read_bytes(), _KINDS.get(file.suffix, "video/mp4"))
            elif path == "/nothing":
                self._whole(request, b"<html><body>No film here.</body></html>", "text/html")
            else:
                self._head(request, 404, {"Content-Length": "0"})
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client is gone, as some tests want it

    def _head(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()

    def _whole(self, request: BaseHTTPRequestHandler, body: bytes, kind: str) -> None:
        self._head(request, 200, {"Content-Type": kind, "Content-Length": str(len(body))})
        if request.command != "HEAD":
            request.wfile.write(body)

    def _file(self, request: BaseHTTPRequestHandler, *, slow: bool) -> None:
        start = 0
        if (wanted := request.headers.get("Range")) and wanted.startswith("bytes="):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        body = self.film[start:]
        headers = {"Content-Type": "video/mp4", "Accept-Ranges": "bytes", "Content-Length": str(len(body))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.film) - 1}/{len(self.film)}"
        self._head(request, 206 if start else 200, headers)
        if request.command == "HEAD":
            return
        for at in range(0, len(body), 4096):
            if slow and start + at >= self.hold_at and not self.goes_on.is_set():
                request.wfile.flush()
                self.holding.set()
                self.goes_on.wait()
            request.wfile.write(body[at : at + 4096])
            self.sent_bytes += len(body[at : at + 4096])

    def _endless(self, request: BaseHTTPRequestHandler, headers: dict[str, str], page: bytes = b"") -> None:
        request.close_connection = True
        kind = "text/html" if page else "video/mp4"
        self._head(request, 200, {"Content-Type": kind, "Connection": "close", **headers})
        block = page or (self.film * (1 + 65536 // len(self.film)))[:65536]
        while request.command != "HEAD" and not self._closing:
            request.wfile.write(block)
            self.sent_bytes += len(block)
