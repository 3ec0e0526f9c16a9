"""A checkpoint of TensorFlow is read whole, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.separation.spleeter.checkpoint import DamagedCheckpoint, tensors
from tests.unit.separation.checkpoints import layers, write


def test_every_tensor_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = layers()
    write(tmp_path / "model", written)
    read = tensors(tmp_path / "model")
    assert read.keys() == written.keys()
    assert all(np.array_equal(read[name], value) for name, value in written.items())


@pytest.mark.parametrize("cut", ["index", "data-00000-of-00001"])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, cut: str) -> None:
    write(tmp_path / "model", layers())
    file = tmp_path / f"model.{cut}"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DamagedCheckpoint):
        tensors(tmp_path / "model")


def test_an_index_with_flipped_bytes_gives_tensors_or_a_refusal_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "model", layers())
    file = tmp_path / "model.index"
    whole = file.read_bytes()
    refused = 0
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            tensors(tmp_path / "model")
        except DamagedCheckpoint:
            refused += 1
    assert refused > 50
