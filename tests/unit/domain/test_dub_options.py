"""Options in groups: every field has a default, and stored options of any version are read without losing anything."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.domain.dub_options import (
    GROUP_OF,
    GROUPS,
    Background,
    DubOptions,
    Task,
    changed,
    effective,
    from_row,
    in_groups,
    same_dub,
    to_row,
)
from app.jobs.schemas import PATCHES, OptionsPatch, asked, deprecated

# As 0.1.0 stored them, and as the last version before there were groups did.
FIRST = {
    "language": "en",
    "task": "transcribe",
    "recognizer": "openai-whisper",
    "model": "base",
    "voice": "espeak:auto",
    "voice_model": "",
    "speed": 1.1,
    "background": "keep",
    "keep_original_track": True,
    "burn_subtitles": False,
    "audio_track": 0,
    "review": True,
}
FLAT = FIRST | {
    "target_language": "fr",
    "duck_db": None,
    "duck_attack_s": 0.2,
    "duck_hold_s": 0.7,
    "duck_release_s": 0.5,
    "keep_db": -3.0,
    "loudness_lufs": None,
    "audio_format": "flac",
    "container": "mkv",
    "audio_codec": "opus",
    "burn_size": "large",
    "burn_position": "top",
    "burn_box": True,
    "hardware_encoder": True,
    "speak_sounds": True,
    "join_short_cues": "off",
    "subtitle_encoding": "cp1250",
}


@pytest.mark.parametrize("group", GROUPS)
def test_every_field_of_every_group_has_a_default_and_the_group_a_version(group: str) -> None:
    fields = msgspec.structs.fields(GROUPS[group])
    assert not [field.name for field in fields if field.required]
    assert GROUPS[group]().version == 1
    assert getattr(DubOptions(), group) == GROUPS[group]()


def test_the_groups_are_all_that_the_options_have_and_no_name_is_in_two() -> None:
    assert set(DubOptions.__struct_fields__) == {*GROUPS, "later"} and list(GROUPS) == list(PATCHES)
    named = [field for kind in GROUPS.values() for field in kind.__struct_fields__ if field not in ("version", "later")]
    assert len(named) == len(set(named)) == len(GROUP_OF) and not set(named) & set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_can_be_asked_for_in_its_group_and_by_its_old_name(group: str) -> None:
    mine = {name for name, owner in GROUP_OF.items() if owner == group}
    assert set(PATCHES[group].__struct_fields__) == mine | {"version"}
    types = {field.name: field.type for field in msgspec.structs.fields(PATCHES[group])}
    flat = {field.name: field.type for field in msgspec.structs.fields(OptionsPatch)}
    assert {name: flat[name] for name in mine} == {name: types[name] for name in mine}


def test_options_from_before_there_were_groups_are_read() -> None:
    options = from_row(FLAT)
    stored = {name: value for row in to_row(options).values() for name, value in row.items() if name != "version"}
    later = {
        "translator": "",
        "separate": "auto",
        "align_phrases": False,
        "speakers": "auto",
        "normalize_text": True,
        "separator": "",
    }
    tuning = dict.fromkeys(("voice_stability", "voice_similarity", "voice_style", "voice_boost", "voice_seed"))
    tuning |= {"ceiling_usd": None, "ceiling_credits": None}
    assert stored == FLAT | later | tuning | {"formality": "default", "style": "", "shorten": False, "terms": ()}
    first = from_row(FIRST)
    assert first == changed(DubOptions(), **FIRST | {"task": Task.TRANSCRIBE, "background": Background.KEEP})
    assert first.mix.loudness_lufs == -16.0, "what came later has its default"


def test_options_that_say_nothing_are_the_defaults() -> None:
    assert from_row({}) == from_row({"mix": {}}) == from_row(to_row(DubOptions())) == DubOptions()


@pytest.mark.parametrize("group", [*GROUPS, ""])
def test_unknown_fields_survive_a_round_trip_and_a_change(group: str) -> None:
    unknown = {"of_tomorrow": {"deep": [1, None, "x"]}, "and": 3}
    row = to_row(DubOptions())
    row = {**row, group: {**row[group], **unknown, "version": 7}} if group else {**row, **unknown}
    options = changed(from_row(row), speed=1.1, review=False)
    again = to_row(from_row(msgspec.json.decode(msgspec.json.encode(to_row(effective(options))))))
    here = again[group] if group else again
    assert {name: here[name] for name in unknown} == unknown and (not group or here["version"] == 7)
    assert again["voices"]["speed"] == 1.1 and "later" not in msgspec.json.encode(again).decode()
    assert same_dub(from_row(again), options) and not same_dub(options, changed(options, speed=1.0))


def test_a_known_field_is_never_taken_from_what_is_unknown() -> None:
    # an option in a group that is not its own is unknown there
    row = {"speed": 0.8, "voices": {"speed": 1.2, "language": "xx"}}
    options = from_row(row)
    assert options.voices.speed == 1.2 and options.recognition.language is None
    assert to_row(options)["voices"]["language"] == "xx"


@pytest.mark.parametrize(
    "row",
    [
        {"voices": 3},
        {"voices": {"speed": "fast"}},
        {"speed": "fast"},
        {"mix": {"version": 0}},
        {"mix": {"background": "x"}},
    ],
)
def test_a_value_that_no_version_wrote_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        from_row(row)


def test_what_is_asked_for_twice_counts_in_its_group() -> None:
    patch = msgspec.convert({"speed": 0.9, "keep_db": -1, "voices": {"speed": 1.1, "version": 1}}, OptionsPatch)
    assert asked(patch) == {"speed": 1.1, "keep_db": -1.0} and deprecated(patch) == ("speed", "keep_db")
    grouped = msgspec.convert(in_groups({"speed": 1.1}), OptionsPatch)
    assert asked(grouped) == {"speed": 1.1} and deprecated(grouped) == ()
