"""Makes one film of the runs of a fragmented MP4 (`app.media.mp4_fragments`): every sample once, at its time.

A run that goes on after a kill begins some pictures before the place where the last one ended. The sample that was
written last is found again by its time and its size, and what comes before it is left out. The tables lie in files,
so that memory does not grow with the film. Imports numpy: for a child process.
"""

from __future__ import annotations

import array
import contextlib
import struct
from pathlib import Path
from typing import BinaryIO, Final, Self

import numpy as np

from app.media.mp4_fragments import Fragment, fragments, top
from app.media.mp4_head import Layout
from app.media.mp4_parts import Change, Copied, Part, box, full_box, rebuilt, write
from app.media.mp4_tables import Numbers, Span, UnsuitableError, children, one, read

_TABLES: Final = ("stts", "ctts", "stsz", "stss")
_NEVER: Final = 1 << 62
_ROUNDED_S: Final = 0.0015  # a container may have counted in milliseconds, and FFmpeg smooths the times of a run
_LOST_S: Final = 5.0  # so far behind its place, a sample will not come any more


class Collected:
    """The samples of all tracks of `stream`, from `begin` to `end`, by the tracks' numbers. `folder` is one for the
    tables. Raises UnsuitableError, OSError."""

    def __init__(self, stream: BinaryIO, begin: int, end: int, folder: Path) -> None:
        self._stream = stream
        found = next(((at + 8, until) for name, at, until in top(stream, begin, end) if name == b"moov"), None)
        if found is None:
            raise UnsuitableError("nothing was written")
        self._moov: Span = found
        self._tracks: dict[int, _Tables] = {}
        self._opened = contextlib.ExitStack()
        for at, until, name in children(stream, found):
            if name == b"trak":
                track_id = struct.unpack(">I", read(stream, one(stream, [b"tkhd"], (at, until))[0] + 12, 4))[0]
                timescale = _timescale(stream, one(stream, [b"mdia", b"mdhd"], (at, until)))
                self._tracks[track_id] = self._opened.enter_context(_Tables(folder / f"track{track_id}", timescale))
        for fragment in fragments(stream, begin, end):
            if fragment.track_id not in self._tracks:
                raise UnsuitableError("a track appears late")
            self._tracks[fragment.track_id].add(fragment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def layouts(self) -> list[Layout]:
        """Where the samples of each track lie."""
        return [tables.layout for tables in self._tracks.values()]

    @property
    def reached_s(self) -> list[float]:
        """Up to when each track is there."""
        return [tables.reached_s for tables in self._tracks.values()]

    def write(self, out: Path) -> None:
        """Write an MP4 of tables alone: `app.media.mp4_movie.Movie` reads its tracks."""
        for tables in self._tracks.values():
            tables.end()
        timescale = _timescale(self._stream, one(self._stream, [b"mvhd"], self._moov))
        numbers = iter(self._tracks.values())

        def track(start: int, end: int) -> list[Part]:
            tables = next(numbers)

            def stbl(at: int, until: int) -> list[Part]:
                described = next((span for *span, name in children(self._stream, (at, until)) if name == b"stsd"), None)
                if described is None:
                    raise UnsuitableError("a track is not described")
                head = box(b"stsd", Copied(self._stream, described[0], described[1] - described[0]))
                return box(b"stbl", *head, *tables.boxes())

            changes: dict[bytes, Change] = {b"stbl": stbl}
            for name in (b"minf", b"mdia"):
                changes = {name: _inside(self._stream, name, changes)}
            changes[b"edts"] = lambda _, __: []
            header = one(self._stream, [b"tkhd"], (start, end))
            copied = box(b"tkhd", Copied(self._stream, header[0], header[1] - header[0]))
            changes[b"tkhd"] = lambda _, __: [*copied, *tables.edits(timescale)]
            return box(b"trak", *rebuilt(self._stream, (start, end), changes))

        moov = box(b"moov", *rebuilt(self._stream, self._moov, {b"trak": track, b"mvex": lambda _, __: []}))
        with out.open("wb") as file:
            write(file, [*box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom"), *moov])


def _inside(file: BinaryIO, name: bytes, changes: dict[bytes, Change]) -> Change:
    return lambda at, until: box(name, *rebuilt(file, (at, until), changes))


def _timescale(file: BinaryIO, header: Span) -> int:
    """Of `mvhd` or `mdhd`."""
    at, _ = header
    later = read(file, at, 1) == b"\x01"
    return int.from_bytes(read(file, at + (20 if later else 12), 4), "big") or 1


class _RunLengths:
    """A table of runs: how many samples have a value, and the value, 32 bits each."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._value = self._count = 0
        self.entries = 0

    def add(self, values: Numbers) -> None:
        if not len(values):
            return
        changes = np.flatnonzero(np.diff(values)) + 1
        firsts = np.concatenate([[0], changes])
        counts = np.diff(np.concatenate([firsts, [len(values)]]))
        runs = np.stack([counts, values[firsts]], 1)
        if self._count and runs[0, 1] == self._value:
            runs[0, 0] += self._count
        elif self._count:
            runs = np.concatenate([[[self._count, self._value]], runs])
        self._count, self._value = int(runs[-1, 0]), int(runs[-1, 1])
        self._put(runs[:-1])

    def end(self) -> None:
        if self._count:
            self._put(np.array([[self._count, self._value]]))
        self._count = 0

    def _put(self, runs: Numbers) -> None:
        self.entries += len(runs)
        self._file.write((runs & 0xFFFFFFFF).astype(">u4").tobytes())


class _Tables:
    """The tables of a track, in files that begin with this name."""

    def __init__(self, name: Path, timescale: int) -> None:
        self._timescale = timescale
        self._opened = contextlib.ExitStack()
        self._files: dict[str, BinaryIO] = {
            table: self._opened.enter_context(name.with_suffix(f".{table}").open("w+b")) for table in _TABLES
        }
        self._durations, self._shifts = _RunLengths(self._files["stts"]), _RunLengths(self._files["ctts"])
        self.layout = Layout(array.array("Q"), array.array("I"))
        self._samples = self._keys = 0
        self._is_shifted = False  # some samples are not shown when they are decoded
        self._first: tuple[int, int] | None = None  # when the first sample is decoded, and its shift
        self._last: tuple[int, int, int, int] | None = None  # of the last sample: start, duration, shift, bytes
        self._run = 0
        self._found = True  # the place in this run where the last one ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def reached_s(self) -> float:
        if self._last is None:
            return 0.0
        start, duration, shift, _ = self._last
        return (start + shift + duration) / self._timescale

    def add(self, fragment: Fragment) -> None:
        if fragment.run != self._run:
            self._run, self._found = fragment.run, self._last is None
        if not self._found:
            fragment = self._from_place(fragment)
        if not len(fragment):
            return
        if self._last is None:
            self._first = (int(fragment.starts[0]), int(fragment.shifts[0]))
        else:
            start, *_ = self._last
            if fragment.starts[0] <= start:
                raise UnsuitableError("the times do not grow")
            self._durations.add(fragment.starts[:1] - start)  # a sample lasts until the next one
        durations = np.diff(fragment.starts)
        if (durations <= 0).any():
            raise UnsuitableError("the times do not grow")
        self._durations.add(durations)
        self._shifts.add(fragment.shifts)
        self._is_shifted = self._is_shifted or bool(fragment.shifts.any())
        self._files["stsz"].write(fragment.sizes.astype(">u4").tobytes())
        numbers = np.flatnonzero(fragment.keys) + 1 + self._samples
        self._files["stss"].write(numbers.astype(">u4").tobytes())
        self._keys += len(numbers)
        self._samples += len(fragment)
        last = (fragment.starts[-1], fragment.durations[-1], fragment.shifts[-1], fragment.sizes[-1])
        self._last = (int(last[0]), int(last[1]), int(last[2]), int(last[3]))
        ticks = self._last[0] + self._last[1] - (self._first[0] if self._first is not None else 0)
        self.layout.add(int(fragment.offsets[0]), fragment.sizes, ticks)

    def _from_place(self, fragment: Fragment) -> Fragment:
        if self._last is None:
            return fragment
        start, _, shift, size = self._last
        shown = fragment.starts + fragment.shifts
        away = np.where(fragment.sizes == size, np.abs(shown - start - shift), _NEVER)
        if len(away) and away.min() <= max(1, _ROUNDED_S * self._timescale):
            self._found = True
            return fragment.part(int(away.argmin()) + 1)
        if len(shown) and shown.min() > start + shift + _LOST_S * self._timescale:
            raise UnsuitableError("the place of the last run was not found")
        return fragment.part(len(fragment))

    def end(self) -> None:
        if self._last is None or self._first is None:
            raise UnsuitableError("a track without samples")
        self._durations.add(np.array([self._last[1]]))
        self._durations.end()
        self._shifts.end()
        for file in self._files.values():
            file.flush()

    def boxes(self) -> list[Part]:
        stts, ctts, stsz, stss = (self._copied(name) for name in ("stts", "ctts", "stsz", "stss"))
        parts = full_box(b"stts", struct.pack(">I", self._durations.entries), stts)
        if self._is_shifted:
            parts += full_box(b"ctts", struct.pack(">I", self._shifts.entries), ctts, version=1)
        if self._keys < self._samples:
            parts += full_box(b"stss", struct.pack(">I", self._keys), stss)
        parts += full_box(b"stsc", struct.pack(">I", 0)) + full_box(b"stco", struct.pack(">I", 0))
        return parts + full_box(b"stsz", struct.pack(">II", 0, self._samples), stsz)

    def edits(self, timescale: int) -> list[Part]:
        """When the track begins: `timescale` is the movie's."""
        if self._first is None:
            return []
        start, shift = self._first
        shown = start + shift
        entries = [(0, shift + max(0, -shown))]
        if shown > 0:
            entries.insert(0, (round(shown * timescale / self._timescale), -1))
        data = b"".join(struct.pack(">QqI", length, at, 1 << 16) for length, at in entries)
        return box(b"edts", *full_box(b"elst", struct.pack(">I", len(entries)), data, version=1))

    def _copied(self, name: str) -> Part:
        file = self._files[name]
        return Copied(file, 0, file.seek(0, 2))
