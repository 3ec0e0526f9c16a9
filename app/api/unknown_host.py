"""Answers requests under an unknown host name: a page that explains how to allow the name, and one log line for each
name."""

from __future__ import annotations

import html
from typing import Final

import structlog

from app.config.hosts import split

_MOST_NAMES: Final = 100  # names remembered; a web site can invent any number
_log = structlog.get_logger("api")

_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"
content="width=device-width">
<title>AutoDubber does not know this name</title>
<style>:root{color-scheme:light dark;background:Canvas;color:CanvasText}
body{font:1.05rem/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25}h2{font-size:1.05rem;margin:1.6rem 0 0}p{margin:.5rem 0}
code{background:#8883;padding:.1em .3em;border-radius:.25em}pre code{background:none;padding:0}
pre{background:#8883;padding:.7rem .9rem;border-radius:.5rem;white-space:pre-wrap}</style>
<h1>AutoDubber does not know the name <code>NAME</code></h1>
<p>It is running, but you have opened it under a name that nobody has told it. It refuses such names, because a web
site could point a name of its
own at your AutoDubber and use it through your browser. <strong>If the name is not yours, close this page.</strong></p>
<p>If it is the name of your server, write this setting and start AutoDubber again:</p>
<pre><code>AUTODUBBER_ALLOWED_HOSTS=NAME</code></pre>
<p>Is it set already? Then put the name behind the others, after a comma.</p>
<h2>Docker Compose</h2>
<p>The line goes into <code>autodubber.env</code> beside <code>compose.yaml</code> (or under
<code>environment:</code>). Then
<code>docker compose up --detach</code>.</p>
<h2>docker run, and the templates of a NAS</h2>
<p>Make the container anew with one more variable: <code>-e AUTODUBBER_ALLOWED_HOSTS=NAME</code>. What is in its
volume stays.</p>
<h2>systemd</h2>
<p>The line goes into <code>/etc/autodubber.env</code>. Then <code>systemctl restart autodubber</code>.</p>
<h2>Kubernetes</h2>
<p>The name goes into <code>AUTODUBBER_ALLOWED_HOSTS</code> of <code>base/deployment.yaml</code>. Then apply it
again.</p>
<h2>In a terminal</h2>
<p><code>AUTODUBBER_ALLOWED_HOSTS=NAME autodubber serve</code> (or <code>make run</code>)</p>
<p>Without any setting it can be opened by its address, such as <code>http://192.168.1.20:8000</code>, and on its own
machine as
<code>http://localhost:8000</code>.</p></html>"""


class UnknownHosts:
    """The refused names: each is logged once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def came(self, header: str) -> None:
        name = _name(header)
        if name in self._seen or len(self._seen) > _MOST_NAMES:
            return
        self._seen.add(name)
        if len(self._seen) > _MOST_NAMES:
            _log.warning(
                "more unknown host names are refused, which are not told one by one",
                setting="AUTODUBBER_ALLOWED_HOSTS",
                names=_MOST_NAMES,
            )
        else:
            _log.warning("a host name is unknown and refused", host=name, setting=f"AUTODUBBER_ALLOWED_HOSTS={name}")


def wants_page(accept: str) -> bool:
    """Whether a browser asks for a page."""
    return "text/html" in accept.lower()


def page(header: str) -> bytes:
    """The page for this Host header, with the setting that allows its name."""
    return _PAGE.replace("NAME", html.escape(_name(header))).encode()


def _name(header: str) -> str:
    found = split(header)
    return found[0] if found else ""
