"""What `autodubber doctor` checks of the machine: Python, the data folder, disk and memory."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Final

from app.cli.finding import Finding
from app.system import data_lock

_NEEDED_MEMORY_BYTES: Final = 2 << 30
_NETWORK_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs"})


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
