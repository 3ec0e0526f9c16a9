"""Subtitles drawn into the picture: every script, the right moment, the picture's own clock."""

import shutil
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from app.dubbing.probe import probe
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video import burn as burning
from app.dubbing.video.burn import FONTS, BurnRequest, burn
from app.dubbing.video.mux import DubbedTrack, MuxRequest, mux
from app.media.decode import audio_blocks
from tests.unit.media.samples import DURATION_S, lag_ms, make, picture_times, sample, track_of

SCRIPTS = {
    "Latin": "Hello, wörld! Łódź, ça va?",
    "Arabic": "مرحبا بالعالم",
    "Hebrew": "שלום עולם",
    "Hindi": "नमस्ते दुनिया",
    "Thai": "สวัสดีชาวโลก",
    "Chinese": "你好世界。字幕",
    "Japanese": "こんにちは世界カタカナ",
    "Korean": "안녕하세요 세계",
    "Russian": "Привет, мир",
}
OTHERS = {
    "Bengali": "হ্যালো বিশ্ব",
    "Tamil": "வணக்கம் உலகம்",
    "Telugu": "హలో ప్రపంచం",
    "Georgian": "გამარჯობა",
    "Amharic": "ሰላም ልዑል",
    "Burmese": "မင်္ဂလာပါ",
    "Khmer": "សួស្តី",
    "Lao": "ສະບາຍດີ",
}


def request_for(source: Path, folder: Path, cues: tuple[Cue, ...], duration_s: float = DURATION_S) -> BurnRequest:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return BurnRequest(
        source=source,
        out=folder / "burned.mp4",
        info=probe(source),
        duration_s=duration_s,
        cues=cues,
        work=work,
        threads=1,
    )


def frames(path: Path) -> dict[float, np.ndarray]:
    """Every picture by the second it is shown at, as grey float."""
    with av.open(str(path)) as container:
        return {
            round(frame.time, 3): frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)
        }


async def drawn(folder: Path, texts: dict[str, str]) -> dict[str, np.ndarray]:
    """Each text in the middle of its own second, over plain blue."""
    plain = make(
        folder / "plain.mp4", "-f", "lavfi", "-i", f"color=0x103050:s=640x360:r=2:d={len(texts)}", "-c:v", "libx264"
    )
    cues = tuple(Cue(float(at), at + 0.9, text) for at, text in enumerate(texts.values()))
    await burn(request_for(plain, folder, cues, len(texts)), lambda _: None)
    shown = frames(folder / "burned.mp4")
    return {name: shown[at + 0.5] for at, name in enumerate(texts)}


@pytest.mark.parametrize("texts", [SCRIPTS, OTHERS], ids=["widespread", "others"])
async def test_every_script_is_drawn_with_letters_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str]
) -> None:
    ours, boxed = tmp_path / "ours", tmp_path / "boxed"
    ours.mkdir()
    boxed.mkdir()
    letters = await drawn(ours, texts)
    only_latin = tmp_path / "fonts"
    only_latin.mkdir()
    shutil.copy(FONTS / "NotoSans-Regular.ttf", only_latin)
    monkeypatch.setattr(burning, "FONTS", only_latin)
    boxes = await drawn(boxed, texts)
    for name in texts:
        ink = letters[name] - np.median(letters[name])
        assert (ink > 100).sum() > 100, f"{name}: nothing bright was drawn"
        assert np.abs(ink[:200]).max() < 30, f"{name}: text outside the lower part of the picture"
        if name not in ("Latin", "Russian", "Hindi"):  # Noto Sans itself has these
            differing = (np.abs(letters[name] - boxes[name]) > 100).sum()
            assert differing > 150, f"{name}: the same as without its font, which is boxes"


async def test_no_font_of_the_system_is_needed(tmp_path: Path) -> None:
    conf = Path(burning.font_environment(tmp_path)["FONTCONFIG_FILE"]).read_text(encoding="utf-8")
    assert conf.count("<dir>") == 1 and str(FONTS) in conf
    licences = sorted(path.name for path in FONTS.glob("LICENSE*"))
    assert licences == ["LICENSE-NotoSans.txt", "LICENSE-WenQuanYiMicroHei.txt"]


