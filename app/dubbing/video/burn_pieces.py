"""Saves a picture piece by piece while it is encoded, so that a killed run does not repeat finished pieces.

Each piece is about a second of work, from a key frame on, in NUT, which keeps every picture's own time; its file says
whether it is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import threading
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.dubbing.mixing.cache_file import load, store
from app.media import ffmpeg
from app.system import disk_full

_SUFFIX: Final = ".piece"
_JOINED: Final = "joined.mp4"
_WHOLE: Final = "whole"  # is there when no piece is missing
_SYNCPOINT: Final = b"NK\xe4\xad\xee\xca\x45\x69"  # NUT has one before its first picture
_LOOK_S: Final = 0.2
# of work: what a kill loses is at most this, and the pictures that are on their way through the encoder
_PIECE_S: Final = 1.0
_CHECKED: Final = 64  # a machine that lost power has lost the last ones; the others are looked at when they are joined
_SHORTER: Final = 4  # the first so many grow to that
_FEWEST: Final = 5  # pictures of a piece: its first one takes as many bytes as ten others
_TICKS: Final = re.compile(r"^#tb 0: (\d+)/(\d+)", re.M)
_TIMES: Final = re.compile(r"^0, *-?\d+, *(-?\d+),", re.M)


class BurnPieces:
    """The pieces in `folder`, which is named by all that decides them; those of other inputs, beside it, go. Methods
    block but `arriving`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        for other in folder.parent.glob("burn-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.count = 0
        while self._piece(self.count).exists():
            self.count += 1
        for number in range(max(0, self.count - _CHECKED), self.count):
            if load(self._piece(number)) is None:
                self.count = number
                break
        self._forget_others()

    def _forget_others(self) -> None:
        known = {self._piece(number).name for number in range(self.count)} | {_WHOLE, _JOINED}
        for file in self._folder.iterdir():
            if file.name not in known:
                file.unlink()
        if not self.whole:
            (self._folder / _WHOLE).unlink(missing_ok=True)
            self.joined.unlink(missing_ok=True)

    def forget_from(self, number: int) -> None:
        """That piece is damaged: it and those behind it are to be made again."""
        self.count = number
        self._forget_others()

    @property
    def whole(self) -> bool:
        return load(self._folder / _WHOLE) == str(self.count).encode()

    @property
    def joined(self) -> Path:
        """Where all of them are one file, once they are."""
        return self._folder / _JOINED

    def give(self, out: Path) -> None:
        """The joined file, under another name."""
        out.unlink(missing_ok=True)
        try:
            out.hardlink_to(self.joined)
        except OSError:  # a file system without hard links
            shutil.copyfile(self.joined, out)

    def paths(self) -> tuple[str, ...]:
        return tuple(str(self._piece(number)) for number in range(self.count))

    def last(self) -> bytes:
        """The last piece."""
        data = load(self._piece(self.count - 1))
        if data is None:
            raise RuntimeError("a piece disappeared")
        return data

    def finish(self) -> None:
        """No piece is missing."""
        self._keep(self._folder / _WHOLE, str(self.count).encode())

    def _keep(self, file: Path, data: bytes) -> None:
        try:
            store(file, data)
        except OSError as error:
            raise disk_full.said(error) from error

    def take(self, work: Path, *, ended: bool = False) -> None:
        """Keep what ffmpeg has finished in `work`: every file but the one that it writes, or all when it has
        `ended`."""
        with self._lock:  # the last look may still be under way when the end comes
            made = sorted(work.glob("*.nut"))
            for path in made if ended else made[:-1]:
                if _SYNCPOINT in (data := path.read_bytes()):  # else there was nothing left to encode
                    self._keep(self._piece(self.count), data)
                    self.count += 1
                path.unlink()

    @contextlib.asynccontextmanager
    async def arriving(self, work: Path) -> AsyncIterator[None]:
        """While ffmpeg writes into `work`, keep what it has finished; and at the end, when it has not failed, the
        rest."""

        async def look() -> None:
            while True:
                await asyncio.sleep(_LOOK_S)
                await asyncio.to_thread(self.take, work)

        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
        await asyncio.to_thread(self.take, work, ended=True)
        await asyncio.to_thread(self.finish)

    def _piece(self, number: int) -> Path:
        return self._folder / f"{number:06}{_SUFFIX}"


def forget_burned(cache: Path) -> None:
    """Delete all pieces in a folder of `BurnRequest.resume_folder`."""
    for folder in cache.glob("burn-*"):
        shutil.rmtree(folder, ignore_errors=True)


def key_frames() -> str:
    """When a piece ends, for `-force_key_frames`: after so much time of the clock on the wall, whatever the machine,
    the picture and the encoder.

    A slow machine gets pieces of few pictures, a fast one of as many as lie between the encoder's own key frames. The
    first ones are shorter: a short life keeps something, too.
    """
    is_time = f"gte(time(0),ld(0)+{_PIECE_S:g}*min(1,n_forced/{_SHORTER}))"
    return f"expr:if(isnan(prev_forced_t)+gte(n-prev_forced_n,{_FEWEST})*{is_time},st(0,time(0))*0+1,0)"


async def end_s(piece: bytes, work: Path) -> Fraction:
    """When the last picture of a piece is shown, in seconds. `work` is a folder for it."""
    path = work / "last"
    await asyncio.to_thread(path.write_bytes, piece)
    asked = ["-map", "0:v", "-c", "copy", "-copyts", "-f", "framecrc", "-"]
    told = (await ffmpeg.ask(asked, inputs=(ffmpeg.Input(path, formats="nut"),))).stdout
    ticks = _TICKS.search(told)
    times = [int(at) for at in _TIMES.findall(told)]
    if ticks is None or not times:
        raise RuntimeError("a piece without pictures")
    return max(times) * Fraction(int(ticks[1]), int(ticks[2]))
