"""Secrets at rest: encrypted with a key that lies beside the database, readable by the owner only."""

from __future__ import annotations

import time
from pathlib import Path

import structlog
from sqlalchemy import Engine, delete, insert, select

from app.domain.secret_names import ELEVENLABS, Keys, job_key, job_keys
from app.storage import secret_key
from app.storage.database import reading, urgently
from app.storage.tables import settings

log = structlog.get_logger(__name__)


class SecretStore:
    """Named secrets in the settings table (Fernet: AES-128-CBC with HMAC). The key file is made at first use; raises
    `secret_key.SecretKeyUnusable`."""

    def __init__(self, engine: Engine, key_file: Path) -> None:
        from cryptography.fernet import Fernet

        self._engine = engine
        key, self._key_is_new = secret_key.read_or_make(key_file)
        self._fernet = Fernet(key)

    def settle(self) -> None:
        """At a server's start: secrets that no key opens any more are said; after their key was deleted, they are
        forgotten."""
        with reading(self._engine) as connection:
            names = list(connection.execute(select(settings.c.name)).scalars())
        lost = [name for name in names if self.get(name) is None]
        if not lost:
            return
        if self._key_is_new:
            for name in lost:
                self.delete(name)
            log.warning("secret.key was gone: stored API keys are forgotten", count=len(lost))
        else:
            log.warning("stored API keys were encrypted with another secret.key; enter them again", count=len(lost))

    @urgently
    def set(self, name: str, value: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(settings).where(settings.c.name == name))
            connection.execute(
                insert(settings).values(name=name, value=self._fernet.encrypt(value.encode()), updated_at=time.time())
            )

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

    def job_keys(self, job_id: str) -> Keys:
        """The keys that came with a job's requests."""
        first = job_keys(job_id)
        with reading(self._engine) as connection:
            names = list(
                connection.execute(
                    select(settings.c.name).where(settings.c.name.startswith(first, autoescape=True))
                ).scalars()
            )
        return Keys(
            {name.removeprefix(first).removeprefix(":") or ELEVENLABS: self.get(name) or "" for name in sorted(names)}
        )

    def keep_job_keys(self, job_id: str, keys: Keys) -> None:
        """Keep them until `forget_job_keys`; each takes the place of the one that the job had for that engine."""
        for engine, key in keys:
            self.set(job_key(job_id, engine), key)

    @urgently
    def forget_job_keys(self, job_id: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(settings).where(settings.c.name.startswith(job_keys(job_id), autoescape=True)))
