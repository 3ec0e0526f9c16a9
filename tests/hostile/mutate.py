"""Real files, damaged as transfers, disks and people with bad intentions damage them: always the same thousand for the
same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

# What the parts of a file are called, each within the files of its family; a name in the place of another makes a
# reader read the wrong thing.
_WORDS = (
    (
        b"moov trak mdia minf stbl stsd stts ctts stsc stsz stco elst edts mvhd mdhd tkhd hdlr udta meta free mdat "
        b"ftyp "
        b"dref stss"
    ),
    b"moof traf trun tfhd tfdt mvex trex sidx",
    b"RIFF LIST hdrl strl strh strf movi idx1 JUNK fmt data avih fact",
    b"FORM COMM SSND AIFF",
    b"OpusHead OpusTags",
)
_NAMES = (
    *(tuple(words.split()) for words in _WORDS),
    # EBML
    (
        b"\x1a\x45\xdf\xa3",
        b"\x18\x53\x80\x67",
        b"\x15\x49\xa9\x66",
        b"\x16\x54\xae\x6b",
        b"\x1f\x43\xb6\x75",
        b"\x1c\x53\xbb\x6b",
    ),
    (b"\x2a\xd7\xb1", b"\x22\xb5\x9c", b"\x23\xe3\x83", b"\x25\x86\x88"),
    # MPEG-PS
    (b"\x00\x00\x01\xba", b"\x00\x00\x01\xbb", b"\x00\x00\x01\xe0", b"\x00\x00\x01\xc0", b"\x00\x00\x01\xb3"),
)

_Change = Callable[[random.Random, bytearray], None]


def mutant(source: bytes, seed: int) -> bytes:
    """`source` with one to four kinds of damage, half of them near its beginning or end, where its structure is
    written."""
    rng, data = random.Random(seed), bytearray(source)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        if len(data) > 16:
            rng.choice(_CHANGES)(rng, data)
    return bytes(data)


def _somewhere(rng: random.Random, data: bytearray, room: int = 1) -> int:
    last = max(0, len(data) - room)
    match rng.randrange(4):
        case 0:
            return min(last, rng.randrange(2048))
        case 1:
            return max(0, last - rng.randrange(4096))
        case _:
            return rng.randint(0, last)


def _flip_bits(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.choice((1, 3, 10, 60, 300))):
        data[_somewhere(rng, data)] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, data: bytearray) -> None:
    length = min(rng.choice((4, 64, 1024)), len(data))
    at = _somewhere(rng, data, length)
    data[at : at + length] = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))


def _cut_off(rng: random.Random, data: bytearray) -> None:
    del data[_somewhere(rng, data) :]


def _take_out(rng: random.Random, data: bytearray) -> None:
    at = _somewhere(rng, data)
    del data[at : at + rng.choice((1, 7, 188, 1000, len(data) // 3))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    at, length = _somewhere(rng, data), rng.choice((1, 188, 1000, len(data) // 3))
    data[at:at] = data[at : at + length] * rng.choice((1, 1, 5))


def _swap(rng: random.Random, data: bytearray) -> None:
    length = max(1, min(rng.choice((8, 188, 2048)), len(data) // 4))
    a, b = (_somewhere(rng, data, length) for _ in range(2))
    data[a : a + length], data[b : b + length] = data[b : b + length], data[a : a + length]


def _lie_about_sizes(rng: random.Random, data: bytearray) -> None:
    """Words as they stand in sizes, counts and offsets."""
    for _ in range(rng.choice((1, 1, 4, 12))):
        at = _somewhere(rng, data, 8)
        size = len(data)
        word = rng.choice(
            (
                0,
                1,
                7,
                8,
                0x7FFFFFFF,
                0x80000000,
                0xFFFFFFFF,
                0xFFFFFFFE,
                size,
                size - at,
                size - at - 4,
                size + 1,
                0x10000000,
                1 << 24,
            )
        )
        data[at : at + 4] = (word & 0xFFFFFFFF).to_bytes(4, rng.choice(("big", "little")))


def _rename(rng: random.Random, data: bytearray) -> None:
    found = [(at, family) for family in _NAMES for name in family if (at := bytes(data).find(name)) >= 0]
    if not found:
        return _overwrite(rng, data)
    for _ in range(rng.choice((1, 1, 3))):
        at, family = rng.choice(found)
        name = rng.choice(family)
        data[at : at + len(name)] = name


def _lie_in_a_part(rng: random.Random, data: bytearray) -> None:
    """A lie within the first bytes of a part that has a name: its version, its count, its first entries."""
    found = [at for family in _NAMES for name in family if (at := bytes(data).find(name)) >= 0]
    if not found:
        return _lie_about_sizes(rng, data)
    at = min(len(data) - 5, max(0, rng.choice(found) + rng.choice((-4, 4, 8, 12, 16, 20, 24))))
    word = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF, 0x20000000, rng.getrandbits(32)))
    data[at : at + 4] = word.to_bytes(4, "big")


_CHANGES: tuple[_Change, ...] = (
    _flip_bits,
    _overwrite,
    _cut_off,
    _take_out,
    _repeat,
    _swap,
    _lie_about_sizes,
    _lie_about_sizes,
    _rename,
    _lie_in_a_part,
)
