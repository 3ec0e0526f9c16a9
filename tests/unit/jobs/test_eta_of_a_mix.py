"""What is told of the time that is left when a killed mix, or a burned picture, goes on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from app.domain import stages
from app.domain.dub_options import AudioFormat, Background
from app.domain.job import Phase
from app.dubbing.mixing import chunk_store
from app.dubbing.mixing.mix import mixdown
from app.dubbing.worker.tasks import MixClip, MixRequest
from app.jobs import eta, server_hooks
from app.jobs.eta import StageClock
from app.jobs.failures import Failures
from app.jobs.server_hooks import ServerHooks
from app.jobs.stage_hooks import StageRun
from tests.unit.dubbing.sounds import noise, write_wav
from tests.unit.jobs.house import House

CHUNKS, KILLED_AFTER = 20, 12
CHUNK_S, CHUNK_TAKES_S = 16.0, 10.0


class Killed(BaseException):
    """The child's end."""


@pytest.fixture
def asked(tmp_path: Path) -> MixRequest:
    """A line in each of twenty chunks; no thread runs ahead of what is told."""
    clips = []
    for number in range(CHUNKS):
        path = write_wav(tmp_path / f"line{number}.wav", noise(1.0, 24_000, seed=number), 24_000)
        clips.append(MixClip(str(path), number * CHUNK_S + 5, 1.0, 1.0, 0.0, 0.0))
    return MixRequest(
        source=None,
        source_id="",
        audio_track=0,
        duration_s=CHUNKS * CHUNK_S,
        clips=tuple(clips),
        background=Background.REPLACE,
        energies=None,
        chunk_cache=str(tmp_path / "cache"),
        out=str(tmp_path / "out.m4a"),
        threads=0,
    )


@pytest.mark.parametrize("audio_format", [AudioFormat.M4A, AudioFormat.WAV])
def test_a_mix_that_goes_on_at_60_percent_tells_the_time_that_the_rest_takes(
    tmp_path: Path, asked: MixRequest, audio_format: AudioFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every chunk takes ten seconds, by a clock of the test: twelve were made before the kill, eight are left."""
    now_s, until_killed = 1000.0, KILLED_AFTER
    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr(eta, "time", clock)
    monkeypatch.setattr(server_hooks, "time", clock)
    real = chunk_store.mixed

    def slowly(*arguments: object) -> np.ndarray:
        nonlocal now_s, until_killed
        if until_killed == 0:
            raise Killed
        until_killed -= 1
        now_s += CHUNK_TAKES_S
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(chunk_store, "mixed", slowly)
    asked = msgspec.structs.replace(asked, audio_out=str(tmp_path / "out.audio"), audio_format=audio_format)
    with pytest.raises(Killed):
        mixdown(asked, lambda _: None)

    until_killed = CHUNKS  # the server starts anew
    (tmp_path / "house").mkdir()
    house = House(tmp_path / "house")
    job = house.created()
    hooks = ServerHooks(
        store=house.store,
        blobs=house.blobs,
        hub=house.hub,
        failures=Failures(house.store, house.hub),
        discard=lambda _: None,
        inner=None,  # type: ignore[arg-type]
    )
    costs = {stage.name: 0.0 for stage in stages.in_phase(Phase.RENDER)} | {"mix": CHUNK_TAKES_S / CHUNK_S}
    run = StageRun(stages.MIX, job.id, row=house.store.row(job.id))
    report = hooks._reporter(run, job.id, "mix", StageClock(stages.MIX, asked.duration_s, costs))
    told: list[tuple[float, float]] = []  # and what was true then
    begun_s = now_s

    def listen(fraction: float) -> None:
        report(fraction, "")
        latest = house.hub.latest(job.id)
        assert latest is not None and latest.eta_s is not None
        told.append((latest.eta_s, (CHUNKS - KILLED_AFTER) * CHUNK_TAKES_S - (now_s - begun_s)))

    report_ = mixdown(asked, listen)
    assert (report_.encoded_chunks, report_.cached_chunks) == (CHUNKS - KILLED_AFTER, KILLED_AFTER)
    assert len(told) == 1 + 8 + 1, "what was found is told in one word, then every chunk that is made"
    # The file is written in the last two hundredths, which take no time here: towards the end they weigh more.
    for number, (told_s, true_s) in enumerate(told[:6]):
        assert told_s == pytest.approx(true_s, rel=0.2), number


def test_a_mix_with_nothing_left_to_make_tells_its_end_only(asked: MixRequest) -> None:
    first: list[float] = []
    mixdown(asked, first.append)
    assert len(first) == CHUNKS + 1 + CHUNKS + 1 and first == sorted(first)  # clips, and none found; chunks; the end
    again: list[float] = []
    mixdown(asked, again.append)
    assert again == [1.0]
