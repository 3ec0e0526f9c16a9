"""A finished video is muxed once, also when a kill comes while it is read, hashed and stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.media import ArtifactKind
from app.dubbing import finish as finishing
from app.dubbing.context import Context
from app.dubbing.finish import Finished, finish
from app.dubbing.pipeline import Sound
from app.dubbing.probe import probe
from app.dubbing.video.mux_cache import forget_muxed
from app.media import ffmpeg
from tests.unit.dubbing.options import options
from tests.unit.dubbing.test_finish import LINES, PLACED, context
from tests.unit.dubbing.video.muxing import picture_hash, sound_of, track_of
from tests.unit.media.samples import DURATION_S, sample


class Killed(Exception):
    """The run ends here."""


async def run(made_of: Context, folder: Path, name: str = "inputs") -> Finished:
    source, sound = sample("plain.mp4"), Sound(DURATION_S, "", "", "", None)
    track = track_of(sound_of(sample("plain.flac")), folder / "track.m4a")
    cache = made_of.cache / "job"
    return await finish(
        made_of,
        source,
        probe(source),
        sound,
        track,
        LINES,
        PLACED,
        options(),
        "en",
        lambda *_: None,
        cache=cache,
        source_id="bytes",
        name=name,
    )


async def killed(made_of: Context, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    async def ended(*_: object, **__: object) -> None:
        raise Killed

    def ended_at_once(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(finishing, where, ended if where == "_lasts_s" else ended_at_once)
        with pytest.raises(Killed):
            await run(made_of, folder)


@pytest.fixture
def muxed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The videos that ffmpeg makes."""
    outputs: list[Path] = []

    async def running(command: ffmpeg.Command, *arguments: object, _run: object = ffmpeg.run, **more: object) -> None:
        if command.muxer != "ffmetadata":
            outputs.append(command.output)
        await _run(command, *arguments, **more)  # type: ignore[operator]

    monkeypatch.setattr(ffmpeg, "run", running)
    return outputs


@pytest.mark.parametrize("where", ["_lasts_s", "keep_artifact"])
async def test_a_kill_behind_the_mux_costs_no_second_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, muxed: list[Path], where: str
) -> None:
    made_of = context(tmp_path)
    await killed(made_of, tmp_path, monkeypatch, where)
    done = await run(made_of, tmp_path)
    assert len(muxed) == 1
    video = next(artifact for artifact in done.artifacts if artifact.kind is ArtifactKind.VIDEO)
    assert done.artifacts[0] is video and done.picture == "copied"
    with made_of.blobs.local_copy(video.key) as path:
        assert picture_hash(path) == picture_hash(sample("plain.mp4"))
    forget_muxed(made_of.cache / "job")
    assert list((made_of.cache / "job").iterdir()) == []


async def test_a_video_of_other_inputs_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, muxed: list[Path]
) -> None:
    made_of = context(tmp_path)
    await killed(made_of, tmp_path, monkeypatch, "_lasts_s")
    await run(made_of, tmp_path, name="others")
    assert len(muxed) == 2
    assert len(list((made_of.cache / "job").iterdir())) <= 1