async def test_right_to_left_lines_begin_on_the_right(tmp_path: Path) -> None:
    """The full stop that ends a Hebrew line stands at its left end."""
    picture = (await drawn(tmp_path, {"Hebrew": "שלום עולם."}))["Hebrew"]
    bright = np.argwhere(picture > 200)
    columns = bright[:, 1]
    left = bright[columns < columns.min() + 4]
    assert left[:, 0].min() > np.median(bright[:, 0])  # low on the line, as a full stop is


async def test_text_is_there_for_its_time_and_no_longer(tmp_path: Path) -> None:
    plain = make(tmp_path / "plain.mp4", "-f", "lavfi", "-i", "color=black:s=320x180:r=10:d=4", "-c:v", "libx264")
    await burn(request_for(plain, tmp_path, (Cue(1.0, 2.0, "HERE"), Cue(3.0, 99.0, "END"))), lambda _: None)
    lit = [second for second, picture in frames(tmp_path / "burned.mp4").items() if picture.max() > 150]
    assert lit == [round(n / 10, 1) for n in (*range(10, 20), *range(30, 40))]


@pytest.mark.parametrize(
    "text", ["{\\pos(10,10)}moved", "{\\alpha&HFF&}gone", "{\\fs1}tiny", "a\\Nb", "{\\p1}m 0 0 l 100 0 100 100{\\p0}"]
)
async def test_what_looks_like_markup_is_drawn_as_text(tmp_path: Path, text: str) -> None:
    picture = (await drawn(tmp_path, {"x": text}))["x"]
    bright = np.argwhere(picture > 200)
    assert len(bright) > 60
    assert bright[:, 0].min() > 250  # one line, at the bottom


@pytest.mark.parametrize(
    "name", ["plain.mp4", "vfr.mp4", "late_picture.mp4", "late_picture.ts", "offset.ts", "plain.webm", "silent.mp4"]
)
async def test_pictures_keep_their_times_through_burning_and_muxing(tmp_path: Path, name: str) -> None:
    source = sample(name)
    request = request_for(source, tmp_path, (Cue(1.0, 2.0, "HERE"),))
    heard: list[float] = []
    await burn(request, heard.append)
    assert heard == sorted(heard) and heard[-1] == 1.0
    sound = np.concatenate(list(audio_blocks(source if request.info.audio else sample("plain.flac"), 0)))
    dub = DubbedTrack(track_of(sound, tmp_path / "track.m4a"), "aac", None)
    asked = MuxRequest(
        source=source,
        out=tmp_path / "out.mp4",
        info=request.info,
        duration_s=len(sound) / 48_000,
        dubs=(dub,),
        work=request.work,
        burned=request.out,
    )
    await mux(asked, lambda _: None)
    before, after = picture_times(source), picture_times(asked.out)
    assert len(before) == len(after)
    assert np.abs(before - after).max() <= 0.001
    assert lag_ms(sound[:, 0], np.concatenate(list(audio_blocks(asked.out, 0)))[:, 0]) == pytest.approx(0, abs=1.0)


async def test_a_turned_film_is_upright_and_its_text_too(tmp_path: Path) -> None:
    request = request_for(sample("turned.mp4"), tmp_path, (Cue(0.0, 4.0, "HERE"),))
    await burn(request, lambda _: None)
    made = probe(request.out).video
    assert made is not None
    assert (made.width, made.height, made.rotation_deg) == (120, 160, 0)
    await burn(msgspec.structs.replace(request, out=tmp_path / "bare.mp4", cues=()), lambda _: None)
    changed = np.argwhere(np.abs(frames(request.out)[1.0] - frames(tmp_path / "bare.mp4")[1.0]) > 60)
    assert len(changed) > 20
    assert changed[:, 0].min() > 120  # at the foot of the upright picture


