"""A burned picture is kept in pieces: what a killed run has encoded is found again, and nobody sees where it was
killed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.dubbing.subtitles.cues import Cue
from app.dubbing.video import burn as burning
from app.dubbing.video import burn_pieces
from app.dubbing.video.burn import BurnRequest, burn
from app.media import ffmpeg
from tests.unit.dubbing.video.test_burn import frames, request_for
from tests.unit.media.samples import make, picture_times, sample
from tests.unit.media.test_video_encoders import NVENC, calls, fake

CUES = (Cue(0.2, 1.1, "ONE"), Cue(1.4, 2.6, "TWO"), Cue(2.9, 3.8, "THREE"))


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The samples are short."""
    monkeypatch.setattr(burning, "key_frames", lambda: "expr:isnan(prev_forced_t)+gte(t,prev_forced_t+0.5)")
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
    asked = msgspec.structs.replace(request_for(source, folder, CUES), resume_folder=folder / "kept", source_id="bytes")
    return msgspec.structs.replace(asked, **changes)


def pieces(folder: Path) -> list[Path]:
    return sorted((folder / "kept").rglob("*.piece"))


def killed_after(folder: Path, count: int) -> None:
    """The state that a kill leaves which came after so many pieces."""
    for name in ("whole", "joined.mp4"):
        (pieces(folder)[0].parent / name).unlink()
    for piece in pieces(folder)[count:]:
        piece.unlink()


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    "name", ["plain.mp4", "vfr.mp4", "late_picture.mp4", "late_picture.ts", "offset.ts", "plain.webm"]
)
async def test_a_killed_run_goes_on_behind_the_last_piece_with_every_picture_at_its_time(
    tmp_path: Path, name: str, count: int
) -> None:
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
    # the encoder begins anew there: another rounding, no other picture
    assert max(np.abs(before[at] - after[at]).mean() for at in before) < 2.0


@pytest.mark.parametrize("name", ["plain.mp4", "offset.ts"])
async def test_progress_goes_on_where_the_killed_run_stood(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(command: ffmpeg.Command, *arguments: object, _run: object = ffmpeg.run, **more: object) -> None:
        slowly = tuple(msgspec.structs.replace(i, options=("-readrate", "4", *i.options)) for i in command.inputs)
        often = ("-stats_period", "0.01", *command.options)
        await _run(msgspec.structs.replace(command, inputs=slowly, options=often), *arguments, **more)  # type: ignore[operator]

    monkeypatch.setattr(burning.ffmpeg, "run", run)
    asked, said = request(sample(name), tmp_path), []
    await burn(asked, said.append)
    assert said[0] < 0.5 and said[-1] == 1.0
    count = len(pieces(tmp_path)) * 3 // 4
    killed_after(tmp_path, count)
    said.clear()
    await burn(asked, said.append)
    assert min(said) >= (count - 1) * 0.5 / asked.duration_s
    assert said[0] < 1.0 and said[-1] == 1.0


async def test_what_is_whole_is_not_encoded_again(tmp_path: Path, encoded: list[ffmpeg.Command]) -> None:
    asked = request(sample("plain.mp4"), tmp_path)
    await burn(asked, lambda _: None)
    first = asked.out.read_bytes()
    await burn(asked, lambda _: None)
    assert len(encoded) == 1
    assert asked.out.read_bytes() == first


@pytest.mark.parametrize("damage", [b"", b"short", None], ids=["empty", "cut", "one bit"])
async def test_a_damaged_piece_and_those_behind_it_are_made_again(
    tmp_path: Path, damage: bytes | None, encoded: list[ffmpeg.Command]
) -> None:
    asked = request(sample("plain.mp4"), tmp_path)
    await burn(asked, lambda _: None)
    times = picture_times(asked.out)
    (pieces(tmp_path)[0].parent / "joined.mp4").unlink()
    third = pieces(tmp_path)[2]
    third.write_bytes(third.read_bytes()[:-1] + b"\0" if damage is None else damage)
    await burn(asked, lambda _: None)
    assert len(encoded) == 2
    assert picture_times(asked.out) == pytest.approx(times, abs=1e-6)


async def test_another_text_or_film_shares_nothing_and_leaves_nothing_of_the_old(
    tmp_path: Path, encoded: list[ffmpeg.Command]
) -> None:
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


async def test_damage_that_is_seen_only_at_the_end_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoded: list[ffmpeg.Command]
) -> None:
    monkeypatch.setattr(burn_pieces, "_CHECKED", 1)
    asked = request(sample("plain.mp4"), tmp_path)
    await burn(asked, lambda _: None)
    times = picture_times(asked.out)
    (pieces(tmp_path)[0].parent / "joined.mp4").unlink()
    third = pieces(tmp_path)[2]
    third.write_bytes(third.read_bytes()[:-1] + b"\0")
    await burn(asked, lambda _: None)
    assert len(encoded) == 2
    assert picture_times(asked.out) == pytest.approx(times, abs=1e-6)


async def test_a_piece_is_so_much_work_and_not_so_much_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    source = sample("plain.mp4")  # 100 pictures
    counts = []
    for name, work_s in (("slow machine", 1e-6), ("fast machine", 1e6)):
        monkeypatch.setattr(burn_pieces, "_PIECE_S", work_s)
        asked = request(source, tmp_path / name.replace(" ", "-"))
        await burn(asked, lambda _: None)
        assert len(frames(asked.out)) == 100
        counts.append(len(pieces(tmp_path / name.replace(" ", "-"))))
    assert counts == [100 // burn_pieces._FEWEST, 1]


async def test_pieces_of_the_machines_own_encoder_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC])
    asked = request(sample("plain.mp4"), tmp_path, hardware=True)
    assert await burn(asked, lambda _: None) == NVENC
    times, kept = picture_times(asked.out), [piece.read_bytes() for piece in pieces(tmp_path)]
    killed_after(tmp_path, 3)
    assert await burn(asked, lambda _: None) == NVENC
    assert [piece.read_bytes() for piece in pieces(tmp_path)][:3] == kept[:3]
    assert picture_times(asked.out) == pytest.approx(times, abs=1e-6)
    encoding = [words for words in calls(tmp_path) if "-force_key_frames" in words]
    assert len(encoding) == 2 and all("-forced-idr" in words for words in encoding)


async def test_an_encoder_that_failed_before_the_kill_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC], breaks=True)
    asked = request(sample("plain.mp4"), tmp_path, hardware=True)
    assert await burn(asked, lambda _: None) == "libx264"
    kept = [piece.read_bytes() for piece in pieces(tmp_path)]
    killed_after(tmp_path, 3)
    assert await burn(asked, lambda _: None) == "libx264"
    assert [piece.read_bytes() for piece in pieces(tmp_path)][:3] == kept[:3], "trying it would have deleted them"
    assert sum(NVENC in words and "-force_key_frames" in words for words in calls(tmp_path)) == 1
