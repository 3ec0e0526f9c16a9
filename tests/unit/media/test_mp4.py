"""What is changed in a finished MP4, byte by byte."""

from pathlib import Path

import av

from app.media.mp4 import disable_subtitles
from tests.unit.media.samples import make, sample


def test_only_the_subtitles_flag_is_changed(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nx\n")
    for faststart in ("+faststart", "+frag_keyframe", "0"):
        lines = ["-i", str(tmp_path / "a.srt"), "-i", str(tmp_path / "a.srt"), "-map", "0", "-map", "1", "-map", "2", "-c:s", "mov_text"]
        film = make(tmp_path / "film.mp4", "-i", str(sample("plain.mp4")), *lines, "-c:v", "copy", "-c:a", "copy", "-movflags", faststart)
        before = film.read_bytes()
        disable_subtitles(film)
        after = film.read_bytes()
        assert len(before) == len(after)
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1  # the muxer had enabled the first
        default = av.stream.Disposition.default
        with av.open(str(film)) as container:
            assert [bool(stream.disposition & default) for stream in container.streams] == [True, True, False, False]


def test_a_file_that_is_no_mp4_is_left_alone(tmp_path: Path) -> None:
    for data in (b"", b"\0\0\0\1moov", b"\0\0\0\x08moov" * 3, b"\0\0\0\2moov", b"\xff\xff\xff\xffmoov" + b"\0" * 40, b"x" * 1000):
        file = tmp_path / "odd"
        file.write_bytes(data)
        disable_subtitles(file)
        assert file.read_bytes() == data
