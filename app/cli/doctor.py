"""`autodubber doctor`: checks what this machine has and lacks, and says how to fix it.

A failed check that is `needed` makes the exit status 1. Nothing is changed or downloaded. Nothing leaves the machine
unless an ElevenLabs key is set: then ElevenLabs is asked whether the key works.
"""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from app.config import hosts
from app.config.address import url_of
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.plain_text import visible
from app.domain.problems.requests import HOST_UNKNOWN
from app.system import data_lock
from app.system.console import say_json
from app.system.exit_status import INTERNAL, OK

PROBE_S: Final = 60.0
_NEEDED_MEMORY_BYTES: Final = 2 << 30
_NETWORK_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"})


class Finding(msgspec.Struct, frozen=True):
    """One result. `ok` with a `fix` is advice; not `ok` and `needed` means that AutoDubber cannot work."""

    name: str
    ok: bool
    needed: bool
    found: str
    fix: str = ""


def run(settings: Settings, *, as_json: bool) -> int:
    """Print every check; returns 0 when every needed one passes, else 1."""
    checks = asyncio.run(examine(settings))
    healthy = all(check.ok for check in checks if check.needed)
    if as_json:
        say_json({"ok": healthy, "checks": checks}, indent=2)
        return OK if healthy else INTERNAL
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for check in checks:
        mark = "[green]ok  [/]" if check.ok else "[red]FAIL[/]" if check.needed else "[yellow]--  [/]"
        console.print(mark, f"[bold]{check.name}[/]:", end=" ")
        console.print(visible(check.found), markup=False)
        if check.fix:
            console.print(f"       fix: {visible(check.fix)}", markup=False)
    console.print(
        "\nEverything that is needed is here."
        if healthy
        else "\nSomething that is needed is missing: see the lines that say FAIL."
    )
    return OK if healthy else INTERNAL


async def examine(settings: Settings) -> tuple[Finding, ...]:
    """Run every check, in the order in which they are shown."""
    plain: Sequence[Callable[[], Sequence[Finding]]] = (
        check_python,
        lambda: check_data(settings.data),
        lambda: check_disk(settings.data, settings.min_free_bytes),
        check_memory,
        check_ffmpeg,
        check_fonts,
        lambda: check_whisper(settings.device),
        check_page,
        lambda: check_names(settings),
    )
    found: list[Finding] = []
    for one in plain:
        found += await asyncio.to_thread(one)
    found += await check_encoder()
    found += await check_engines(settings)
    return tuple(found)


# ---------------------------------------------------------------- the machine


def check_python() -> list[Finding]:
    right = sys.version_info[:2] == (3, 11)
    fix = "" if right else "AutoDubber is made for Python 3.11: install it and run `make clean setup`."
    return [
        Finding("Python", right, True, f"{platform.python_version()} on {platform.system()} {platform.machine()}", fix)
    ]


def check_data(data: Path) -> list[Finding]:
    """Check that the data folder exists, is writable and local, and whether a server uses it."""
    place = next(path for path in (data, *data.parents) if path.exists())
    writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    state = "exists" if place == data else "will be made"
    fix = (
        ""
        if writable
        else (
            f"Make {place} writable for user {os.getuid()} (chown), or choose another folder: AUTODUBBER_DATA or "
            f"--data."
        )
    )
    checks = [
        Finding("data folder", writable, True, f"{data} ({state}, {'writable' if writable else 'not writable'})", fix)
    ]
    kind = file_system(place)
    if kind in _NETWORK_FILE_SYSTEMS:
        checks.append(
            Finding(
                "file system",
                False,
                True,
                f"{data} is on {kind}",
                "SQLite is damaged by network file systems: put the data folder on a local disk.",
            )
        )
    server = data_lock.owner(data) if place == data and writable else None
    if server is not None:
        checks.append(
            Finding("server", True, False, f"one works on this folder{f' (process {server})' if server else ''}")
        )
    return checks


