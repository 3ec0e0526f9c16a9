"""The last stage: every file that a person gets, and what is said of them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.domain.dub_options import AudioCodec, BurnPosition, Container, Task
from app.domain.errors import DubError
from app.domain.media import ArtifactKind
from app.domain.problems.media import CONTAINER_UNSUITABLE
from app.domain.segment import Placement, Segment
from app.dubbing.context import Context
from app.dubbing.finish import Finished, finish, has_source_subtitles
from app.dubbing.pipeline import Sound
from app.dubbing.probe import probe
from app.dubbing.subtitles.srt_vtt import parse
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import NO_LIMITS
from tests.unit.dubbing.options import options
from tests.unit.dubbing.video.muxing import labels, picture_hash, sound_of, track_of
from tests.unit.media.samples import DURATION_S, sample

LINES = (
    Segment("a", 0.5, 1.5, "Hola, ¿qué tal?", "Hello, how are you?", "", False, ()),
    Segment("b", 2.0, 3.5, "Adiós.", "Goodbye.", "", False, ()),
)
PLACED = (Placement("a", 0.6, 1.0, 1.0, 0.0, 0.0, ()), Placement("b", 2.0, 1.2, 1.0, 0.0, 0.0, ()))


def context(folder: Path) -> Context:
    return Context(
        blobs=FolderBlobs(folder / "blobs"),
        workspace=Workspace(folder / "scratch"),
        cache=folder / "cache",
        engines=None,  # type: ignore[arg-type]
        threads=1,
        limits=NO_LIMITS,
        max_duration_s=3600.0,
        blob_folders=(folder / "blobs",),
    )


async def finished(
    folder: Path, name: str, *, lines: Sequence[Segment] = LINES, language: str | None = "en", **wished: object
) -> tuple[Context, Finished]:
    source, wish, made_of = sample(name), options(**wished), context(folder)
    track = track_of(
        sound_of(sample("plain.flac")),
        folder / ("track.opus" if wish.output.audio_codec is AudioCodec.OPUS else "track.m4a"),
    )
    sound = Sound(DURATION_S, "", "", "", None)
    said: list[float] = []
    done = await finish(
        made_of,
        source,
        probe(source),
        sound,
        track,
        lines,
        PLACED,
        wish,
        "en",
        lambda fraction, _: said.append(fraction),
    )
    assert said == sorted(said)
    assert not list((folder / "scratch").iterdir())
    return made_of, done


def kinds(done: Finished) -> dict[ArtifactKind, str]:
    return {artifact.kind: artifact.extension for artifact in done.artifacts}


async def test_a_translated_video_has_subtitles_in_both_languages(tmp_path: Path) -> None:
    made_of, done = await finished(tmp_path, "plain.mp4", target_language="es", keep_original_track=True)
    assert kinds(done) == {
        ArtifactKind.VIDEO: "mp4",
        ArtifactKind.SRT: "srt",
        ArtifactKind.VTT: "vtt",
        ArtifactKind.ASS: "ass",
        ArtifactKind.SOURCE_SRT: "srt",
    }
    files = {artifact.kind: made_of.blob_folders[0] / artifact.key for artifact in done.artifacts}
    for kind in (ArtifactKind.SRT, ArtifactKind.VTT, ArtifactKind.ASS):
        assert [(cue.start_s, cue.text) for cue in parse(files[kind].read_bytes())] == [
            (0.6, "Hola, ¿qué tal?"),
            (2.0, "Adiós."),
        ]
    assert [(cue.start_s, cue.text) for cue in parse(files[ArtifactKind.SOURCE_SRT].read_bytes())] == [
        (0.5, "Hello, how are you?"),
        (2.0, "Goodbye."),
    ]
    assert labels(files[ArtifactKind.VIDEO])[1:] == [
        ("audio", "spa", "Dub", True),
        ("audio", "eng", "Original", False),
        ("subtitle", "spa", "Dub", False),
        ("subtitle", "eng", "Original", False),
    ]
    assert picture_hash(files[ArtifactKind.VIDEO]) == picture_hash(sample("plain.mp4"))
    assert done.picture == "copied"
    # the header counts in milliseconds
    assert done.duration_s == pytest.approx(probe(files[ArtifactKind.VIDEO]).duration_s, abs=0.001)
    assert done.duration_s == pytest.approx(DURATION_S, abs=0.05)


@pytest.mark.parametrize(
    ("wished", "language", "there"),
    [
        ({"target_language": "es"}, "en", True),
        ({"target_language": "en"}, "en", False),
        ({}, "en", False),
        ({"target_language": "es", "recognizer": "subtitles"}, "en", False),
        ({"task": Task.TRANSLATE, "language": "fr"}, "fr", False),
        ({"target_language": "es", "task": Task.TRANSLATE, "language": "fr"}, "fr", False),
        ({"target_language": "es", "language": None}, None, True),
    ],
)
def test_the_originals_subtitles_exist_where_its_words_are_known_and_others_are_spoken(
    wished: dict[str, object], language: str | None, there: bool
) -> None:
    assert has_source_subtitles(options(**wished), language) is there


async def test_burned_subtitles_look_as_asked_and_the_encoder_is_named(tmp_path: Path) -> None:
    made_of, done = await finished(
        tmp_path,
        "plain.webm",
        burn_subtitles=True,
        burn_position=BurnPosition.TOP,
        burn_box=True,
        container=Container.MKV,
    )
    assert done.picture == "libx264"
    files = {artifact.kind: made_of.blob_folders[0] / artifact.key for artifact in done.artifacts}
    info = probe(files[ArtifactKind.VIDEO])
    assert info.video is not None and (info.format, info.video.codec) == ("matroska,webm", "h264")
    style = next(
        line for line in files[ArtifactKind.ASS].read_text(encoding="utf-8").splitlines() if line.startswith("Style:")
    )
    assert style.split(",")[15] == "3" and style.split(",")[18] == "8"  # a box, at the top


async def test_webm_in_webm_out(tmp_path: Path) -> None:
    _, done = await finished(tmp_path, "plain.webm", container=Container.WEBM, audio_codec=AudioCodec.OPUS)
    assert kinds(done)[ArtifactKind.VIDEO] == "webm"
    assert done.duration_s == pytest.approx(DURATION_S, abs=0.05)


async def test_sound_alone_gets_its_subtitles(tmp_path: Path) -> None:
    _, done = await finished(tmp_path, "plain.mp3", container=Container.WEBM)
    assert set(kinds(done)) == {ArtifactKind.SRT, ArtifactKind.VTT, ArtifactKind.ASS}
    assert done.picture is None
    assert done.duration_s == pytest.approx(DURATION_S, abs=0.05)


async def test_an_unsuitable_container_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(DubError) as caught:
        await finished(tmp_path, "plain.mp4", container=Container.WEBM)
    assert caught.value.problem is CONTAINER_UNSUITABLE
