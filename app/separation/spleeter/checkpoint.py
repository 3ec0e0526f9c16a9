"""Reads the float tensors of a TensorFlow checkpoint (`NAME.index`, `NAME.data-00000-of-00001`) without TensorFlow.

The index is a sorted table in LevelDB's format (tensorflow/core/lib/io/format.cc, table_builder.cc), uncompressed. Its
values are `BundleEntryProto` messages (tensorflow/core/protobuf/tensor_bundle.proto).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.separation.loading import DamagedModel

Tensor = np.ndarray[Any, np.dtype[np.float32]]

_MAGIC: Final = 0xDB4775248B80FB57
_FOOTER_BYTES: Final = 48
_FLOAT: Final = 1  # DataType.DT_FLOAT
_DTYPE, _SHAPE, _SHARD, _OFFSET, _SIZE = 1, 2, 3, 4, 5  # fields of BundleEntryProto
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5  # wire types


class DamagedCheckpoint(DamagedModel):
    """The files are no checkpoint, or not whole."""


def tensors(prefix: Path) -> dict[str, Tensor]:
    """Every float tensor by name, mapped from the file: nothing is read before it is used. Raises DamagedCheckpoint."""
    index = prefix.with_name(f"{prefix.name}.index").read_bytes()
    file = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    if not file.stat().st_size:
        raise DamagedCheckpoint(f"{file.name} is empty")
    data = np.memmap(file, np.uint8, "r")
    found: dict[str, Tensor] = {}
    try:
        for key, value in _table(index):
            if key:  # the empty key is the header
                entry = _entry(value)
                if entry[_DTYPE] == _FLOAT:
                    found[key.decode()] = _tensor(data, entry, key.decode())
    except (IndexError, OverflowError, UnicodeDecodeError, struct.error) as error:
        raise DamagedCheckpoint(f"the index of {prefix.name} is damaged: {error}") from error
    return found


def _tensor(data: np.memmap[Any, np.dtype[np.uint8]], entry: dict[int, Any], name: str) -> Tensor:
    shape, offset, size = entry[_SHAPE], entry[_OFFSET], entry[_SIZE]
    if entry[_SHARD] != 0 or size != 4 * math.prod(shape) or offset + size > len(data):
        raise DamagedCheckpoint(f"{name} is not where the index says")
    return np.frombuffer(data, "<f4", size // 4, offset).reshape(shape)


def _table(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    footer = index[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise DamagedCheckpoint("no index of a checkpoint")
    at = 0
    for _ in range(2):  # the place of a block that is not used here
        _, at = _varint(footer, at)
    for _, place in _block(index, footer[at:]):
        yield from _block(index, place)


def _block(index: bytes, place: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of the block at `place`. A key shares the first bytes of the one before it."""
    offset, at = _varint(place, 0)
    size, _ = _varint(place, at)
    if index[offset + size] != 0:
        raise DamagedCheckpoint("the index is compressed")
    block = index[offset : offset + size]
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _entry(value: bytes) -> dict[int, Any]:
    entry: dict[int, Any] = {_DTYPE: 0, _SHAPE: b"", _SHARD: 0, _OFFSET: 0, _SIZE: 0}
    for number, part in _fields(value):
        if number in entry and type(part) is not type(entry[number]):
            raise DamagedCheckpoint(f"field {number} of an entry has another type")
        entry[number] = part
    entry[_SHAPE] = [
        _dimension(part) for number, part in _fields(entry[_SHAPE]) if number == 2 and isinstance(part, bytes)
    ]
    return entry


def _dimension(message: bytes) -> int:
    """The size in a `TensorShapeProto.Dim`."""
    return next((size for number, size in _fields(message) if number == 1 and isinstance(size, int)), 0)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message, in order."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind in (_BYTES, _FIXED_32, _FIXED_64):
            length = 4 if kind == _FIXED_32 else 8
            if kind == _BYTES:
                length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            raise DamagedCheckpoint(f"wire type {kind} in the index")
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and the place behind it."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
