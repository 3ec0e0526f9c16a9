"""Which video encoder is taken, with a program that lists and fails as real builds do."""

import json
import sys
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_LIMIT
from app.media import ffmpeg, video_encoders
from tests.unit.media.samples import FFMPEG

pytestmark = pytest.mark.media

FAKE = """#!{python}
import json, os, sys
here = {here!r}
plan = json.load(open(here + "/plan.json"))
words = sys.argv[1:]
with open(here + "/calls", "a") as calls:
    calls.write(json.dumps(words) + "\\n")
if "-encoders" in words:
    print(" ------\\n V....D libx264              libx264 H.264 (codec h264)")
    for name in plan["listed"]:
        print(f" V....D {{name:20}} {{name}} encoder (codec h264)")
    sys.exit(0)
asked = [name for name in plan["listed"] if name in words]
if asked and asked[0] not in plan["works"]:
    print(f"[{{asked[0]}} @ 0x55d5fe508bc0] Cannot load libcuda.so.1", file=sys.stderr)
    sys.exit(1)
if asked and plan.get("breaks") and "lavfi" not in words[:12]:
    print(f"[{{asked[0]}} @ 0x55d5fe508bc0] OpenEncodeSessionEx failed: out of memory (10)", file=sys.stderr)
    sys.exit(1)
if asked:  # what it would make is made by libx264
    at = words.index("-c:v")
    end = next(n for n in range(at + 2, len(words)) if words[n] in ("-threads", "-f"))
    words[at : end] = ["-c:v", "libx264", "-preset", "ultrafast"]
    words = [word.replace(",hwupload", "") for word in words]
    if "-vaapi_device" in words:
        at = words.index("-vaapi_device")
        del words[at : at + 2]
os.execv({real!r}, [{real!r}, *words])
"""


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, **plan: object) -> Path:
    """Put a program in ffmpeg's place that lists encoders, of which some work; the rest it does as ffmpeg."""
    program = folder / "ffmpeg"
    program.write_text(FAKE.format(python=sys.executable, here=str(folder), real=FFMPEG))
    program.chmod(0o755)
    (folder / "plan.json").write_text(json.dumps({"listed": [], "works": [], **plan}))
    monkeypatch.setattr(ffmpeg, "tool", lambda: str(program))
    return program


def calls(folder: Path) -> list[list[str]]:
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


NVENC, QSV, VAAPI, APPLE = "h264_nvenc", "h264_qsv", "h264_vaapi", "h264_videotoolbox"


@pytest.mark.parametrize(
    ("listed", "works", "chosen"),
    [
        ([], [], "libx264"),
        ([NVENC, QSV], [], "libx264"),
        ([NVENC, QSV], [QSV], QSV),
        ([NVENC, QSV], [NVENC, QSV], NVENC),
        ([APPLE], [APPLE], APPLE),
        (["hevc_nvenc"], ["hevc_nvenc"], "libx264"),
        ([NVENC, VAAPI], [VAAPI], VAAPI),
    ],
)
async def test_an_encoder_is_taken_when_it_is_listed_and_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: list[str], works: list[str], chosen: str
) -> None:
    (tmp_path / "renderD128").touch()
    monkeypatch.setattr(video_encoders, "_VAAPI_DEVICES", tmp_path)
    fake(tmp_path, monkeypatch, listed=listed, works=works)
    assert (await video_encoders.choose(hardware=True)).name == chosen


async def test_nothing_is_looked_for_unless_it_is_asked_for_and_then_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC])
    assert await video_encoders.choose(hardware=False) is video_encoders.SOFTWARE
    assert not (tmp_path / "calls").exists()
    first = await video_encoders.choose(hardware=True)
    looked = len(calls(tmp_path))
    assert await video_encoders.choose(hardware=True) is first
    assert len(calls(tmp_path)) == looked == 2  # the list, and one trial


async def test_every_device_is_tried_for_va_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("renderD128", "renderD129", "card0"):
        (tmp_path / name).touch()
    monkeypatch.setattr(video_encoders, "_VAAPI_DEVICES", tmp_path)
    fake(tmp_path, monkeypatch, listed=[VAAPI])
    assert await video_encoders.choose(hardware=True) is video_encoders.SOFTWARE
    tried = [words[words.index("-vaapi_device") + 1] for words in calls(tmp_path) if "-vaapi_device" in words]
    assert tried == [str(tmp_path / "renderD128"), str(tmp_path / "renderD129")]


async def test_an_encoder_that_hangs_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\ncase "$*" in *-encoders*) echo " V....D h264_qsv x";; *) exec sleep 60;; esac\n')
    program.chmod(0o755)
    monkeypatch.setattr(ffmpeg, "tool", lambda: str(program))
    monkeypatch.setattr(video_encoders, "_TRIAL_S", 0.5)
    assert await video_encoders.choose(hardware=True) is video_encoders.SOFTWARE


async def test_a_program_that_does_not_answer_is_asked_again_by_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object, **__: object) -> ffmpeg.ToolOutput:
        raise DubError(MEDIA_LIMIT)

    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC])
    with monkeypatch.context() as patch:
        patch.setattr(ffmpeg, "ask", busy)
        assert await video_encoders.choose(hardware=True) is video_encoders.SOFTWARE
    assert (await video_encoders.choose(hardware=True)).name == NVENC


async def test_the_shipped_program_is_asked_what_this_machine_can_do() -> None:
    """Whatever is found here has really encoded something."""
    found = await video_encoders.choose(hardware=True)
    assert await video_encoders.works(found)


async def test_only_cuda_is_let_off_the_limit_of_address_space() -> None:
    from app.system.children import Limits

    limits = Limits(memory_bytes=1 << 30, cpu_s=60)
    assert video_encoders.SOFTWARE.within(limits) == limits
    assert [encoder.name for encoder in video_encoders._HARDWARE if encoder.within(limits) == Limits(cpu_s=60)] == [
        NVENC
    ]
