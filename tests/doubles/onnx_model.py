"""Writes the smallest ONNX models that take the inputs of a voice: each number that comes in is one sample of sound.

The format is protobuf (onnx.proto): a field is a key, then a number or a length and bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path

_FLOAT, _INT64 = 1, 7
KOKORO = {"tokens": (_INT64, 2), "style": (_FLOAT, 2), "speed": (_FLOAT, 1)}
PIPER = {"input": (_INT64, 2), "input_lengths": (_INT64, 1), "scales": (_FLOAT, 1)}


def _number(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(data)) + data


def _tensor(name: str, kind: int, axes: int) -> bytes:
    shape = b"".join(_field(1, _field(2, f"{name}_{axis}")) for axis in range(axes))
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def _node(operation: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operation) + attributes


def write_voice(path: Path, inputs: dict[str, tuple[int, int]]) -> None:
    """A model whose sound is its first input times 0.005."""
    first = next(iter(inputs))
    to_float = _field(5, _field(1, "to") + _field(3, _FLOAT) + _field(20, 2))
    scale = _field(1, 1) + _field(2, _FLOAT) + _field(8, "scale") + _field(9, struct.pack("<f", 0.005))
    graph = (
        _field(1, _node("Cast", [first], "numbers", to_float))
        + _field(1, _node("Mul", ["numbers", "scale"], "sound"))
        + _field(2, "voice")
        + _field(5, scale)
        + b"".join(_field(11, _tensor(name, kind, axes)) for name, (kind, axes) in inputs.items())
        + _field(12, _tensor("sound", _FLOAT, 2))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)))
