"""Files that are not what they look like: each tells FFmpeg to read another file, or to ask a server."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from tests.unit.media.samples import make, sample

_MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" type="static" '
    'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="0" '
    'codecs="avc1" bandwidth="1">'
    "<BaseURL>{there}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
_HLS = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n"

# {there} is the file or the address that nobody may touch. The name's extension is what the file pretends to be.
SCRIPTS = {
    "dash.mp4": _MPD,
    "dash behind a comment.mp4": "<!-- " + "x" * 500 + " -->\n" + _MPD.removeprefix('<?xml version="1.0"?>'),
    "hls.mp4": _HLS + "#EXTINF:10,\n{there}\n#EXT-X-ENDLIST\n",
    "hls.m3u8": _HLS + "#EXTINF:10,\n{there}\n#EXT-X-ENDLIST\n",
    "hls with a key.mp4": _HLS
    + '#EXT-X-KEY:METHOD=AES-128,URI="{there}"\n#EXT-X-MAP:URI="{there}"\n#EXTINF:10,\n{there}\n#EXT-X-ENDLIST\n',
    "hls of variants.mp4": _HLS
    + '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{there}"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n{there}\n',
    "ffconcat.mp4": "ffconcat version 1.0\nfile '{there}'\n",
    "ffconcat.srt": "ffconcat version 1.0\nfile '{there}'\n",
    "ffconcat that starts like a cue.srt": "1\n00:00:00,000 --> 00:00:05,000\nffconcat version 1.0\nfile '{there}'\n",
    "headless concat.mp4": "file '{there}'\n",
    "concat with options.mp4": (
        "# a list\nffconcat version 1.0\nstream\nexact_stream_id 0\nfile {there}\noption safe 0\n"
    ),
    "metadata.mp4": ";FFMETADATA1\ntitle={there}\n",
    "session.mp4": (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns={there}\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 "
        "RTP/AVP 96\r\na=control:{there}\r\n"
    ),
    "smooth.ismv": (
        '<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="2"><StreamIndex '
        'Url="{there}"/></SmoothStreamingMedia>'
    ),
    "playlist.mp3": "[playlist]\nFile1={there}\nNumberOfEntries=1\n",
    "list.wmv": '<asx version="3.0"><entry><ref href="{there}"/></entry></asx>',
    "reference.wmv": "[Reference]\r\nRef1={there}\r\n",
    "concat protocol.mp4": "concat:{there}|{there}",
    "subfile protocol.mp4": "subfile,,start,0,end,0,,:{there}",
    "an address.mp4": "{there}\n",
    "index.idx": (
        "# VobSub index file, v7 (do not modify this line!)\nsize: 720x576\nid: en, index: 0\ntimestamp: "
        "00:00:01:000, filepos: 000000000\n"
    ),
    "composition.xml": (
        "<CompositionPlaylist "
        'xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"><Path>{there}</Path></CompositionPlaylist>'
    ),
    "script.avs": 'FFmpegSource2("{there}")\n',
}

# Real media that also names another file: it is taken for what it is itself, and what it names is not looked at.
MEDIA: dict[str, Callable[[Path, str], None]] = {}


def _media(name: str) -> Callable[[Callable[[Path, str], None]], Callable[[Path, str], None]]:
    def add(write: Callable[[Path, str], None]) -> Callable[[Path, str], None]:
        MEDIA[name] = write
        return write

    return add


@_media("external url.mp4")
def _url_reference(path: Path, there: str) -> None:
    """The samples are said to lie elsewhere (ISO 14496-12, 8.7.2: a `url ` without the flag "in this file")."""
    path.write_bytes(_with_reference(sample("plain.mp4").read_bytes(), b"url ", there.encode() + b"\0"))


@_media("external alias.mov")
def _alias_reference(path: Path, there: str) -> None:
    """The same in QuickTime's way, the one that FFmpeg has code for: an alias record with an absolute path."""
    name = there.encode()
    head = (
        bytes(10)
        + bytes(27 + 1)
        + bytes(12)
        + bytes([min(len(name), 63)])
        + name[:63].ljust(63, b"\0")
        + bytes(16)
        + struct.pack(">hh", -1, -1)
    )
    record = (
        head
        + bytes(16)
        + struct.pack(">HH", 2, len(name))
        + name
        + bytes(len(name) % 2)
        + struct.pack(">HH", 0xFFFF, 0)
    )
    path.write_bytes(_with_reference(sample("plain.mp4").read_bytes(), b"alis", record))


@_media("attachment.mkv")
def _attachment(path: Path, there: str) -> None:
    attached = path.with_name("font.ttf")
    attached.write_text(there)
    named = ["-metadata:s:t", "mimetype=application/x-truetype-font", "-metadata:s:t", f"filename={there}"]
    make(path, "-i", str(sample("plain.mkv")), "-attach", str(attached), *named, "-c", "copy")
    attached.unlink()


@_media("titles.mp3")
def _addresses_in_tags(path: Path, there: str) -> None:
    tags = ["-metadata", f"comment={there}", "-metadata", f"WOAF={there}", "-metadata", f"title=concat:{there}"]
    make(path, "-i", str(sample("plain.mp3")), "-c", "copy", *tags)


def _with_reference(data: bytes, kind: bytes, record: bytes) -> bytes:
    """An MP4 whose index comes last, with every track's data reference replaced."""
    out, at = b"", 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + size]
        if name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
            body = _with_reference(body, kind, record)
        elif name == b"dref":
            body = bytes(4) + struct.pack(">I", 1) + struct.pack(">I4sI", 12 + len(record), kind, 0) + record
        out += struct.pack(">I4s", len(body) + 8, name) + body
        at += size
    return out


class Trap:
    """A file and a server that nobody may touch, and which know when somebody did. Use with `with`."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "victim.mp4"
        self.file.write_bytes(sample("fragmented.mp4").read_bytes())
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/secret.mp4"
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK)
        in_access_open = 0x1 | 0x20  # <sys/inotify.h>
        if self._inotify < 0 or self._libc.inotify_add_watch(self._inotify, os.fsencode(self.file), in_access_open) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def __enter__(self) -> Trap:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._inotify)
        self._socket.close()

    def touched(self) -> list[str]:
        """What has been touched since the last time that this was asked."""
        found = []
        try:
            os.read(self._inotify, 65536)
            found.append("file")
        except BlockingIOError:
            pass
        try:
            self._socket.accept()[0].close()
            found.append("server")
        except BlockingIOError:
            pass
        return found
