"""Runs the ffmpeg program; no other module builds its command line.

Inputs are passed as open file descriptors (`fd:`), with `fd` as the only protocol and a list of containers, so that a
hostile file cannot make ffmpeg open another one; tested with DASH, HLS and ffconcat files disguised as videos. A
person's text never becomes an option or a path: each metadata value is one `key=value` argument.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.media import FORMAT_WHITELIST
from app.domain.problems.media import MEDIA_LIMIT, MEDIA_TOOL_FAILED
from app.domain.problems.uploads import DISK_FULL
from app.media.codecs import CODEC_WHITELIST
from app.system import children, disk_full
from app.system.children import NO_LIMITS, Limits
from app.system.durable_files import Durable, replacing

Report = Callable[[float], None]

_LONGEST_NAME: Final = 255  # bytes
STALL_S: Final = 300.0  # no progress for this long: give up (writing the index of a large MP4 reports no progress)

# A second output that keeps nothing. ffmpeg starts the clock of an MPEG-TS or Ogg at the first packet of the streams
# that are USED; with this, all of them are, and the picture stays where it is relative to the sound that was decoded
# beside it.
WHOLE_TIMELINE: Final = ("-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "null", "-")


class Input(msgspec.Struct, frozen=True):
    """One file to read, the demuxers that may open it, and options that stand before its `-i`."""

    path: Path
    formats: str = FORMAT_WHITELIST
    options: tuple[str, ...] = ()


class Command(msgspec.Struct, frozen=True):
    """One run of ffmpeg: `options` hold the maps, codecs and metadata of the output; `muxer` is its format.

    `tail` are further options after the output (a second, null output). `duration_s` is what progress is measured
    against. `pieces`: the output is a pattern of many files, which appear one by one and stay whatever happens.
    `appends`: it is written behind what the file has, as a stream that is never sought in, and stays whatever happens.
    """

    inputs: tuple[Input, ...]
    options: tuple[str, ...]
    output: Path
    muxer: str
    duration_s: float
    tail: tuple[str, ...] = ()
    pieces: bool = False
    appends: bool = False

    @property
    def stays(self) -> bool:
        """Whether what a failed run has written is of use."""
        return self.pieces or self.appends


class ToolOutput(msgspec.Struct, frozen=True):
    """ffmpeg's exit status and its output on both channels."""

    code: int
    stdout: str
    stderr: str


def tool() -> str:
    """The absolute path of imageio-ffmpeg's static ffmpeg. Raises MEDIA_TOOL_FAILED when it is missing."""
    import imageio_ffmpeg  # type: ignore[import-untyped]  # reads its folder at import: only when needed

    try:
        return str(Path(imageio_ffmpeg.get_ffmpeg_exe()).resolve())
    except RuntimeError as error:
        raise DubError(MEDIA_TOOL_FAILED, "There is no ffmpeg.") from error


def metadata(where: str, key: str, value: str) -> tuple[str, str]:
    """`-metadata:WHERE key=value` with a value that may be anything; control characters are dropped."""
    return f"-metadata:{where}", f"{key}={''.join(c for c in value if c.isprintable())}"


def argv(command: Command, fds: Sequence[int], appended: int | None = None) -> list[str]:
    """The whole command line. `fds` are the inputs' file descriptors, in order; the output goes to `command.output`, or
    to the descriptor `appended`."""
    line = [
        tool(),
        "-nostdin",
        "-hide_banner",
        "-v",
        "error",
        "-nostats",
        "-progress",
        "pipe:1",
        "-y",
        *_reading(command.inputs, fds),
    ]
    folder, name = str(command.output.resolve().parent), command.output.name
    output = f"file:{folder.replace('%', '%%') if command.pieces else folder}/{name}"
    if appended is not None:
        output = f"pipe:{appended}"
    return [*line, *command.options, "-f", command.muxer, output, *command.tail]


def _reading(inputs: Sequence[Input], fds: Sequence[int]) -> list[str]:
    line: list[str] = []
    for source, fd in zip(inputs, fds, strict=True):
        line += [
            *source.options,
            "-protocol_whitelist",
            "fd",
            "-format_whitelist",
            source.formats,
            "-codec_whitelist",
            CODEC_WHITELIST,
        ]
        line += ["-fd", str(fd), "-i", "fd:"]
    return line


