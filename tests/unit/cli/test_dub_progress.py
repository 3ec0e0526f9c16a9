"""What a dub says while it works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from app.cli.dub_progress import BarDisplay, PlainDisplay

ODD = ("audio tracks:", "* 0: \x1b[2Jevil \u202etxt")
SHOWN = ["audio tracks:", "* 0: \\x1b[2Jevil \\u202etxt"]


def test_each_line_of_a_note_is_a_line_and_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    PlainDisplay(out).note(*ODD)
    assert out.getvalue().splitlines() == SHOWN
    bars = io.StringIO()
    BarDisplay(Progress(console=Console(file=bars, width=100))).note(*ODD)
    assert bars.getvalue().splitlines() == SHOWN
