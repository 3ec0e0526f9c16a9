"""The file of the key: whole or not there; a server does not start with one that is not its own."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.storage import secret_key
from app.storage.database import migrate, open_database
from app.storage.secrets import SecretStore
from tests.unit.api.serving import Server, free_port


class Killed(BaseException):
    pass


def folder(data: Path, secret: str = "") -> Path:
    """A data folder with a key and, if wished, a secret."""
    data.mkdir()
    engine = open_database(f"sqlite:///{data / 'app.sqlite3'}")
    migrate(engine)
    store = SecretStore(engine, data / "secret.key")
    if secret:
        store.set("elevenlabs_key", secret)
    engine.dispose()
    return data


def test_a_kill_at_any_step_leaves_no_key_or_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, step, over = tmp_path / "secret.key", 0, False
    while not over:
        left = [step]
        with monkeypatch.context() as patched:
            for name in ("open", "fsync", "link"):

                def counted(
                    *arguments: object, real: object = getattr(os, name), left: list[int] = left, **named: object
                ) -> object:
                    if not left[0]:
                        raise Killed
                    left[0] -= 1
                    return real(*arguments, **named)  # type: ignore[operator]

                patched.setattr(os, name, counted)
            try:
                secret_key.read_or_make(path)
                over = True
            except Killed:
                assert not path.exists() or len(path.read_bytes()) == 44
        path.unlink(missing_ok=True)
        step += 1
    assert step > 3 and not any(tmp_path.iterdir())


def test_it_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        key, made = secret_key.read_or_make(tmp_path / "secret.key")
    finally:
        os.umask(before)
    assert made and stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert secret_key.read_or_make(tmp_path / "secret.key") == (key, False)


@pytest.mark.parametrize(
    "content",
    [b"", b"c2hvcnQ=", os.urandom(44), b"a" * 43, base64.urlsafe_b64encode(bytes(40)), "foreign"],
    ids=["empty", "short", "noise", "cut", "long", "foreign"],
)
def test_a_server_does_not_start_with_a_key_that_is_not_its_own(tmp_path: Path, content: bytes | str) -> None:
    data = folder(tmp_path / "data", "sk_very_secret")
    path = data / "secret.key"
    path.write_bytes(content if isinstance(content, bytes) else base64.urlsafe_b64encode(bytes(32)))
    environment = {**os.environ, "AUTODUBBER_DATA": str(data), "AUTODUBBER_PORT": str(free_port())}
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 5
    line = done.stderr.strip()
    assert (
        len(line.splitlines()) == 1
        and line.startswith(f"autodubber: {path} ")
        and "delete it" in line
        and "backup" in line
    )
    assert "sk_very" not in line and done.stdout == ""


def test_the_way_out_works(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", "sk_very_secret")
    (data / "secret.key").unlink()
    with Server(data) as server:
        assert "stored API keys are forgotten" in server.log.read_text()
    database = open_database(f"sqlite:///{data / 'app.sqlite3'}")
    assert SecretStore(database, data / "secret.key").get("elevenlabs_key") is None
    secret_key.check(data / "secret.key", data / "app.sqlite3")
    database.dispose()


def test_a_good_key_and_a_folder_without_secrets_are_no_fault(tmp_path: Path) -> None:
    for name, secret in (("a", ""), ("b", "sk_very_secret")):
        data = folder(tmp_path / name, secret)
        secret_key.check(data / "secret.key", data / "app.sqlite3")
    (tmp_path / "a" / "secret.key").write_bytes(base64.urlsafe_b64encode(bytes(32)))
    secret_key.check(tmp_path / "a" / "secret.key", tmp_path / "a" / "app.sqlite3")
    secret_key.check(tmp_path / "none" / "secret.key", tmp_path / "none" / "app.sqlite3")
