"""A repository in a bucket of any S3-compatible server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Final, TypeVar

import msgspec

from app.backup.backend import Check, StoredObject
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_BUSY, BACKUP_NOT_FOUND, BACKUP_PLACE

T = TypeVar("T")
_PART_BYTES: Final = 8 << 20  # S3 requires at least 5 MiB a part and at most 10,000 parts
_MOST_PARTS: Final = 9000
_RANGE_BYTES: Final = 4 << 20  # of each of `at_once` readers
_PARTS_AT_ONCE: Final = 2
_TRIES: Final = 6
_LOCK_LIFE_S: Final = 300.0
_LOCK_EVERY_S: Final = 60.0
_WHY: Final = {
    "InvalidAccessKeyId": "The access key is not known there.",
    "SignatureDoesNotMatch": "The secret key is not right.",
    "NoSuchBucket": "There is no such bucket.",
    "AccessDenied": "The key may not do this there.",
    "AllAccessDisabled": "The bucket is closed.",
    "PermanentRedirect": "The bucket is in another region: set AWS_REGION.",
    "AuthorizationHeaderMalformed": "The region is not right: set AWS_REGION.",
    "RequestTimeTooSkewed": "This machine's clock is wrong.",
    "QuotaExceeded": "The bucket is full.",
    "SlowDown": "The service asks to go slower.",
}


class S3(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the bucket. An empty endpoint means Amazon's. A request is retried for `patience_s` seconds."""

    access_key: str
    secret_key: str
    region: str
    endpoint: str
    patience_s: float = 120.0