async def test_odd_sizes_and_odd_folders_are_no_trouble(tmp_path: Path) -> None:
    folder = tmp_path / "it's: a [folder], with;=&<odd> 'n\"ame é %d"
    folder.mkdir()
    odd = make(folder / "odd.mkv", "-f", "lavfi", "-i", "testsrc=s=161x121:d=1", "-c:v", "ffv1")
    request = request_for(odd, folder, (Cue(0.0, 1.0, "HERE"),), 1.0)
    await burn(request, lambda _: None)
    made = probe(request.out).video
    assert made is not None and (made.width, made.height, made.codec) == (162, 122, "h264")


def combed(path: Path) -> tuple[int, int]:
    """(frames, frames flagged as interlaced). A flag is what a player goes by."""
    with av.open(str(path)) as container:
        flags = [frame.interlaced_frame for frame in container.decode(video=0)]
    return len(flags), sum(flags)


def teeth(path: Path, moment_s: float = 1.0) -> float:
    """How much a line differs from the mean of its neighbours, against how much the neighbours differ: far above 1
    where two moments are combed."""
    picture = frames(path)[moment_s]
    between = np.abs(picture[1:-1] - (picture[:-2] + picture[2:]) / 2).mean()
    return float(between / (np.abs(picture[2:] - picture[:-2]).mean() + 0.5))


_BAR = "color=black:s=320x240:r=50:d=2[b];color=white:s=24x240:r=50:d=2[w];"
_BAR += "[b][w]overlay=x='mod(160*t\\,300)':y=0,format=yuv420p"
_TWO_FIELDS = {
    "top": "tinterlace=interleave_top,fieldorder=tff",
    "bottom": "tinterlace=interleave_bottom,fieldorder=bff",
}


@pytest.mark.parametrize("first", _TWO_FIELDS)
async def test_interlaced_pictures_are_deinterlaced_by_their_own_field_order(tmp_path: Path, first: str) -> None:
    coded = ("-c:v", "mpeg2video", "-qscale:v", "2", "-flags", "+ildct+ilme", "-t", "2")
    source = make(tmp_path / "fields.ts", "-filter_complex", f"{_BAR},{_TWO_FIELDS[first]}", *coded)
    assert combed(source)[1] == combed(source)[0] > 40 and teeth(source, list(frames(source))[25]) > 1.5
    request = request_for(source, tmp_path, (Cue(0.0, 0.4, "HERE"),), 2.0)
    await burn(request, lambda _: None)
    count, flagged = combed(request.out)
    assert (count, flagged) == (combed(source)[0], 0)
    assert teeth(request.out) < 0.8, "no tooth is left"
    seen = [
        float((frame[:160].mean(axis=0) * np.arange(320)).sum() / frame[:160].mean(axis=0).sum())
        for _, frame in sorted(frames(request.out).items())
    ]
    steps = np.diff(seen[5:40])
    assert steps.min() > 0, "the bar goes one way: with the wrong field first it would go back at every picture"


async def test_progressive_pictures_are_left_as_they_are(tmp_path: Path) -> None:
    lossless = make(
        tmp_path / "film.mkv", "-f", "lavfi", "-i", "testsrc=s=320x240:r=25:d=1", "-c:v", "ffv1", "-pix_fmt", "yuv420p"
    )
    request = request_for(lossless, tmp_path, (), 1.0)
    await burn(request, lambda _: None)
    before, after = frames(lossless), frames(request.out)
    assert len(before) == len(after) == 25
    assert max(np.abs(before[at] - after[at]).mean() for at in before) < 3


async def test_a_film_of_two_lines_is_burned(tmp_path: Path) -> None:
    """The deinterlacer takes no picture that small."""
    tiny = make(tmp_path / "tiny.mkv", "-f", "lavfi", "-i", "testsrc=s=2x2:d=1", "-c:v", "ffv1")
    request = request_for(tiny, tmp_path, (), 1.0)
    await burn(request, lambda _: None)
    assert len(frames(request.out)) == 25
