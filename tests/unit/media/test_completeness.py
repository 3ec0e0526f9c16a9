"""A file whose end is missing is called incomplete, and a whole one is not."""

import struct
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_INCOMPLETE
from app.dubbing.probe import probe
from app.media.completeness import missing
from tests.unit.media.samples import sample

WHOLE = (
    "plain.mp4",
    "front.mp4",
    "fragmented.mp4",
    "pcm.mov",
    "plain.3gp",
    "plain.mkv",
    "plain.webm",
    "plain.mka",
    "plain.avi",
    "plain.wav",
    "plain.m4a",
    "plain.ts",
    "plain.flv",
    "plain.mp3",
    "plain.ogg",
    "plain.mpg",
    "plain.mxf",
)
CUT = ("plain.mp4", "front.mp4", "pcm.mov", "plain.mkv", "plain.webm", "plain.avi", "plain.wav")


def cut(tmp_path: Path, name: str, share: float) -> Path:
    data = sample(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_lacks_nothing(name: str) -> None:
    assert missing(sample(name)) == ""


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", CUT)
def test_a_cut_file_lacks_its_end(tmp_path: Path, name: str, share: float) -> None:
    size = cut(tmp_path, name, share).stat().st_size
    assert f"It has {size:,} of at least " in missing(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "share"), [("plain.mp4", 0.5), ("plain.mp4", 0.99), ("pcm.mov", 0.8), ("plain.mkv", 0.001)]
)
def test_a_file_that_cannot_be_read_without_its_end_is_called_incomplete(
    tmp_path: Path, name: str, share: float
) -> None:
    with pytest.raises(DubError) as caught:
        probe(cut(tmp_path, name, share))
    assert caught.value.problem is MEDIA_INCOMPLETE
    assert "It has " in caught.value.message


def test_a_recording_that_broke_off_between_two_boxes_lacks_its_index(tmp_path: Path) -> None:
    data = sample("plain.mp4").read_bytes()
    path = tmp_path / "crashed.mp4"
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    assert missing(path) == "Its index (moov) is missing: the recording or transfer broke off."
    with pytest.raises(DubError) as caught:
        probe(path)
    assert caught.value.problem is MEDIA_INCOMPLETE


@pytest.mark.parametrize("tail", [b"\0" * 5000, b"\xff" * 40, b"TAG" + bytes(125)])
def test_what_another_program_put_after_the_end_is_no_lack(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(sample("plain.mp4").read_bytes() + tail)
    assert missing(path) == ""


def test_a_length_that_was_never_filled_in_says_nothing(tmp_path: Path) -> None:
    data = bytearray(sample("plain.wav").read_bytes())
    data[4:8] = struct.pack("<I", 0xFFFFFFFF)  # as a program writes it that sends to a pipe
    path = tmp_path / "piped.wav"
    path.write_bytes(data)
    assert missing(path) == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1a\x45\xdf\xa3", b"\x1a\x45\xdf\xa3\x84abcd\x18\x53\x80\x67", b"\0\0\0\x08ftyp", b"RIFF\0\0\0\0AVI "],
)
def test_a_head_alone_is_no_trouble(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "head"
    path.write_bytes(content)
    assert isinstance(missing(path), str)
