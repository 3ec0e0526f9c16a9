"""Which options are taken, and which of them make another dub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.dub_options import (
    GROUP_OF,
    GROUPS,
    AudioFormat,
    Background,
    BurnPosition,
    BurnSize,
    Container,
    DubOptions,
    JoinShortCues,
    Separate,
    changed,
    in_groups,
    same_dub,
)
from app.domain.errors import DubError
from app.domain.problems.recognition import LANGUAGE_UNKNOWN
from app.domain.problems.voices import SPEED_RANGE
from app.jobs import options as job_options
from app.jobs.schemas import OptionsPatch
from app.speech.espeak.voice import EspeakVoice
from app.speech.ports import SpeedLimits
from app.speech.registry import Registry, build_registry

OPTIONS = changed(DubOptions(), model="tiny", audio_track=0)

ENGINES = build_registry(models=Path("nowhere"))


def with_(**fields: Any) -> DubOptions:
    return changed(OPTIONS, **fields)


@pytest.mark.parametrize("language", ["en", "pt-BR", "zh-Hans", "haw", None])
def test_both_languages_are_codes(language: str | None) -> None:
    job_options.check(with_(language=language, target_language=language), ENGINES)


@pytest.mark.parametrize("language", ["German", "", "e", "en_US", "xx-", "de; rm"])
@pytest.mark.parametrize("name", ["language", "target_language"])
def test_what_is_no_language_code_is_refused(name: str, language: str) -> None:
    with pytest.raises(DubError) as caught:
        job_options.check(with_(**{name: language}), ENGINES)
    assert caught.value.problem is LANGUAGE_UNKNOWN


class Unhurried(EspeakVoice):
    """An engine with other limits."""

    name = "unhurried"
    speeds = SpeedLimits(0.25, 1.0)


@pytest.mark.parametrize(
    ("voice", "speed", "taken"),
    [
        ("espeak:en", 0.7, True),
        ("espeak:en", 1.2, True),
        ("espeak:en", 0.69, False),
        ("espeak:en", 1.21, False),
        ("unhurried:en", 0.25, True),
        ("unhurried:en", 0.2, False),
        ("unhurried:en", 1.1, False),
        ("unhurried:en", float("nan"), False),
    ],
)
def test_a_speed_is_checked_by_the_limits_of_the_voices_own_engine(voice: str, speed: float, taken: bool) -> None:
    engines = Registry(tuple(ENGINES.recognizers.values()), (EspeakVoice(libraries=[]), Unhurried(libraries=[])))
    options = with_(voice=voice, speed=speed)
    if taken:
        job_options.check(options, engines)
        return
    with pytest.raises(DubError) as caught:
        job_options.check(options, engines)
    assert caught.value.problem is SPEED_RANGE and voice.partition(":")[0] in caught.value.detail


@pytest.mark.parametrize(
    "asked",
    [
        {"duck_db": 1},
        {"duck_db": -61},
        {"duck_attack_s": -0.1},
        {"duck_hold_s": 11},
        {"duck_release_s": 11},
        {"keep_db": 13},
        {"keep_db": None},
        {"loudness_lufs": -5},
        {"loudness_lufs": -40},
        {"loudness_lufs": "off"},
        {"audio_format": "ogg"},
        {"container": "avi"},
        {"audio_codec": "mp3"},
        {"burn_size": "huge"},
        {"burn_position": "left"},
        {"burn_box": 1},
        {"audio_track": 64},
        {"speak_sounds": 1},
        {"join_short_cues": True},
        {"speakers": 0},
        {"speakers": 11},
        {"speakers": "many"},
        {"duck_depth_db": -3},
    ],
)
def test_a_value_out_of_its_range_is_refused(asked: dict[str, Any]) -> None:
    for form in (asked, {group: asked for group in GROUPS}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(form, OptionsPatch)


def test_every_option_can_be_changed_and_null_means_automatic() -> None:
    assert set(OptionsPatch.__struct_fields__) == {*GROUP_OF, *GROUPS}
    patch = msgspec.convert(
        in_groups({"loudness_lufs": None, "duck_db": -9.5, "audio_format": "flac", "target_language": "fr"}),
        OptionsPatch,
    )
    options = job_options.patched(OPTIONS, patch)
    assert (
        options.mix.loudness_lufs,
        options.mix.duck_db,
        options.output.audio_format,
        options.translation.target_language,
    ) == (
        None,
        -9.5,
        AudioFormat.FLAC,
        "fr",
    )
    assert options.voices.speed == OPTIONS.voices.speed


@pytest.mark.parametrize(
    "fields",
    [
        {"speed": 1.1},
        {"voice": "espeak:de"},
        {"target_language": "de"},
        {"background": Background.KEEP},
        {"separate": Separate.ON},
        {"duck_db": -12.0},
        {"duck_hold_s": 1.0},
        {"loudness_lufs": -23.0},
        {"loudness_lufs": None},
        {"audio_format": AudioFormat.FLAC},
        {"container": Container.MKV},
        {"keep_original_track": True},
        {"burn_subtitles": True},
        {"burn_size": BurnSize.LARGE},
        {"burn_position": BurnPosition.TOP},
        {"burn_box": True},
        {"audio_track": 1},
        {"speak_sounds": True},
        {"join_short_cues": JoinShortCues.OFF},
    ],
)
def test_what_is_heard_or_seen_makes_another_dub(fields: dict[str, Any]) -> None:
    assert not same_dub(OPTIONS, with_(**fields))


def test_what_decides_nothing_makes_no_other_dub() -> None:
    assert same_dub(OPTIONS, with_(review=False, keep_db=-6.0, hardware_encoder=True))
    assert not same_dub(with_(burn_subtitles=True), with_(burn_subtitles=True, hardware_encoder=True))
    kept = with_(background=Background.KEEP)
    assert same_dub(kept, changed(kept, duck_db=-20.0))
    assert not same_dub(kept, changed(kept, keep_db=-20.0))
