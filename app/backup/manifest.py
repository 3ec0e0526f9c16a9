"""The metadata of a repository: header, snapshots and lists of files, and how they are written and read."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

FORMAT: Final = 1
APP_DATABASE: Final = "app.sqlite3"
ENGINE_DATABASE: Final = "engine.sqlite3"
SECRET_KEY: Final = "secret.key"  # noqa: S105 - a file's name
BLOBS: Final = "blobs"
CLI_CLIPS: Final = "cli/clips"
_PATH: Final = re.compile(
    rf"{APP_DATABASE}|{ENGINE_DATABASE}|{SECRET_KEY}|({BLOBS}|{CLI_CLIPS})(/[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,159}}){{1,4}}"
)


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """The repository's key, encrypted with a key that scrypt derives from the password."""

    cipher: str = "chacha20-poly1305"
    kdf: str = "scrypt"
    n: int
    r: int
    p: int
    salt: str  # hexadecimal, like `key`
    key: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`vault.json`."""

    format: int
    id: str
    created_at: float
    encryption: Encryption | None


class File(msgspec.Struct, frozen=True, array_like=True):
    """One file of a backup. `stored_bytes` is the size of its object, 0 for an empty file, which has none."""

    path: str
    size_bytes: int
    sha256: str
    stored_bytes: int
    mtime_ns: int
    mode: int
    packed: bool


class Missing(msgspec.Struct, frozen=True):
    """A file that the database refers to and that could not be read when the backup was made; `jobs` need it."""

    path: str
    jobs: tuple[str, ...]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One backup. Sizes are bytes; `new_bytes` is what it added to the repository. `listing` is the object with the
    list of its files."""

    format: int
    id: str
    created_at: float
    app_version: str
    schema_revision: str
    jobs: int
    files: int
    bytes: int
    new_files: int
    new_bytes: int
    seconds: float
    listing: File
    missing: tuple[Missing, ...] = ()


def check_path(path: str) -> str:
    """Check a path within a data folder: relative, without "..". Raises ValueError."""
    if not _PATH.fullmatch(path) or ".." in path:
        raise ValueError(f"not a path of a data folder: {path!r}")
    return path


def lines(files: Iterable[File]) -> Iterator[bytes]:
    """The list of files: one JSON array a line."""
    encoder = msgspec.json.Encoder()
    for file in files:
        yield encoder.encode(file) + b"\n"


def parse(blocks: Iterable[bytes]) -> Iterator[File]:
    """The files of a list. Raises ValueError for a damaged list."""
    decoder = msgspec.json.Decoder(File)
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            file = decoder.decode(line)
            check_path(file.path)
            yield file
    if rest:
        raise ValueError("the list ends within a line")


def pack(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress with zlib: databases and lists. Media would not become smaller."""
    packer = zlib.compressobj(6)
    for block in blocks:
        if out := packer.compress(block):
            yield out
    yield packer.flush()


def unpack(blocks: Iterable[bytes], at_once_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Undo `pack`, in pieces of at most `at_once_bytes`. Raises zlib.error, also for data that is cut off."""
    unpacker = zlib.decompressobj()
    for block in blocks:
        while block:
            if out := unpacker.decompress(block, at_once_bytes):
                yield out
            block = unpacker.unconsumed_tail
    if out := unpacker.flush():
        yield out
    if not unpacker.eof:
        raise zlib.error("the compressed data are cut off")