class S3Backend:
    """BUCKET/PREFIX. The server must list objects right after they were written; conditional writes are not needed."""

    def __init__(self, bucket: str, prefix: str, s3: S3) -> None:
        from obstore.store import S3Store

        self.where = f"s3://{bucket}" + (f"/{prefix}" if prefix else "")
        self.at_once = 8  # a small object mostly waits for the round trip
        if not s3.access_key or not s3.secret_key:
            raise DubError(BACKUP_PLACE, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set.")
        place: dict[str, Any] = {"endpoint": s3.endpoint} if s3.endpoint else {}
        with self._said():
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                access_key_id=s3.access_key,
                secret_access_key=s3.secret_key,
                region=s3.region,
                **place,
                client_options={
                    "allow_http": s3.endpoint.startswith("http://"),
                    "connect_timeout": "10s",
                    "timeout": "300s",
                },
                retry_config={
                    "max_retries": 10,
                    "retry_timeout": timedelta(seconds=s3.patience_s),
                    "backoff": {
                        "init_backoff": timedelta(milliseconds=100),
                        "max_backoff": timedelta(seconds=10),
                        "base": 2,
                    },
                },
            )

    def prepare(self) -> None:
        """A prefix needs no preparation."""

    def put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> None:
        import obstore

        with self._said():
            if size_bytes <= _PART_BYTES:
                obstore.put(self._store, name, b"".join(blocks), use_multipart=False)
            else:
                part = max(_PART_BYTES, size_bytes // _MOST_PARTS)
                obstore.put(self._store, name, iter(blocks), chunk_size=part, max_concurrency=_PARTS_AT_ONCE)

    def get(self, name: str) -> Iterator[bytes]:
        """Read in ranges, so that a broken connection repeats one range and not the whole object."""
        import obstore

        at, size_bytes = 0, 1
        while at < size_bytes:

            def take(start: int = at) -> tuple[bytes, int]:
                found = obstore.get(self._store, name, options={"range": (start, start + _RANGE_BYTES)})
                return bytes(found.bytes()), found.meta["size"]

            with self._said(name):
                block, size_bytes = _again(take)
            if not block:
                return
            yield block
            at += len(block)

    def entries(self, prefix: str) -> Iterator[StoredObject]:
        import obstore

        with self._said():
            for page in obstore.list(self._store, prefix, chunk_size=1000):
                for found in page:
                    yield StoredObject(found["path"], found["size"], found["last_modified"].timestamp())

    def delete(self, name: str) -> None:
        import obstore

        with self._said(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, name)

    def now(self) -> float:
        probe = f"locks/clock-{secrets.token_hex(8)}.json"
        self.put(probe, [b"{}"], 2)
        try:
            return next(entry.modified_at for entry in self.entries("locks") if entry.name == probe)
        finally:
            self.delete(probe)

    @contextlib.contextmanager
    def lock(self, *, alone: bool) -> Iterator[Check]:
        """Lock with an object under locks/ that lives for five minutes and is renewed every minute, as restic does.

        A process that finds another's lock deletes its own. Two processes that start in the same moment see each other,
        and both give up. This needs no conditional writes, which some servers lack. Ages are compared by the server's
        clock.
        """
        name = f"locks/{'alone' if alone else 'shared'}-{secrets.token_hex(8)}.json"
        mine = _Held(lambda: self._say(name))
        held: _Held | None = mine
        try:
            mine.renew()
        except DubError:
            if alone:
                raise
            held = None  # a read-only key cannot write a lock object
        if held is None:
            yield lambda: None
            return
        try:
            self._look(name, alone=alone)
            with held.locked():
                yield held.check
        finally:
            with contextlib.suppress(DubError):  # it expires by itself
                self.delete(name)

    def _say(self, name: str) -> None:
        told = json.dumps({"host": socket.gethostname(), "process": os.getpid(), "at": time.time()}).encode()
        self.put(name, [told], len(told))

    def _look(self, own: str, *, alone: bool) -> None:
        """Raises backup_busy when another process holds a lock. Deletes expired locks."""
        found = {entry.name: entry.modified_at for entry in self.entries("locks")}
        if own not in found:
            raise DubError(BACKUP_PLACE, f"{self.where} does not list what was just written there.")
        for name, modified_at in found.items():
            if name == own or not name.startswith(("locks/alone-", "locks/shared-")):
                continue
            if found[own] - modified_at > _LOCK_LIFE_S:
                self.delete(name)
            elif alone or name.startswith("locks/alone-"):
                at = time.strftime("%H:%M:%S", time.gmtime(modified_at))
                raise DubError(
                    BACKUP_BUSY,
                    f"It was there at {at} UTC; the lock of a killed one ends {_LOCK_LIFE_S / 60:.0f} minutes after.",
                )

    @contextlib.contextmanager
    def _said(self, name: str = "") -> Iterator[None]:
        """obstore's error as a catalogue error. Its text holds addresses and keys and is not passed on."""
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise DubError(BACKUP_PLACE, f"{self.where}: {_WHY['NoSuchBucket']}") from None
            raise DubError(BACKUP_NOT_FOUND, f"{name or 'An object'} is not in {self.where}.") from None
        except (BaseError, OSError) as error:
            raise DubError(BACKUP_PLACE, f"{self.where}: {_reason(error)}", retryable=True) from None


class _Held:
    """A lock that a thread renews. `check` raises when it may have expired: the machine slept, or the network was
    down."""

    def __init__(self, say: Callable[[], None]) -> None:
        self._say = say
        self._renewed = 0.0
        self._end = threading.Event()

    def renew(self) -> None:
        started = time.monotonic()
        self._say()
        self._renewed = started

    def check(self) -> None:
        if time.monotonic() - self._renewed > _LOCK_LIFE_S - _LOCK_EVERY_S:
            raise DubError(BACKUP_BUSY, "This one could not renew its lock in time.")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        thread = threading.Thread(target=self._keep, name="backup-lock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _keep(self) -> None:
        while not self._end.wait(_LOCK_EVERY_S):
            with contextlib.suppress(DubError):  # `check` raises when this goes on for too long
                self.renew()


def _again(work: Callable[[], T]) -> T:
    """Retry an answer that broke off in the middle; the client does not do so itself."""
    from obstore.exceptions import GenericError

    for attempt in range(_TRIES):
        try:
            return work()
        except GenericError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.1 * 2**attempt)
    raise AssertionError("unreachable")


def _reason(error: Exception) -> str:
    """The reason in our words, with S3's error code where the answer has one."""
    text = str(error)
    if code := re.search(r"<Code>(\w+)</Code>", text):
        return _WHY.get(code[1], f"It answers {code[1]}.")
    if status := re.search(r"status:? (?:code:? )?(\d{3})", text, re.IGNORECASE):
        return f"It answers with status {status[1]}."
    if re.search(r"dns|connect|tcp|resolve", text, re.IGNORECASE):
        return "It cannot be reached."
    return f"It does not answer as it should ({type(error).__name__})."
