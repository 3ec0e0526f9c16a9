"""Which audio track is heard where nobody has chosen one, and how tracks are named."""

from __future__ import annotations

import msgspec
import pytest

from app.domain.media import AudioStream, MediaInfo
from app.dubbing import audio_tracks
from tests.unit.dubbing.options import options

FIRST = AudioStream(1, 0, "aac", 48_000, 2, None, None)


def film(*facts: dict[str, object]) -> tuple[AudioStream, ...]:
    return tuple(
        msgspec.structs.replace(FIRST, index=number + 1, track=number, **each) for number, each in enumerate(facts)
    )


ENGLISH, SPANISH, GERMAN = {"language": "eng"}, {"language": "spa"}, {"language": "ger"}
DEFAULT, SILENT, COMMENTARY = {"default": True}, {"silent": True}, {"purpose": "commentary"}


@pytest.mark.parametrize(
    ("audio", "language", "taken"),
    [
        (film({}), None, 0),
        (film({}, {}), None, 0),
        (film(SPANISH | COMMENTARY, ENGLISH | DEFAULT), "en", 1),
        (film(SPANISH, ENGLISH | DEFAULT), None, 1),
        (film(DEFAULT | SILENT, {}), "en", 1),
        (film(SILENT, SILENT | DEFAULT), None, 1),
        (film(SILENT, {}, {}), None, 1),
        (film(COMMENTARY, {}), None, 1),
        (film(DEFAULT, DEFAULT | SPANISH), "es", 1),  # MP4 marks every track that is switched on
        # what the person says is spoken goes before what the file says is first
        (film(DEFAULT | ENGLISH, SPANISH, GERMAN), "es", 1),
        (film(DEFAULT | ENGLISH, SPANISH, GERMAN), "de", 2),
        (film(DEFAULT | ENGLISH, SPANISH), "fr", 0),
        (film(DEFAULT, SPANISH), "fr", 0),
        (film(ENGLISH | DEFAULT, SPANISH | SILENT), "es", 0),
        ((), None, None),
    ],
)
def test_the_track_that_is_meant_is_taken(
    audio: tuple[AudioStream, ...], language: str | None, taken: int | None
) -> None:
    assert audio_tracks.automatic(audio, language) == taken


def test_a_choice_of_the_person_goes_before_all() -> None:
    info = MediaInfo("matroska", 10.0, 0.0, 5, None, film({}, DEFAULT), heard=1)
    assert audio_tracks.heard(info, options(audio_track=None)) == 1
    assert audio_tracks.heard(info, options(audio_track=0)) == 0
    assert audio_tracks.heard(msgspec.structs.replace(info, heard=None), options(audio_track=None)) == 0, (
        "a job from before tracks were looked at"
    )


def test_a_track_is_named_by_all_that_is_known_of_it() -> None:
    many = film(
        SPANISH | COMMENTARY | {"title": "Commentary by the director"},
        ENGLISH | DEFAULT | {"channels": 6, "codec": "ac3"},
        SILENT | {"channels": 3},
        {"channels": 1, "purpose": "description"},
    )
    assert [audio_tracks.named(stream) for stream in many] == [
        "0: spa, Commentary by the director, stereo, aac",
        "1: eng, 5.1, ac3, default",
        "2: 3 channels, aac, silent",
        "3: description, mono, aac",
    ]


def test_an_error_lists_the_tracks_where_there_is_a_choice() -> None:
    info = MediaInfo("mov", 10.0, 0.0, 5, None, film(ENGLISH, SPANISH))
    assert audio_tracks.listed(info, 0) == (
        "The file has 2 audio tracks (0: eng, stereo, aac; 1: spa, stereo, aac). Track 0 was heard. "
        "Another is chosen with --audio-track or audio_track."
    )
    assert audio_tracks.listed(msgspec.structs.replace(info, audio=info.audio[:1]), 0) == ""
