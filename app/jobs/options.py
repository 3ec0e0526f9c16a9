"""Completes and checks the options of a job, and says which voice they choose."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Final

from app.domain import stages
from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.glossary import hotwords, pronounced
from app.domain.job import Job
from app.domain.media import MediaInfo
from app.domain.problems.lines import ENCODING_UNKNOWN
from app.domain.problems.recognition import LANGUAGE_UNKNOWN
from app.domain.problems.translation import TARGET_LANGUAGE_MISSING
from app.domain.problems.voices import ENGINE_UNKNOWN, SPEED_RANGE
from app.domain.secret_names import Keys
from app.domain.speaker import Speaker
from app.domain.voice_tuning import VoiceTuning
from app.dubbing.casting import VoiceChoice
from app.dubbing.pipeline import check_media, spoken_language
from app.dubbing.subtitles.code_pages import known
from app.dubbing.transcribe import SUBTITLES
from app.dubbing.translate import wishes
from app.jobs.schemas import OptionsPatch, asked
from app.speech.registry import Registry

_WISHES: Final = frozenset({"glossary.terms", "translation.formality", "translation.style"})
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def same_preparation(a: DubOptions, b: DubOptions) -> bool:
    """Whether preparation with one finds the lines that it finds with the other. Once they are there, what it depends
    on is not changed."""
    same = hotwords(a.glossary.terms) == hotwords(b.glossary.terms)
    if a.translation.translator or b.translation.translator:
        same = same and wishes(a) == wishes(b)
    return same and keeps_lines(a, b)


def keeps_lines(a: DubOptions, b: DubOptions) -> bool:
    """Whether lines that were prepared with one may stay with the other: what a person wishes of recognition and
    translation counts for what is done from then on."""
    names = stages.prepare_options() - _WISHES
    if not a.translation.translator and not b.translation.translator:
        names -= {"translation.target_language"}  # by hand: what the voice speaks, and nothing more
    return all(attrgetter(name)(a) == attrgetter(name)(b) for name in names)


def patched(options: DubOptions, patch: OptionsPatch) -> DubOptions:
    """The options with what a person asked for."""
    return changed(options, **asked(patch))


def check_model(options: DubOptions, engines: Registry, before: DubOptions | None = None) -> None:
    """Raise model_unknown for a model that nobody may choose: a path, a name that is not there. What `before` had
    already is not asked again: only recognition needs it, and looks for itself. Blocks.
    """
    asked = options.recognition
    if before is not None and (asked.model, asked.recognizer) == (
        before.recognition.model,
        before.recognition.recognizer,
    ):
        return
    for recognizer in (
        [engines.recognizer(asked.recognizer)] if asked.recognizer != SUBTITLES else engines.recognizers.values()
    ):
        recognizer.check_model(asked.model)


def check(options: DubOptions, engines: Registry, media: MediaInfo | None = None) -> None:
    """Check the options without calling any service. Raises speed_range, language_unknown, target_language_missing,
    engine_unknown; once the
    file has been read (`media`), also audio_track_missing and container_unsuitable.
    """
    for language in (options.recognition.language, options.translation.target_language):
        if language is not None and not _LANGUAGE.fullmatch(language):
            raise DubError(LANGUAGE_UNKNOWN, f"“{language[:40]}” is not one.")
    if options.recognition.subtitle_encoding is not None and known(options.recognition.subtitle_encoding) is None:
        raise DubError(ENCODING_UNKNOWN, f"“{options.recognition.subtitle_encoding[:40]}” is not one.")
    if options.recognition.recognizer != SUBTITLES:
        engines.recognizer(options.recognition.recognizer)
    engines.separator(options.mix.separator)
    if options.translation.translator:
        engines.translator(options.translation.translator)
        if options.translation.target_language is None:
            raise DubError(TARGET_LANGUAGE_MISSING)
    engine, separator, _ = options.voices.voice.partition(":")
    if not separator:
        raise DubError(ENGINE_UNKNOWN, f"A voice is ENGINE:VOICE, not “{engine[:40]}”.")
    voice, _ = engines.voice(options.voices.voice)
    if not voice.speeds.allow(options.voices.speed):
        raise DubError(
            SPEED_RANGE,
            f"{voice.name} speaks at {voice.speeds.min:g} to {voice.speeds.max:g}; it is {options.voices.speed:g}.",
        )
    if media is not None:
        check_media(media, options)


def choice_of(job: Job, speakers: tuple[Speaker, ...], keys: Keys, engines: Registry) -> VoiceChoice:
    """The voices and their parameters for the job's lines. Blocks: looks into the models folder."""
    options = job.options
    language = spoken_language(options, job.language)
    chosen = engines.chosen(options.voices.voice, language)
    voice = options.voices.voice if chosen is None else chosen.voice
    asked = options.voices
    tuning = VoiceTuning(
        asked.voice_stability, asked.voice_similarity, asked.voice_style, asked.voice_boost, asked.voice_seed
    )
    return VoiceChoice(
        voice,
        asked.voice_model,
        asked.speed,
        language,
        speakers,
        keys,
        chosen,
        pronounced(options.glossary.terms),
        tuning,
        asked.normalize_text,
    )
