"""The SHA-256 of a large file, taken in steps that are kept: a run that is killed goes on behind the last one.

Python's hashlib does not give its state away. OpenSSL, which it calls, does, by functions that are deprecated but
there; where they are not (a Python with a library of its own), a file is hashed in one go.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from pathlib import Path
from typing import Any, Final

import msgspec

from app.storage.blobs import sha256_of
from app.system.durable_files import Durable, write

STEP_BYTES: Final = 256 << 20  # 0.14 s of work; 0.6 s where the processor has no instructions for it
_BLOCK_BYTES: Final = 1 << 20
_STATE_BYTES: Final = 112  # SHA256_CTX, the same since OpenSSL 0.9.8
_DIGEST_BYTES: Final = 32


class _Step(msgspec.Struct, frozen=True):
    """How far a file of this size and time has been hashed. `check` tells whether the step is whole."""

    size_bytes: int
    changed_ns: int
    done_bytes: int
    library: int
    state: bytes
    check: bytes = b""

    def checked(self) -> bytes:
        return hashlib.blake2b(
            repr((self.size_bytes, self.changed_ns, self.done_bytes, self.library, self.state)).encode()
        ).digest()


def sha256_in_steps(path: Path, steps_file: Path, *, step_bytes: int = STEP_BYTES) -> str:
    """The hash of a file's bytes. `steps_file` is a file for the steps, which the caller deletes when the hash has
    served. Blocks; flat in memory."""
    library = _library()
    status = path.stat()
    if library is None or status.st_size <= step_bytes:
        return sha256_of(path)
    step = _Step(status.st_size, status.st_mtime_ns, 0, library.OpenSSL_version_num(), b"")
    with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
        found = msgspec.msgpack.decode(steps_file.read_bytes(), type=_Step)
        if (
            found.check == found.checked()
            and msgspec.structs.replace(found, done_bytes=0, state=b"", check=b"") == step
        ):
            step = found
    hashing = _Hashing(library, step.state)
    block = bytearray(_BLOCK_BYTES)
    with path.open("rb", buffering=0) as file:
        done = file.seek(step.done_bytes)
        while count := file.readinto(block):
            hashing.update(block, count)
            done += count
            if done - step.done_bytes >= step_bytes:
                step = msgspec.structs.replace(step, done_bytes=done, state=hashing.state())
                _store(steps_file, msgspec.structs.replace(step, check=step.checked()))
    return hashing.hexdigest()


def _store(steps_file: Path, step: _Step) -> None:
    steps_file.parent.mkdir(parents=True, exist_ok=True)
    write(steps_file, msgspec.msgpack.encode(step), durable=Durable.NO)


class _Hashing:
    """A hash under way in OpenSSL's own struct. Its functions release the GIL."""

    def __init__(self, library: Any, state: bytes = b"") -> None:
        import ctypes

        self._ctypes, self._library = ctypes, library
        self._context = ctypes.create_string_buffer(2 * _STATE_BYTES)
        library.SHA256_Init(self._context)
        if state:
            ctypes.memmove(self._context, state, _STATE_BYTES)

    def update(self, block: bytearray, count: int) -> None:
        self._library.SHA256_Update(
            self._context, (self._ctypes.c_char * len(block)).from_buffer(block), self._ctypes.c_size_t(count)
        )

    def state(self) -> bytes:
        return self._context.raw[:_STATE_BYTES]

    def hexdigest(self) -> str:
        digest = self._ctypes.create_string_buffer(_DIGEST_BYTES)
        self._library.SHA256_Final(digest, self._context)
        return digest.raw.hex()


@functools.cache
def _library() -> Any:
    """The library that hashlib has loaded; None where its functions are not there, or do not give what hashlib
    gives."""
    import ctypes

    try:
        import _hashlib

        library = ctypes.CDLL(_hashlib.__file__)
        library.OpenSSL_version_num.restype = ctypes.c_ulong
        first = _Hashing(library)
        first.update(bytearray(b"some bytes, more than a block of 64, as the whole state has to travel"), 69)
        second = _Hashing(library, first.state())
        second.update(bytearray(b"and more"), 8)
    except (ImportError, OSError, AttributeError):
        return None
    right = hashlib.sha256(
        b"some bytes, more than a block of 64, as the whole state has to travel" + b"and more"
    ).hexdigest()
    return library if second.hexdigest() == right else None
