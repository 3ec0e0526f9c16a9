"""Two data folders: one that jobs are exported from, and another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.retention.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "here")


@pytest.fixture
def other(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "there")
