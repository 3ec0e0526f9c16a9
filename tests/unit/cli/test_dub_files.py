"""What `autodubber dub` calls its results, whatever the input is called."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import main as cli
from app.cli.dub_files import fitting, hand_over
from app.domain.media import Artifact, ArtifactKind
from app.system import exit_status

ENDINGS = {
    ArtifactKind.VIDEO: "mp4",
    ArtifactKind.AUDIO: "m4a",
    ArtifactKind.SRT: "srt",
    ArtifactKind.VTT: "vtt",
    ArtifactKind.SOURCE_SRT: "srt",
    ArtifactKind.REPORT: "json",
}


def handed_over(tmp_path: Path, stem: str, *inputs: Path) -> dict[str, str]:
    made = tmp_path / "made"
    made.mkdir(exist_ok=True)
    for kind in ENDINGS:
        (made / kind).write_text(f"{stem} {kind}", encoding="utf-8", errors="surrogateescape")
    context = cast(
        Any, SimpleNamespace(blobs=SimpleNamespace(local_copy=lambda key: contextlib.nullcontext(made / key)))
    )
    artifacts = [Artifact(kind, kind.value, 1, "", "", extension) for kind, extension in ENDINGS.items()]
    return hand_over(context, artifacts, stem, tmp_path / "out", inputs)


@pytest.mark.parametrize(
    "stem", ["a" * 251, "年" * 83, "é" * 125, "😀" * 62, "年" * 80, "x" + "年" * 79, os.fsdecode(b"\xe9" * 250)]
)
def test_a_name_as_long_as_names_can_be_gives_every_file(tmp_path: Path, stem: str) -> None:
    outputs = handed_over(tmp_path, stem)
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert len(outputs) == len(names) == len(ENDINGS)
    assert all(len(os.fsencode(name)) <= 255 for name in names)
    assert {Path(output).name for output in outputs.values()} == set(names)
    common = Path(outputs["video"]).name.removesuffix("mp4")
    assert stem.startswith(common.removesuffix(".dub.").partition("~")[0]) and common.endswith(".dub."), (
        "all of them begin alike"
    )
    assert all(name.startswith(common) for name in names)
    assert sorted(name.removeprefix(common) for name in names) == [
        "m4a",
        "mp4",
        "original.srt",
        "report.json",
        "srt",
        "vtt",
    ]


def test_long_names_that_begin_alike_stay_apart(tmp_path: Path) -> None:
    first, second = (handed_over(tmp_path, "年" * 82 + last) for last in "ab")
    assert not set(first.values()) & set(second.values())
    assert Path(first["srt"]).read_text() != Path(second["srt"]).read_text()
    assert handed_over(tmp_path, "年" * 82 + "a") == first, "another run replaces its own results"


def test_a_long_input_is_never_replaced_by_a_result(tmp_path: Path) -> None:
    video = tmp_path / "out" / fitting("年" * 84, ".dub.mp4")
    video.parent.mkdir()
    taken = Path(handed_over(tmp_path, "年" * 84)["video"])
    taken.write_bytes(b"the input")
    outputs = handed_over(tmp_path, "年" * 84, taken)
    assert taken.read_bytes() == b"the input" and ".dub-2." in outputs["video"]


@given(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=300),
    st.integers(40, 255),
)
def test_a_name_fits_and_is_cut_only_when_it_must_be(stem: str, longest: int) -> None:
    name = fitting(stem, ".dub.mp4", longest)
    assert len(name.encode()) <= longest and name.endswith(".dub.mp4")
    assert (name == stem + ".dub.mp4") == (len(stem.encode()) + 8 <= longest)


@pytest.mark.parametrize("review", ["n" * 300 + ".srt", "nowhere/lines.srt"])
def test_a_review_file_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, review: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"never read")
    assert cli.main(["dub", str(tmp_path / "film.mp4"), "--review", str(tmp_path / review)]) == exit_status.USAGE
    assert "--review" in capsys.readouterr().err
