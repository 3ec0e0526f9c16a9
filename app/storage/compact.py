"""Two kinds of column that SQLite keeps short: the names of blobs, and JSON, such as what stages gave.

A database of 10,000 jobs of 30 lines was 627 MB, three quarters of it hashes written in hexadecimal and JSON. Other
databases keep both as they are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec
from sqlalchemy import JSON, ColumnElement, Dialect, LargeBinary, Text, func, literal, or_
from sqlalchemy.types import TypeDecorator

_FOLDERS: Final = ("clips/", "artifacts/", "ingest/", "separated/")
_HASHED: Final = re.compile(r"(clips/|artifacts/|ingest/|separated/)([0-9a-f]{64})([./][\x21-\x7e]*)?")
_HASH_BYTES: Final = 32
_LONG_CHARACTERS: Final = 256  # of JSON: what is shorter gains nothing
_LEVEL: Final = 6


def short_key(key: str) -> str | bytes:
    """A key with a hash in it as bytes: its folder's number, the hash, what follows. Any other key as it is."""
    found = _HASHED.fullmatch(key)
    if found is None:
        return key
    return bytes([_FOLDERS.index(found[1]) + 1]) + bytes.fromhex(found[2]) + (found[3] or "").encode()


def long_key(stored: str | bytes) -> str:
    """The key that `short_key` was given."""
    if isinstance(stored, str):
        return stored
    end = 1 + _HASH_BYTES
    return f"{_FOLDERS[stored[0] - 1]}{stored[1:end].hex()}{stored[end:].decode()}"


def packed(json: str) -> str | bytes:
    """JSON compressed, where it is long."""
    return zlib.compress(json.encode(), _LEVEL) if len(json) > _LONG_CHARACTERS else json


def unpacked(stored: str | bytes) -> str | bytes:
    """The JSON that `packed` was given, as text or as bytes."""
    return zlib.decompress(stored) if isinstance(stored, bytes) else stored


class BlobKey(TypeDecorator[str]):
    """The key of a blob."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        return value if value is None or dialect.name != "sqlite" else short_key(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else long_key(value)


class PackedJson(TypeDecorator[Any]):
    """Any JSON; read from text or from compressed text, whichever is there."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        def process(value: Any) -> Any:
            text = msgspec.json.encode(value).decode()
            return packed(text) if dialect.name == "sqlite" else text

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        def process(value: Any) -> Any:
            return msgspec.json.decode(unpacked(value)) if isinstance(value, str | bytes) else value

        return process


def in_folder(key: ColumnElement[str], folder: str) -> ColumnElement[bool]:
    """Whether a `BlobKey` lies in that folder, one of `_FOLDERS`, however it is kept."""
    number, name = bytes([_FOLDERS.index(f"{folder}/") + 1]), f"{folder}/"
    short = func.substr(key, 1, 1, type_=LargeBinary) == literal(number, LargeBinary)
    return or_(short, func.substr(key, 1, len(name), type_=Text) == literal(name, Text))
