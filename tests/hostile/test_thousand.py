"""A thousand damaged files: each ends in a result or in an error of the catalogue, soon, and without much memory."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest

from app.config.settings import Settings
from app.domain.catalogue import catalogue
from app.domain.errors import DubError
from app.domain.media import MediaInfo
from app.domain.problems.requests import INTERNAL
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import Ingested, IngestRequest, ProbeRequest
from app.server.engines import limits_of
from tests.hostile.mill import BUSY, HANG_S, MEMORY_BYTES
from tests.hostile.thousand import BASES, COUNT, damaged, grind
from tests.unit.media.samples import track_of

ALLOWED = {"done", *catalogue()} - {INTERNAL.code}


@pytest.mark.slow
def test_a_thousand_damaged_files_end_in_a_result_or_an_error(tmp_path: Path) -> None:
    """Fixed seeds: number n is the same file always. Every eighth is mixed and muxed, too, and of some the subtitles
    are burned."""
    track = track_of(np.zeros((4 * 48_000, 2), np.float32), tmp_path / "track.m4a")
    fates = grind(tmp_path, range(COUNT), track, timeout_s=1800)
    assert len(fates) == COUNT
    bad = [fate for fate in fates if fate.end not in ALLOWED]
    assert not bad, "\n".join(f"{Path(fate.path).name}: {fate.end} in {fate.stage}: {fate.detail}" for fate in bad)
    slow = [fate for fate in fates if fate.cpu_s > HANG_S or fate.wall_s > BUSY * HANG_S]
    assert not slow, slow
    large = [fate for fate in fates if fate.peak_bytes > MEMORY_BYTES]
    assert not large, large
    ends = collections.Counter((fate.stage, fate.end) for fate in fates)
    print(f"\n{COUNT} files from {len(BASES)}: {ends.most_common()}")
    print(
        f"most memory {max(fate.peak_bytes for fate in fates) >> 20} MiB, most CPU "
        f"{max(fate.cpu_s for fate in fates):.1f} s"
    )
    done = sum(count for (_, end), count in ends.items() if end == "done")
    assert 0.3 * COUNT < done < 0.9 * COUNT, "damage that is never or always survived tests nothing"
    assert ends["mux", "done"] > 20 and ends["burn", "done"] > 10 and ends["probe", "media_damaged"] > 50


@pytest.mark.parametrize("number", range(3, 3 + 12 * 41, 41))
async def test_the_real_children_say_the_same(tmp_path: Path, number: int) -> None:
    name, data = damaged(number)
    path = tmp_path / name
    path.write_bytes(data)
    limits = limits_of(Settings())
    try:
        info = await run_task("probe", ProbeRequest(str(path)), MediaInfo, report=lambda _: None, limits=limits)
        request = IngestRequest(str(path), str(tmp_path), 0, 6 * 3600.0, len(data))
        done = await run_task("ingest", request, Ingested, report=lambda _: None, limits=limits)
        assert done.duration_s > 0 and info.size_bytes == len(data)
    except DubError as error:
        assert error.problem is not INTERNAL


def test_the_files_are_always_the_same() -> None:
    assert [damaged(number) for number in (0, 7, 999)] == [damaged(number) for number in (0, 7, 999)]
    assert len({damaged(number)[1] for number in range(0, 200)}) > 195
