"""What the arguments of `autodubber dub` ask for, as options of a dub."""

from __future__ import annotations

import argparse
from typing import Final

import msgspec

from app.config.settings import Settings
from app.domain.dub_options import GROUP_OF, Background, DubOptions, Task, changed, in_groups
from app.system.exit_status import UsageError, track_of

# Options that have a default on the command line, or another type there.
_GIVEN: Final = frozenset(
    {
        "language",
        "task",
        "recognizer",
        "model",
        "voice",
        "voice_model",
        "speed",
        "background",
        "keep_original_track",
        "audio_track",
        "review",
        "estimate",
    }
)
# Arguments whose name differs from that of their option.
OPTION_OF: Final = {
    "terms": "--glossary",
    "ceiling_usd": "--ceiling-usd",
    "ceiling_credits": "--ceiling-credits",
    "voice_stability": "--voice-stability",
    "voice_similarity": "--voice-similarity",
    "voice_style": "--voice-style",
    "voice_seed": "--voice-seed",
    "separate": "--separate",
    "duck_db": "--duck-db",
    "duck_attack_s": "--duck-attack",
    "duck_hold_s": "--duck-hold",
    "duck_release_s": "--duck-release",
    "keep_db": "--keep-db",
    "loudness_lufs": "--loudness",
}


def options_of(arguments: argparse.Namespace, settings: Settings) -> DubOptions:
    """The options from the arguments, else from the settings. Raises UsageError for a value out of range,
    glossary_invalid."""
    from app.jobs.options import patched
    from app.jobs.schemas import OptionsPatch
    from app.speech.registry import recognizer_by_default

    recognizer = arguments.recognizer or recognizer_by_default(settings.recognizer)
    typed = {
        name: value for name in GROUP_OF if (value := getattr(arguments, name, None)) is not None and name not in _GIVEN
    }
    if "loudness_lufs" in typed:
        typed["loudness_lufs"] = _loudness(typed["loudness_lufs"])
    if (count := typed.get("speakers", "")).isdigit():
        typed["speakers"] = int(count)
    try:
        patch = msgspec.convert(in_groups(typed), OptionsPatch)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`").rpartition(".")[2]
        raise UsageError(f"{OPTION_OF.get(name, name)}: {what}") from None
    options = changed(
        DubOptions(),
        language=arguments.language,
        task=Task(arguments.task),
        recognizer="subtitles" if arguments.subtitles else recognizer,
        model=arguments.model or settings.model,
        voice=arguments.voice or settings.voice,
        voice_model=arguments.voice_model,
        speed=arguments.speed,
        background=Background(arguments.background),
        keep_original_track=arguments.keep_original_track,
        burn_subtitles=arguments.burn,
        audio_track=track_of(arguments.audio_track),
        # the person has a word before the lines are spoken
        review=any((arguments.review, arguments.translation, arguments.speaker_voice)),
        ceiling_usd=settings.ceiling_usd or None,
        ceiling_credits=settings.ceiling_credits or None,
    )
    options = patched(options, patch)
    if arguments.glossary is not None:
        from app.dubbing.glossary_file import read_glossary

        options = changed(options, terms=read_glossary(arguments.glossary.read_bytes()))
    return options


def _loudness(text: str) -> float | None:
    try:
        return None if text == "off" else float(text)
    except ValueError:
        raise UsageError("--loudness is a number of LUFS, or off") from None


def check_speed(options: DubOptions, settings: Settings) -> None:
    """Refuse a speed outside the limits of the voice's engine. An unknown engine is reported with the other options."""
    from app.server.engines import engines_of
    from app.speech.registry import engine_of

    engine = engine_of(options.voices.voice)
    voice = engines_of(settings).voices.get(engine)
    if voice is not None and not voice.speeds.allow(options.voices.speed):
        raise UsageError(f"--speed is {voice.speeds.min:g} to {voice.speeds.max:g} with {engine}")
