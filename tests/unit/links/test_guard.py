"""What the downloader's process may do, tried in a process that is guarded as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.networks import allowed, parse

GUARDED = """
import socket, subprocess, os, sys
from pathlib import Path
from app.domain.networks import parse
from app.links.guard import Guard
folder, other = Path(sys.argv[1]), Path(sys.argv[2])
Guard(folder, parse("192.168.77.0/24"), ["/bin/true"]).install()
"""

TRIED = """
try:
    ATTEMPT
except PermissionError as error:
    ours = "downloader may" in str(error) or "may not lead to" in str(error)
    print("refused" if ours else repr(error))
else:
    print("done")
"""


def refused(attempt: str, tmp_path: Path) -> bool:
    """Whether this ends with a refusal of the guard's."""
    folder, other = tmp_path / "mine", tmp_path / "other"
    folder.mkdir(exist_ok=True)
    other.mkdir(exist_ok=True)
    code = GUARDED + TRIED.replace("ATTEMPT", attempt)
    done = subprocess.run([sys.executable, "-c", code, folder, other], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() in ("refused", "done"), done
    return done.stdout.strip() == "refused"


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 9), 1)",
        "socket.create_connection(('localhost', 9), 1)",
        "socket.socket().connect_ex(('localhost', 9))",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('10.0.0.1', 53))",
        "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
        "subprocess.run(['/bin/sh', '-c', 'true'])",
        "os.system('true')",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/sh', ['sh'], {})",
        "(other / 'x').write_text('x')",
        "(folder / '..' / 'other' / 'x').write_text('x')",
        "os.symlink(folder, other / 'x')",
        "os.symlink('/etc/passwd', folder / 'x')",
        "os.truncate(other, 0)",
        "os.rename(folder, other / 'x')",
    ],
)
def test_the_downloader_may_not(attempt: str, tmp_path: Path) -> None:
    assert refused(attempt, tmp_path)
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize(
    "attempt",
    [
        "(folder / 'x').write_text('x')",
        "(folder / 'x').write_text('x'); os.replace(folder / 'x', folder / 'y')",
        "subprocess.run(['/bin/true'], check=True)",
        "Path('/etc/hostname').exists() and open('/etc/passwd').close()",
        "socket.getaddrinfo('localhost', 80)",
    ],
)
def test_the_downloader_may(attempt: str, tmp_path: Path) -> None:
    assert not refused(attempt, tmp_path)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:a00:1::80ff:fffe", "localhost", "example.org", "", "2130706433"],
)  # fmt: skip
def test_an_address_that_is_not_of_the_internet_is_refused(host: str) -> None:
    assert not allowed(host, ())


@pytest.mark.parametrize("host", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_an_address_of_the_internet_is_allowed(host: str) -> None:
    assert allowed(host, ())


def test_networks_of_the_operator_are_allowed_and_no_others() -> None:
    networks = parse("192.168.1.0/24, fd00::/8,10.0.0.5")
    assert all(allowed(host, networks) for host in ("192.168.1.7", "fd12::1", "10.0.0.5", "::ffff:192.168.1.7"))
    assert not any(allowed(host, networks) for host in ("192.168.2.7", "10.0.0.6", "127.0.0.1"))
    with pytest.raises(ValueError, match="'home'"):
        parse("192.168.1.0/24,home")
