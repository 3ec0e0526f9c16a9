"""Secrets at rest."""

from __future__ import annotations

import stat
from pathlib import Path

from app.storage.database import migrate, open_database
from app.storage.secrets import SecretStore


def test_a_secret_is_kept_encrypted_and_survives_a_restart(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(engine)
    SecretStore(engine, tmp_path / "secret.key").set("elevenlabs", "sk_very_secret_value")
    assert SecretStore(engine, tmp_path / "secret.key").get("elevenlabs") == "sk_very_secret_value"
    engine.dispose()
    for path in tmp_path.iterdir():
        assert b"sk_very_secret_value" not in path.read_bytes()
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_another_key_file_opens_nothing_and_a_deleted_secret_is_gone(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(engine)
    store = SecretStore(engine, tmp_path / "secret.key")
    store.set("a", "1")
    assert SecretStore(engine, tmp_path / "other.key").get("a") is None
    store.delete("a")
    assert store.get("a") is None
