"""Secrets at rest: encrypted with a key that lies beside the database, readable by the owner only."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sqlalchemy import Engine, delete, insert, select

from app.storage.database import reading, urgently
from app.storage.tables import settings


class SecretStore:
    """Named secrets in the settings table (Fernet: AES-128-CBC with HMAC). The key file is made at first use, mode 0600."""

    def __init__(self, engine: Engine, key_file: Path) -> None:
        from cryptography.fernet import Fernet

        self._engine = engine
        self._fernet = Fernet(_key(key_file))

    @urgently
    def set(self, name: str, value: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(settings).where(settings.c.name == name))
            connection.execute(insert(settings).values(name=name, value=self._fernet.encrypt(value.encode()), updated_at=time.time()))

    def get(self, name: str) -> str | None:
        """The secret, or None when there is none or it was encrypted with another key file."""
        from cryptography.fernet import InvalidToken

        with reading(self._engine) as connection:
            value = connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()
        if value is None:
            return None
        try:
            return self._fernet.decrypt(bytes(value)).decode()
        except InvalidToken:
            return None

    @urgently
    def delete(self, name: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(settings).where(settings.c.name == name))


def _key(path: Path) -> bytes:
    from cryptography.fernet import Fernet

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as file:
        key = Fernet.generate_key()
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
