"""A burned picture is kept in pieces: what a killed run has encoded is found again, and nobody sees where it was killed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.dubbing.probe import probe
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video import burn as burning
from app.dubbing.video.burn import BurnRequest, burn
from app.media import ffmpeg
from tests.unit.dubbing.video.test_burn import frames, request_for
from tests.unit.media.samples import make, picture_times, sample

CUES = (Cue(0.2, 1.1, "ONE"), Cue(1.4, 2.6, "TWO"), Cue(2.9, 3.8, "THREE"))


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples are short."""
    monkeypatch.setattr(burning, "length_s", lambda _: 0.5)
    monkeypatch.setattr(burning, "_RUN_UP_S", 0.5)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[ffmpeg.Command]:
    """The runs of ffmpeg that encode a picture."""
    ran: list[ffmpeg.Command] = []

    async def run(command: ffmpeg.Command, *arguments: object, _run: object = ffmpeg.run, **more: object) -> None:
        ran.append(command)
        await _run(command, *arguments, **more)  # type: ignore[operator]

    monkeypatch.setattr(burning.ffmpeg, "run", run)
    return ran


def request(source: Path, folder: Path, **changes: object) -> BurnRequest:
    folder.mkdir(exist_ok=True)
    asked = msgspec.structs.replace(request_for(source, folder, CUES), kept=folder / "kept", source_id="bytes")
    return msgspec.structs.replace(asked, **changes)


def pieces(folder: Path) -> list[Path]:
    return sorted((folder / "kept").rglob("*.piece"))


def killed_after(folder: Path, count: int) -> None:
    """The state that a kill leaves which came after so many pieces."""
    (pieces(folder)[0].parent / "whole").unlink()
    for piece in pieces(folder)[count:]:
        piece.unlink()


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", ["plain.mp4", "vfr.mp4", "late_picture.mp4", "late_picture.ts", "offset.ts", "plain.webm"])
async def test_a_killed_run_goes_on_behind_the_last_piece_with_every_picture_at_its_time(tmp_path: Path, name: str, count: int) -> None:
    source = sample(name)
    whole, again = request(source, tmp_path / "whole"), request(source, tmp_path / "again")
    await burn(whole, lambda _: None)
    await burn(again, lambda _: None)
    assert len(pieces(tmp_path / "again")) > count + 1
    killed_after(tmp_path / "again", count)
    kept = [piece.read_bytes() for piece in pieces(tmp_path / "again")]
    again.out.unlink()
    await burn(again, lambda _: None)
    assert [piece.read_bytes() for piece in pieces(tmp_path / "again")][:count] == kept
    assert picture_times(again.out) == pytest.approx(picture_times(whole.out), abs=1e-6)
    before, after = frames(whole.out), frames(again.out)
    assert before.keys() == after.keys()
    assert max(np.abs(before[at] - after[at]).mean() for at in before) < 2.0  # the encoder begins anew there: another rounding, no other picture


async def test_what_is_whole_is_not_encoded_again(tmp_path: Path, encoded: list[ffmpeg.Command]) -> None:
    asked = request(sample("plain.mp4"), tmp_path)
    await burn(asked, lambda _: None)
    first = asked.out.read_bytes()
    await burn(asked, lambda _: None)
    assert len(encoded) == 1
    assert asked.out.read_bytes() == first


@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "cut", "one bit"])
async def test_a_damaged_piece_and_those_behind_it_are_made_again(tmp_path: Path, damage: bytes | None, encoded: list[ffmpeg.Command]) -> None:
    asked = request(sample("plain.mp4"), tmp_path)
    await burn(asked, lambda _: None)
    times = picture_times(asked.out)
    third = pieces(tmp_path)[2]
    third.write_bytes(third.read_bytes()[:-1] + b"\0" if damage is None else damage)
    await burn(asked, lambda _: None)
    assert len(encoded) == 2
    assert picture_times(asked.out) == pytest.approx(times, abs=1e-6)


async def test_another_text_or_film_shares_nothing_and_leaves_nothing_of_the_old(tmp_path: Path, encoded: list[ffmpeg.Command]) -> None:
    asked = request(sample("plain.mp4"), tmp_path)
    await burn(asked, lambda _: None)
    for changes in ({"cues": (Cue(1.0, 2.0, "OTHER"),)}, {"source_id": "other bytes"}):
        await burn(msgspec.structs.replace(asked, **changes), lambda _: None)
        assert len(list((tmp_path / "kept").iterdir())) == 1
    assert len(encoded) == 3


async def test_a_picture_without_sound_of_one_frame_is_burned(tmp_path: Path) -> None:
    still = make(tmp_path / "still.mp4", "-f", "lavfi", "-i", "color=black:s=64x64:r=25:d=0.04", "-c:v", "libx264")
    asked = request(still, tmp_path, duration_s=0.04)
    await burn(asked, lambda _: None)
    assert len(frames(asked.out)) == 1
    killed_after(tmp_path, 1)  # behind the last piece there is nothing
    await burn(asked, lambda _: None)
    assert len(frames(asked.out)) == 1


def test_a_piece_is_shorter_where_a_picture_is_more_work() -> None:
    from app.dubbing.video.burn_pieces import length_s

    video = probe(sample("plain.mp4")).video
    assert video is not None
    sizes = [(640, 360), (1920, 1080), (3840, 2160)]
    assert [length_s(msgspec.structs.replace(video, width=width, height=height)) for width, height in sizes] == [4.0, 4.0, 1.0]
