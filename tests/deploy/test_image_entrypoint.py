"""entrypoint.sh, run for real: as root, as another user, on folders with real permissions. Only the programs that it
starts are stood in for."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER = 12345
SHELLS = [["dash"], ["busybox", "sh"]]
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
_FAKE = """#!/bin/sh
echo "{name} $* | user $(id -u) group $(id -g) groups $(id -G) |" \\
  "port ${{AUTODUBBER_PORT:-}} host ${{AUTODUBBER_HOST:-}} data ${{AUTODUBBER_DATA:-}}" >&2
exit {status}
"""

Start = Callable[..., subprocess.CompletedProcess[str]]


class Place:
    """A folder that every user may enter, with the script, programs that say how they were started, and a data
    folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        folder.chmod(0o755)
        for name in ("entrypoint.sh", "supervisord.conf"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "bin").mkdir()
        for name in ("autodubber", "python"):
            self.program(name)
        self.data.mkdir()

    def program(self, name: str, status: int = 0) -> None:
        path = self.folder / "bin" / name
        path.write_text(_FAKE.format(name=name, status=status))
        path.chmod(0o755)

    def start(
        self, *arguments: str, user: int | None = None, shell: list[str] | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        drop = [] if user is None else ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
        env = {
            "PATH": f"{self.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
            "AUTODUBBER_DATA": str(self.data),
        } | environ
        command = [*drop, *(shell or []), str(self.folder / "entrypoint.sh"), *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, cwd="/")


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="autodubber-entry-") as folder:
        yield Place(Path(folder))


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@as_root
def test_any_user_migrates_and_then_supervises(place: Place, shell: list[str]) -> None:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    os.chown(place.data, USER, USER)
    done = place.start(user=USER, shell=shell)
    first, second = done.stderr.splitlines()
    assert done.returncode == 0
    assert first.startswith(f"autodubber migrate | user {USER} ")
    assert second.startswith(
        f"python -m app.server.supervisor --nodaemon --configuration {place.folder}/supervisord.conf | user {USER} "
    )
    assert list(place.data.iterdir()) == []


@as_root
def test_options_of_serve_become_settings_that_the_migration_sees_too(place: Place) -> None:
    other = place.folder / "other"
    other.mkdir(mode=0o777)
    other.chmod(0o777)
    done = place.start("serve", "--port", "9000", "--host=::1", "--data", str(other), user=USER)
    assert done.returncode == 0
    assert all(line.endswith(f"port 9000 host ::1 data {other}") for line in done.stderr.splitlines())
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("typed", "run"),
    [
        (["version"], "autodubber version"),
        (["--help"], "autodubber --help"),
        (["backup", "--to", "/x y"], "autodubber backup --to /x y"),
        (["serve", "--help"], "autodubber serve --help"),
        (["serve", "--port"], "autodubber serve --port"),
        (["python", "-V"], "python -V"),
    ],
)
@as_root
def test_what_is_not_the_server_is_started_alone(place: Place, typed: list[str], run: str) -> None:
    done = place.start(*typed, user=USER)
    assert done.stderr.splitlines()[0].startswith(f"{run} | user {USER} ")
    assert len(done.stderr.splitlines()) == 1


@as_root
def test_every_command_of_autodubber_is_known_to_the_entrypoint(place: Place) -> None:
    from app.cli.main import parser

    names = next(action.choices for action in parser()._actions if action.choices)
    assert names is not None and "serve" in names
    for name in set(names) - {"serve"}:
        assert place.start(name, user=USER).stderr.startswith(f"autodubber {name} | "), name


@as_root
def test_root_becomes_puid_and_pgid_with_no_other_group_and_owns_the_empty_folder(place: Place) -> None:
    done = place.start(PUID="4321", PGID="8765")
    assert done.returncode == 0
    assert all("| user 4321 group 8765 groups 8765 |" in line for line in done.stderr.splitlines())
    assert (place.data.stat().st_uid, place.data.stat().st_gid) == (4321, 8765)


@as_root
def test_root_without_a_wish_becomes_user_1000(place: Place) -> None:
    assert "| user 1000 group 1000 groups 1000 |" in place.start("version").stderr


