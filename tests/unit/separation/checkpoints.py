"""Writes small checkpoints in TensorFlow's format, with the layers of Spleeter's two stems and a few filters each."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from pathlib import Path

import numpy as np

WIDTHS = (2, 2, 3, 3, 4, 4)


def layers(seed: int = 1) -> dict[str, np.ndarray]:
    """Random weights of both networks by name."""
    random = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}

    def add(kind: str, number: int, parts: dict[str, tuple[int, ...]]) -> None:
        name = kind if number == 0 else f"{kind}_{number}"
        for part, shape in parts.items():
            spread = random.uniform(0.5, 1.5, shape) if part in ("moving_variance", "gamma") else None
            found[f"{name}/{part}"] = (random.normal(0, 0.3, shape) if spread is None else spread).astype("<f4")

    for net in (0, 1):
        ups = (*WIDTHS[-2::-1], 1)
        channels = 2
        for level, width in enumerate(WIDTHS):
            add("conv2d", 7 * net + level, {"kernel": (5, 5, channels, width), "bias": (width,)})
            channels = width
        for level, width in enumerate(ups):
            add("conv2d_transpose", 6 * net + level, {"kernel": (5, 5, width, channels), "bias": (width,)})
            channels = width * 2
        add("conv2d", 7 * net + 6, {"kernel": (4, 4, 1, 2), "bias": (2,)})
        for level, width in enumerate((*WIDTHS, *ups)):
            shapes = {part: (width,) for part in ("moving_mean", "moving_variance", "gamma", "beta")}
            add("batch_normalization", 12 * net + level, shapes)
    return found


def write(prefix: Path, tensors: dict[str, np.ndarray]) -> None:
    data, entries = b"", [(b"", _field(1, 1))]
    for name, value in sorted(tensors.items()):
        shape = b"".join(_bytes(2, _field(1, size)) for size in value.shape)
        raw = value.astype("<f4").tobytes()
        entry = _field(1, 1) + _bytes(2, shape) + _field(4, len(data)) + _field(5, len(raw))
        entries.append((name.encode(), entry + b"\x35\0\0\0\0"))  # field 6, a checksum
        data += raw
    block = _block(entries)
    last = _block([(b"z", _varint(0) + _varint(len(block)))])
    place = _varint(0) + _varint(0) + _varint(len(block) + 5) + _varint(len(last))
    footer = place.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(block + b"\0____" + last + b"\0____" + footer)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    block, before = b"", b""
    for key, value in entries:
        shared = next((n for n, pair in enumerate(zip(key, before, strict=False)) if pair[0] != pair[1]), None)
        shared = min(len(key), len(before)) if shared is None else shared
        block += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        before = key
    return block + struct.pack("<II", 0, 1)


def _field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def archive(folder: Path) -> tuple[bytes, dict[str, str]]:
    """A small model, packed as the published one is, and the hashes of the files that are wanted."""
    folder.mkdir(parents=True)
    write(folder / "model", layers())
    (folder / "model.meta").write_bytes(b"a graph that nobody reads")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, f"./{path.name}")
    names = ("model.data-00000-of-00001", "model.index")
    return out.getvalue(), {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
