"""Where placed clips are heard in the finished file, through the real mix and mux. `bench/sync.py` measures the same
over an hour."""

from pathlib import Path

import pytest

from bench.sync import KINDS, LIMIT_MS, measure

pytestmark = pytest.mark.media


@pytest.mark.parametrize("kind", KINDS)
async def test_placed_clips_are_heard_where_they_belong(tmp_path: Path, kind: str) -> None:
    row = await measure(kind, tmp_path, minutes=1.0, lines=40, threads=2)
    assert row.lag_worst_ms <= 1.0
    assert row.onset_worst_ms <= LIMIT_MS
    assert row.picture_ms <= 1.0
    assert abs(row.length_ms) <= 50.0


async def test_the_measure_sees_a_shift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose sound is 6 ms late is found out."""
    from app.dubbing.video import mux, mux_append, mux_pieces
    from app.media.ffmpeg import Input

    for module in (mux_append, mux_pieces):  # FFmpeg does all of it, and is told to be late
        monkeypatch.setattr(module, "is_possible", lambda _: False)

    monkeypatch.setattr(mux, "Input", lambda path, **more: Input(path, **{**more, **_late(path)}))
    row = await measure("mkv", tmp_path, minutes=0.5, lines=10, threads=2)
    assert row.lag_worst_ms == pytest.approx(6.0, abs=0.2)
    assert row.onset_worst_ms > LIMIT_MS


def _late(path: Path) -> dict[str, tuple[str, ...]]:
    return {"options": ("-itsoffset", "0.006")} if path.stem == "track" else {}
