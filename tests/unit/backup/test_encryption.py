"""What is sealed comes back as it was; what was changed, cut, lengthened, reordered or exchanged does not come back at
all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from app.backup import encryption, manifest
from app.backup.encryption import CHUNK_BYTES, Cipher, new_key, rechunk, sealed_bytes, unlock
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NEWER, BACKUP_PASSWORD

SEAL = Cipher(bytes(range(32)))
HEAD = 4 + 32
SEALED_CHUNK = CHUNK_BYTES + 16


def sealed(content: bytes, name: str = "objects/ab/ab") -> bytes:
    return b"".join(SEAL.seal(name, [content]))


def opened(raw: bytes, name: str = "objects/ab/ab", seal: Cipher = SEAL) -> bytes:
    return b"".join(seal.open(name, [raw[at : at + 70_000] for at in range(0, len(raw), 70_000)]))


def refused(raw: bytes, name: str = "objects/ab/ab", seal: Cipher = SEAL) -> bool:
    with pytest.raises(DubError) as raised:
        opened(raw, name, seal)
    return raised.value.problem is BACKUP_DAMAGED


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_every_size_comes_back_and_is_known_before(size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    raw = sealed(content)
    assert len(raw) == sealed_bytes(size)
    assert opened(raw) == content


def test_no_two_objects_are_sealed_alike() -> None:
    assert sealed(b"the same") != sealed(b"the same")


def test_whatever_is_changed_is_noticed() -> None:
    content = bytes(2 * CHUNK_BYTES + 100)
    raw = sealed(content)
    for at in (0, 10, HEAD, HEAD + CHUNK_BYTES, HEAD + SEALED_CHUNK + 5, len(raw) - 1):
        assert refused(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]), at
    first, second, rest = (
        raw[HEAD : HEAD + SEALED_CHUNK],
        raw[HEAD + SEALED_CHUNK : HEAD + 2 * SEALED_CHUNK],
        raw[HEAD + 2 * SEALED_CHUNK :],
    )
    assert refused(raw[:HEAD] + second + first + rest), "reordered"
    assert refused(raw[:HEAD] + first + second), "cut off between two chunks"
    assert refused(raw[:HEAD] + first), "cut off between two chunks"
    assert refused(raw[:HEAD]) and refused(raw[:20]) and refused(b""), "cut off in the head"
    assert refused(raw[:-1]) and refused(raw + b"\0") and refused(raw + rest), "cut off or lengthened"
    assert refused(raw[:HEAD] + first + first + second + rest), "repeated"
    assert refused(raw[:HEAD] + second + rest), "without its beginning"


def test_an_object_in_the_place_of_another_is_noticed() -> None:
    assert refused(sealed(b"of one"), name="objects/cd/cd")
    assert refused(sealed(b"of one"), seal=Cipher(bytes(32))), "another repository's"


def test_names_are_the_same_for_the_same_content_and_another_in_another_repository() -> None:
    assert SEAL.name("ab" * 32) == SEAL.name("ab" * 32) != SEAL.name("cd" * 32)
    assert Cipher(bytes(32)).name("ab" * 32) != SEAL.name("ab" * 32)


def test_a_password_opens_its_repository_only() -> None:
    seal, kept = new_key("right")
    assert unlock("right", kept).name("ab" * 32) == seal.name("ab" * 32)
    for wrong in ("a guess", ""):
        with pytest.raises(DubError) as raised:
            unlock(wrong, kept)
        assert raised.value.problem is BACKUP_PASSWORD
        assert not wrong or wrong not in str(raised.value)
    assert "right" not in repr(kept)


def test_a_header_cannot_ask_for_all_the_memory() -> None:
    from msgspec.structs import replace

    _, kept = new_key("p")
    for changed in (replace(kept, n=1 << 30), replace(kept, r=1 << 20), replace(kept, cipher="rot13")):
        with pytest.raises(DubError) as raised:
            unlock("p", changed)
        assert raised.value.problem is BACKUP_NEWER


def test_memory_does_not_grow_with_the_size() -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 20)

    def drain(source: Iterable[bytes]) -> int:
        return sum(len(block) for block in source)

    drain(SEAL.open("x", SEAL.seal("x", [b"warm"])))
    tracemalloc.start()
    try:
        assert drain(manifest.unpack(SEAL.open("x", SEAL.seal("x", manifest.pack(blocks()))))) == 64 << 20
        assert drain(SEAL.open("x", SEAL.seal("x", blocks()))) == 64 << 20
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_cut_off_compressed_object_is_noticed() -> None:
    import zlib

    raw = b"".join(manifest.pack([b"database" * 10_000]))
    assert b"".join(manifest.unpack([raw[:9], raw[9:]])) == b"database" * 10_000
    for short in (raw[:-1], raw[: len(raw) // 2], b""):
        with pytest.raises(zlib.error):
            list(manifest.unpack([short]))


def test_pieces_have_exactly_the_size() -> None:
    content = bytes(range(256)) * 40
    for cut in (1, 7, 100, 5000, 20_000):
        pieces = list(rechunk([content[at : at + cut] for at in range(0, len(content), cut)], 100))
        assert b"".join(pieces) == content
        assert {len(piece) for piece in pieces[:-1]} == {100}
    assert list(rechunk([], 100)) == []
    assert encryption.sealed_bytes(0) == HEAD + 16