def file_system(path: Path) -> str:
    """The type of the file system that holds `path`; "" when unknown."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    best, kind = "", ""
    for line in mounts.read_text().splitlines():
        _, point, type_, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if len(point) >= len(best) and path.resolve().is_relative_to(point):
            best, kind = point, type_
    return kind


def check_disk(data: Path, min_free_bytes: int) -> list[Finding]:
    place = next(path for path in (data, *data.parents) if path.exists())
    free = shutil.disk_usage(place).free
    enough = free >= min_free_bytes + (2 << 30)
    fix = (
        ""
        if enough
        else (
            "A job needs about three times its video's size: free some space, or move the data folder to a larger disk."
        )
    )
    return [Finding("disk", free >= min_free_bytes, True, f"{free / 1e9:.1f} GB free", fix)]


def memory_bytes(root: Path = Path("/")) -> int:
    """The machine's memory or the container's limit, whichever is less; 0 when unknown."""
    found = []
    total = root / "proc/meminfo"
    if total.exists():
        found.append(
            next(int(line.split()[1]) * 1024 for line in total.read_text().splitlines() if line.startswith("MemTotal"))
        )
    for limit in (root / "sys/fs/cgroup/memory.max", root / "sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if limit.exists() and (text := limit.read_text().strip()).isdigit():
            found.append(int(text))
    if not found and hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=0)


def check_memory() -> list[Finding]:
    total = memory_bytes()
    enough = total >= _NEEDED_MEMORY_BYTES
    fix = (
        ""
        if enough
        else (
            "Whisper base takes about 1 GB, small 2, medium 5, turbo 6, large 10: give the machine more, or choose "
            "the model tiny."
        )
    )
    return [Finding("memory", enough, False, f"{total / 1e9:.1f} GB, {os.cpu_count()} processors", fix)]


# ---------------------------------------------------------------- the tools


def check_ffmpeg() -> list[Finding]:
    """Check FFmpeg and the features that it must have been built with."""
    from app.media.ffmpeg import tool

    reinstall = "Install the packages again: `make clean setup`."
    try:
        program = tool()
        first = _output([program, "-hide_banner", "-version"]).split("\n", 1)[0]
        encoders, filters = (
            _output([program, "-hide_banner", "-encoders"]),
            _output([program, "-hide_banner", "-filters"]),
        )
    except (DubError, OSError, subprocess.SubprocessError) as error:
        return [Finding("ffmpeg", False, True, f"does not run: {error}", reinstall)]
    checks = [Finding("ffmpeg", True, True, first)]
    for name, listing, use in (
        ("libx264", encoders, "burned subtitles"),
        ("aac", encoders, "the dubbed sound"),
        ("ass", filters, "burned subtitles (libass)"),
    ):
        there = any(name in line.split()[1:2] for line in listing.splitlines())
        checks.append(
            Finding(
                f"ffmpeg {name}",
                there,
                True,
                f"{'there' if there else 'missing'}, for {use}",
                "" if there else reinstall,
            )
        )
    return checks


async def check_encoder() -> list[Finding]:
    """Check the video encoder for burned subtitles with a test encoding."""
    from app.media import video_encoders

    try:
        found = await video_encoders.choose(hardware=True)
    except (DubError, OSError):
        return []  # without ffmpeg, which is reported above
    software = found is video_encoders.SOFTWARE
    return [
        Finding(
            "video encoder",
            not software,
            False,
            "none of this machine's own works; libx264 is used" if software else f"{found.name} works",
        )
    ]


def check_fonts() -> list[Finding]:
    """Check the fonts for burned subtitles, which are part of AutoDubber."""
    from app.dubbing.video.burn import FONTS

    names = {path.name for path in FONTS.glob("*.tt[fc]")}
    there = "NotoSans-Regular.ttf" in names and any(name.endswith(".ttc") for name in names)
    found = f"{len(names)} shipped" + (", Latin to Chinese, Japanese and Korean" if there else ": some are missing")
    return [
        Finding(
            "fonts", there, True, found, "" if there else f"Install AutoDubber again: files of {FONTS} are missing."
        )
    ]


def check_whisper(device: str) -> list[Finding]:
    """Check Whisper and torch in a child process: torch would stay in this process's memory."""
    if importlib.util.find_spec("whisper") is None:
        return [Finding("Whisper", False, True, "openai-whisper is not installed", "Run `make setup`.")]
    gpu_name = "torch.cuda.is_available() and torch.cuda.get_device_name()"
    first = "from app.speech.whisper.child_process import leave_numba_out; leave_numba_out(); "
    code = (
        first + f"import json, torch, whisper; print(json.dumps([whisper.__version__, torch.__version__, {gpu_name}]))"
    )
    try:
        version, torch, gpu = json.loads(_output([sys.executable, "-c", code]))
    except (subprocess.SubprocessError, ValueError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        return [
            Finding(
                "Whisper",
                False,
                True,
                f"cannot be loaded: {detail.strip().splitlines()[-1]}",
                "Run `make clean setup`.",
            )
        ]
    checks = [Finding("Whisper", True, True, f"openai-whisper {version}, torch {torch}")]
    card = _graphics_card()
    if gpu:
        checks.append(Finding("GPU", True, False, f"{gpu}, used by torch"))
    elif card:
        checks.append(
            Finding(
                "GPU",
                device != "cuda",
                device == "cuda",
                f"{card}, not used: this torch is built for the processor",
                "Run `make setup GPU=1`.",
            )
        )
    else:
        fix = "AUTODUBBER_DEVICE=cuda asks for one: set it to auto." if device == "cuda" else ""
        checks.append(
            Finding("GPU", device != "cuda", device == "cuda", "none; recognition runs on the processor", fix)
        )
    return checks


def _graphics_card() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        return _output([tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]).strip().replace("\n", "; ")
    except (OSError, subprocess.SubprocessError):
        return ""


def check_page() -> list[Finding]:
    page = Path(__file__).resolve().parents[2] / "web" / "build" / "index.html"
    there = page.is_file()
    return [
        Finding(
            "page",
            there,
            False,
            "built" if there else "not built: the API works, the page does not",
            "" if there else "Run `make setup` (needs Node.js 20 or newer).",
        )
    ]


def check_names(settings: Settings) -> list[Finding]:
    """Check the names under which browsers may open the server. The running server is asked, because it may have been
    started before the settings were changed."""
    known = hosts.known(settings.allowed_hosts, settings.origins, settings.host)
    names = ["addresses", "localhost", *known.own, *known.listed]
    refused = [name for name in known.listed if "*" not in name and _answers(settings, name) == HOST_UNKNOWN.status]
    if refused:
        fix = (
            f"Start the server again: it runs with other settings than "
            f"AUTODUBBER_ALLOWED_HOSTS={settings.allowed_hosts} here."
        )
        return [Finding("host names", False, False, f"the running server refuses {', '.join(refused)}", fix)]
    fix, advice = "", "write AUTODUBBER_ALLOWED_HOSTS=NAME (several: with commas) and start the server again."
    if not known.listed and settings.trusted_proxies:
        fix = f"A proxy is trusted, and no name is listed. If browsers come to it by a name, {advice}"
    elif not known.listed and not hosts.is_local(settings.host):
        fix = f"Is it opened by another name (a proxy's, or one that the router gives, such as nas.home)? Then {advice}"
    return [
        Finding(
            "host names",
            not (fix and settings.trusted_proxies),
            False,
            f"it answers under {', '.join(names)}; any other is refused",
            fix,
        )
    ]


def _answers(settings: Settings, name: str) -> int:
    """The HTTP status of the running server under a name; 0 when none runs."""
    connection = http.client.HTTPConnection(
        urlsplit(url_of(settings.host, settings.port)).hostname or "", settings.port, timeout=5
    )
    try:
        connection.request("GET", "/health/live", headers={"Host": name})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


# ---------------------------------------------------------------- the engines


async def check_engines(settings: Settings) -> list[Finding]:
    """Check every recogniser and voice, the ElevenLabs key if one is set, and the downloaded models."""
    from app.server.engines import engines_of, known_key
    from app.speech.registry import recognizer_by_default

    engines = engines_of(settings)
    recognizer = recognizer_by_default(settings.recognizer)
    try:
        checks = []
        for info in await engines.infos():
            state = info.availability
            needed = info.name in (recognizer, settings.voice.split(":", 1)[0])
            checks.append(
                Finding(
                    f"{info.kind} {info.name}",
                    state.available,
                    needed,
                    state.reason or "available",
                    "" if state.available else state.remedy,
                )
            )
            if info.name == recognizer and info.models:
                here = [model.id for model in info.models if model.ready]
                text = (
                    f"{', '.join(here)} in {settings.models}"
                    if here
                    else f"none in {settings.models} yet; {settings.model} is downloaded when first used"
                )
                checks.append(Finding("models", True, False, text))
        if await asyncio.to_thread(known_key, settings, "elevenlabs"):
            checks.append(await _key(engines.voices["elevenlabs"].voices))
        return checks
    finally:
        await engines.close()


async def _key(voices: Callable[[], Awaitable[Sequence[object]]]) -> Finding:
    try:
        async with asyncio.timeout(PROBE_S):
            found = await voices()
    except DubError as error:
        return Finding("ElevenLabs key", False, False, error.message, error.problem.hint)
    except TimeoutError:
        return Finding(
            "ElevenLabs key", False, False, "ElevenLabs does not answer", "Check the network and the proxy settings."
        )
    return Finding("ElevenLabs key", True, False, f"good, {len(found)} voices")


def _output(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PROBE_S, check=True, stdin=subprocess.DEVNULL)  # noqa: S603
    return done.stdout