async def run(
    command: Command,
    report: Report,
    *,
    limits: Limits = NO_LIMITS,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stall_s: float = STALL_S,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Run ffmpeg; `report` hears 0..1. When it returns, the output is complete; when it raises, there is none (but for
    pieces).

    `finish` completes what ffmpeg wrote, in a thread, before the file gets its name.

    Cancelling kills the child. Raises MEDIA_TOOL_FAILED, MEDIA_LIMIT (a limit, or no progress for `stall_s`),
    DISK_FULL.
    """
    partial = command.output if command.stays else command.output.with_name(command.output.name + ".part")
    if len(os.fsencode(partial.name)) > _LONGEST_NAME:
        partial = partial.with_name(f".{secrets.token_hex(8)}.part")
    with (
        contextlib.nullcontext() if command.stays else replacing(command.output, durable=Durable.NO, temporary=partial),
        _open_all(command.inputs) as fds,
        _appended(command) as appended,
    ):
        line = argv(msgspec.structs.replace(command, output=partial), fds, *appended)
        done = await _watch(line, command, report, limits, env, cwd, [*fds, *appended], stall_s)
        if done.code != 0:
            raise _failure(done, partial)
        if finish is not None:
            await asyncio.to_thread(finish, partial)
    report(1.0)


async def ask(
    arguments: Sequence[str], *, inputs: Sequence[Input] = (), limits: Limits = NO_LIMITS, timeout_s: float = 20.0
) -> ToolOutput:
    """Run ffmpeg with `arguments` after its inputs and return its output. A failing run returns its output too.

    Raises MEDIA_LIMIT after `timeout_s`; cancelling kills the child.
    """
    with _open_all(inputs) as fds:
        line = [tool(), "-nostdin", "-hide_banner", *_reading(inputs, fds), *arguments]
        async with children.child(line, limits=limits, pass_fds=fds) as process:
            if process.stdout is None or process.stderr is None:
                raise RuntimeError("child() pipes both")
            try:
                async with asyncio.timeout(timeout_s):
                    said, complained = await asyncio.gather(
                        children.tail(process.stdout, 1 << 20), children.tail(process.stderr, 1 << 16)
                    )
                    return ToolOutput(await process.wait(), said, complained)
            except TimeoutError as error:
                raise DubError(MEDIA_LIMIT, f"No answer within {timeout_s:.0f} s.") from error


@contextlib.contextmanager
def _open_all(inputs: Sequence[Input]) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:
        fds: list[int] = []
        for source in inputs:
            fds.append(os.open(source.path, os.O_RDONLY | os.O_CLOEXEC))
            stack.callback(os.close, fds[-1])
        yield fds


@contextlib.contextmanager
def _appended(command: Command) -> Iterator[list[int]]:
    """The output's descriptor, where it is written behind what the file has."""
    if not command.appends:
        yield []
        return
    number = os.open(command.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield [number]
    finally:
        os.close(number)


async def _watch(
    line: list[str],
    command: Command,
    report: Report,
    limits: Limits,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    fds: Sequence[int],
    stall_s: float,
) -> children.Exit:
    clock = asyncio.get_running_loop()
    async with children.child(line, limits=limits, env=env, cwd=cwd, pass_fds=fds) as process:
        if process.stdout is None or process.stderr is None:
            raise RuntimeError("child() pipes both")
        errors = asyncio.create_task(children.tail(process.stderr))
        try:
            async with asyncio.timeout(stall_s) as deadline:
                reached: dict[bytes, bytes] = {}
                async for text in process.stdout:
                    key, _, value = text.strip().partition(b"=")
                    if key in (b"out_time_us", b"total_size") and reached.get(key) != value:
                        reached[key] = value
                        deadline.reschedule(clock.time() + stall_s)
                    if key == b"out_time_us" and value.lstrip(b"-").isdigit() and command.duration_s > 0:
                        report(min(1.0, max(0.0, int(value) / 1e6 / command.duration_s)))
                return children.Exit(await process.wait(), await errors)
        except TimeoutError as error:
            raise DubError(MEDIA_LIMIT, f"No progress for {stall_s:.0f} s.") from error
        finally:
            errors.cancel()


def _failure(done: children.Exit, partial: Path) -> DubError:
    if disk_full.told(done.stderr):
        return DubError(DISK_FULL)
    if (
        done.code in (-signal.SIGKILL, -signal.SIGXCPU, -signal.SIGXFSZ)
        or "Cannot allocate memory" in done.stderr
        or "File too large" in done.stderr
    ):
        return DubError(MEDIA_LIMIT)
    return DubError(MEDIA_TOOL_FAILED, sanitise(done.stderr, partial) or f"Exit code {done.code}.")


def sanitise(stderr: str, output: Path) -> str:
    """The end of ffmpeg's error output, without addresses and folders."""
    text = stderr.replace(f"file:{output.resolve()}", "the output").replace(str(output.resolve()), "the output")
    text = re.sub(r" @ 0x[0-9a-f]+", "", text)
    text = re.sub(r"(?:file:)?(?<![\w.])/[^\s'\":]*", "...", text)
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.splitlines()]
    return " | ".join(line for line in lines[-3:] if line)[:300]
