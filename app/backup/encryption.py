"""Encrypts a repository. Contents and names are hidden, and any change, cut or exchange of objects is detected.

A key derived from the password (scrypt, RFC 7914) opens the repository's own random key. Every object has its own key
(HKDF-SHA256 of the repository's key with 32 random bytes that stand in front of it) and is cut into chunks of 1 MiB,
each sealed with ChaCha20-Poly1305 (RFC 8439). The nonce counts the chunks and marks the last one: the STREAM
construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015), in the shape that age uses (https://age-encryption.org/v1). The
object's name is authenticated with every chunk.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from typing import Final

from app.backup.manifest import Encryption
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NEWER, BACKUP_PASSWORD

CHUNK_BYTES: Final = 1 << 20
_TAG_BYTES: Final = 16
_MAGIC: Final = b"ADV1"
_SALT_BYTES: Final = 32
# 64 MiB: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
_N, _R, _P = 1 << 16, 8, 2
_MOST_N, _MOST_R, _MOST_P = 1 << 20, 16, 16  # the largest memory cost that a header may ask for


class Cipher:
    """The key of a repository, and the operations that need it."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._names = _derive(key, b"", b"names")

    def name(self, sha256: str) -> str:
        """The name of an object with this hash: the same for the same content, and meaningless without the key."""
        return hmac.new(self._names, bytes.fromhex(sha256), hashlib.sha256).hexdigest()

    def seal(self, name: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The encrypted object, chunk by chunk."""
        salt = secrets.token_bytes(_SALT_BYTES)
        cipher = _cipher(_derive(self._key, salt, b"object"))
        yield _MAGIC + salt
        count, waiting = 0, b""
        for chunk in rechunk(blocks, CHUNK_BYTES):
            if waiting:
                yield cipher.encrypt(_nonce(count, last=False), waiting, name.encode())
                count += 1
            waiting = chunk
        yield cipher.encrypt(_nonce(count, last=True), waiting, name.encode())

    def open(self, name: str, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Decrypt the object of this name. Raises backup_damaged before a wrong chunk is returned."""
        from cryptography.exceptions import InvalidTag

        pieces = _headed(blocks, len(_MAGIC) + _SALT_BYTES)
        head = next(pieces)
        if head[: len(_MAGIC)] != _MAGIC or len(head) != len(_MAGIC) + _SALT_BYTES:
            raise DubError(BACKUP_DAMAGED, f"{name} is not an encrypted object.")
        cipher = _cipher(_derive(self._key, head[len(_MAGIC) :], b"object"))
        count = 0
        waiting: bytes | None = None
        try:
            for chunk in rechunk(pieces, CHUNK_BYTES + _TAG_BYTES):
                if waiting is not None:
                    yield cipher.decrypt(_nonce(count, last=False), waiting, name.encode())
                    count += 1
                waiting = chunk
            yield cipher.decrypt(_nonce(count, last=True), waiting or b"", name.encode())
        except InvalidTag:
            raise DubError(BACKUP_DAMAGED, f"{name} was changed or cut off.") from None


def sealed_bytes(size_bytes: int) -> int:
    """The size of an encrypted object."""
    return len(_MAGIC) + _SALT_BYTES + size_bytes + _TAG_BYTES * max(1, -(-size_bytes // CHUNK_BYTES))


def new_key(password: str) -> tuple[Cipher, Encryption]:
    """A new key, and its encrypted form for the header. Takes half a second and 64 MiB, as every guess at the password
    would."""
    key, salt = secrets.token_bytes(32), secrets.token_bytes(16)
    wrapped = _cipher(_stretch(password, salt, _N, _R, _P)).encrypt(bytes(12), key, b"vault")
    return Cipher(key), Encryption(n=_N, r=_R, p=_P, salt=salt.hex(), key=wrapped.hex())


def unlock(password: str, encryption: Encryption) -> Cipher:
    """The key of a repository. Raises backup_password, backup_newer."""
    from cryptography.exceptions import InvalidTag

    if (
        (encryption.cipher, encryption.kdf) != ("chacha20-poly1305", "scrypt")
        or encryption.n > _MOST_N
        or encryption.r > _MOST_R
        or encryption.p > _MOST_P
    ):
        raise DubError(BACKUP_NEWER, f"Its encryption ({encryption.cipher}, {encryption.kdf}) is not known.")
    if not password:
        raise DubError(BACKUP_PASSWORD, "These are encrypted, and no password is set.")
    try:
        wrapper = _stretch(password, bytes.fromhex(encryption.salt), encryption.n, encryption.r, encryption.p)
        return Cipher(_cipher(wrapper).decrypt(bytes(12), bytes.fromhex(encryption.key), b"vault"))
    except InvalidTag:
        raise DubError(BACKUP_PASSWORD) from None
    except ValueError as error:
        raise DubError(BACKUP_DAMAGED, f"vault.json: {error}.") from None


def rechunk(blocks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size_bytes`, the last one shorter. Holds one piece."""
    held = bytearray()
    for block in blocks:
        at = memoryview(block)
        while at:
            taken = at[: size_bytes - len(held)]
            if not held and len(taken) == size_bytes:
                yield bytes(taken)
            else:
                held += taken
                if len(held) == size_bytes:
                    yield bytes(held)
                    held.clear()
            at = at[len(taken) :]
    if held:
        yield bytes(held)


def _headed(blocks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """The first `size_bytes` as one piece (shorter at the end), then the remaining pieces as they come."""
    head, source = b"", iter(blocks)
    for block in source:
        head += block
        if len(head) >= size_bytes:
            break
    yield head[:size_bytes]
    if len(head) > size_bytes:
        yield head[size_bytes:]
    yield from source


def _stretch(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=256 * n * r)


def _derive(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt, b"autodubber vault 1: " + purpose).derive(key)


def _cipher(key: bytes):  # type: ignore[no-untyped-def]  # ChaCha20Poly1305, which is imported when it is needed
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key)


def _nonce(count: int, *, last: bool) -> bytes:
    return count.to_bytes(11, "big") + bytes([last])