@pytest.mark.parametrize("wish", [{"PUID": "0"}, {"PUID": "me"}, {"PGID": "00"}, {"PGID": "-1"}])
@as_root
def test_a_wish_that_is_no_user_is_refused(place: Place, wish: dict[str, str]) -> None:
    done = place.start(**wish)
    name, value = next(iter(wish.items()))
    assert done.returncode == 2
    assert (
        done.stderr == f"autodubber: {name} must be the number of a user or group other than root's (it is '{value}')\n"
    )


@as_root
def test_root_never_gives_away_a_folder_that_is_used(place: Place) -> None:
    (place.data / "app.sqlite3").write_bytes(b"")
    done = place.start()
    assert done.returncode == 5
    assert f"sudo chown -R 1000:1000 FOLDER-MOUNTED-AT-{place.data}\n" in done.stderr
    assert place.data.stat().st_uid == 0
    os.chown(place.data, 1000, 1000)  # as `chown` without -R leaves it
    assert place.start().returncode == 5
    os.chown(place.data / "app.sqlite3", 1000, 1000)
    (place.data / "my-model.pt").write_bytes(b"")  # is read, never written: may be anybody's
    assert place.start().returncode == 0


@as_root
def test_a_folder_that_is_not_writable_is_told_with_the_exact_command_and_nothing_starts(place: Place) -> None:
    done = place.start(user=USER)
    assert done.returncode == 5
    assert f"autodubber: {place.data} is not writable by user {USER}, group {USER}." in done.stderr
    assert f"  sudo chown -R {USER}:{USER} " in done.stderr
    assert "supervised" not in done.stderr and "migrate |" not in done.stderr


def _mounted(place: Place, source: Path, options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    script = (
        f'mount --bind "$1" "$2" && mount -o remount,bind,{options} "$2" && exec setpriv --reuid {USER} --regid '
        f'{USER} --clear-groups "$3"'
    )
    env = {
        "PATH": f"{place.folder / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin",
        "AUTODUBBER_DATA": str(place.data),
    } | environ
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
        str(source),
        str(place.data),
        str(place.folder / "entrypoint.sh"),
    ]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def _can_mount() -> bool:
    return os.getuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="needs a mount namespace of its own")
def test_a_bind_mount_is_named_as_the_host_knows_it(place: Place) -> None:
    source = place.folder / "on the host" / "dubs"
    source.mkdir(parents=True)
    assert f"  sudo chown -R {USER}:{USER} '{source}'\n" in _mounted(place, source, "rw").stderr


@pytest.mark.skipif(not _can_mount(), reason="needs a mount namespace of its own")
def test_a_named_volume_is_named(place: Place) -> None:
    source = place.folder / "volumes" / "autodubber" / "_data"
    source.mkdir(parents=True)
    done = _mounted(place, source, "rw")
    assert done.returncode == 5
    assert (
        f"  docker run --rm --user 0 --entrypoint chown -v autodubber:/data ghcr.io/autodubber/autodubber -R "
        f"{USER}:{USER} /data\n"
    ) in done.stderr
    assert "sudo" not in done.stderr


@pytest.mark.skipif(not _can_mount(), reason="needs a mount namespace of its own")
def test_a_read_only_mount_is_told_as_such(place: Place) -> None:
    source = place.folder / "source"
    source.mkdir(mode=0o777)
    source.chmod(0o777)
    done = _mounted(place, source, "ro")
    assert done.returncode == 5
    assert (
        done.stderr
        == f"autodubber: {place.data} is mounted read-only; AutoDubber keeps everything there. Mount it writable.\n"
    )


@as_root
def test_a_migration_that_fails_ends_the_container_with_its_status(place: Place) -> None:
    place.data.chmod(0o777)
    place.program("autodubber", status=5)
    done = place.start(user=USER)
    assert done.returncode == 5
    assert "supervised" not in done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_scripts_of_the_image_are_clean() -> None:
    scripts = [ROOT / "entrypoint.sh", *sorted((ROOT / "deploy" / "image").glob("*.sh"))]
    done = subprocess.run(["shellcheck", "--shell", "sh", *map(str, scripts)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
