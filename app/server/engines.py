"""Builds engines and limits from the settings, for the server and for the command line."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.config.settings import Settings
from app.domain.secret_names import (
    CHAT,
    DEEPL,
    ELEVENLABS,
    LIBRETRANSLATE,
    OPENAI,
    OPENAI_TRANSCRIPTION,
    Keys,
    engine_key,
)
from app.spending.prices import PUBLISHED, Prices, with_operators
from app.spending.prices import read as read_prices
from app.system.children import Limits
from app.system.console import say

if TYPE_CHECKING:
    from app.speech.ports import Reserve
    from app.speech.registry import Registry
    from app.storage.disk_floors import Disks
    from app.translation.ports import Translator

_SLOWEST: Final = 10  # processor seconds for a second of film
_ENDLESS_S: Final = 1e8  # a setting may say "inf"


def environment_keys(settings: Settings) -> Keys:
    """The keys in the environment, by engine. An engine that has a key adds its setting here."""
    return Keys(
        {
            ELEVENLABS: settings.elevenlabs_key,
            CHAT: settings.chat_key,
            LIBRETRANSLATE: settings.libretranslate_key,
            DEEPL: settings.deepl_key,
            OPENAI: settings.speech_key,
            OPENAI_TRANSCRIPTION: settings.transcription_key,
        }
    )


def known_key(settings: Settings, engine_name: str) -> str | None:
    """An engine's key for a command: from the environment, else the one stored in this data folder by a server."""
    if (own := environment_keys(settings).of(engine_name)) is not None:
        return own
    database, key_file = settings.data / "app.sqlite3", settings.data / "secret.key"
    if not (os.access(database, os.R_OK | os.W_OK) and os.access(key_file, os.R_OK)):
        return None
    from sqlalchemy.exc import SQLAlchemyError

    from app.storage import secret_key
    from app.storage.database import open_database
    from app.storage.secrets import SecretStore

    engine = open_database(settings.database_url)
    try:
        return SecretStore(engine, key_file).get(engine_key(engine_name))
    except secret_key.SecretKeyUnusable as error:
        say(f"autodubber: {error}", to=sys.stderr)
        return None
    except SQLAlchemyError:  # a folder of another version, or of another program: no key
        return None
    finally:
        engine.dispose()


def engines_of(
    settings: Settings,
    own_key: Callable[[str], str | None] | None = None,
    *,
    model_paths: bool = False,
    disks: Disks | None = None,
) -> Registry:
    """The recognisers, voices, translators and separators. `own_key` gives the server's own key for an engine; without
    it, `known_key` does. `model_paths`: the operator asks, and may name any file as a model. What is downloaded has its
    room on `disks`.
    """
    from app.separation.spleeter.engine import SpleeterEngine
    from app.speech.elevenlabs.isolation import Isolation
    from app.speech.model_files import ModelFiles
    from app.speech.openai.recognizer import OpenAITranscription
    from app.speech.openai.voice import OpenAIVoice
    from app.speech.registry import build_registry
    from app.storage.disk_floors import reserved

    reserve: Reserve | None = (lambda size_bytes, folder: reserved(disks, size_bytes, folder)) if disks else None
    prices = with_operators(read_prices(Path(settings.prices)) if settings.prices else ())
    own_key = own_key or functools.cache(lambda engine: known_key(settings, engine))
    return build_registry(
        models=settings.models,
        model=settings.model,
        model_paths=model_paths,
        model_url=settings.model_url,
        voice_model_url=settings.voice_model_url,
        voice_downloads=settings.voice_download,
        threads=settings.thread_count,
        device=settings.device,
        own_key=own_key,
        elevenlabs_url=settings.elevenlabs_url,
        elevenlabs_model=settings.elevenlabs_model,
        elevenlabs_at_once=settings.elevenlabs_at_once,
        openai=OpenAIVoice(
            settings.speech_url,
            model=settings.speech_model,
            key=lambda: own_key(OPENAI),
            usd_per_million=settings.speech_usd_per_million,
            most_at_once=settings.speech_at_once,
            prices=prices,
        ),
        transcription=OpenAITranscription(
            settings.transcription_url,
            model=settings.transcription_model,
            key=lambda: own_key(OPENAI_TRANSCRIPTION),
            usd_per_minute=settings.transcription_usd_per_minute,
            prices=prices,
        ),
        scribe_model=settings.scribe_model,
        reserve=reserve,
        translators=translators_of(settings, own_key, prices),
        prices=prices,
        separators=(
            SpleeterEngine(ModelFiles(settings.models, reserve=reserve), settings.separation_model_url),
            Isolation(lambda: own_key(ELEVENLABS), base_url=settings.elevenlabs_url, prices=prices),
        ),
    )


def translators_of(
    settings: Settings, own_key: Callable[[str], str | None], prices: Prices = PUBLISHED
) -> tuple[Translator, ...]:
    """The translators at the operator's addresses; loads nothing heavy."""
    from app.translation.chat import OllamaChat, OpenAIChat
    from app.translation.deepl import DeepL
    from app.translation.libretranslate import LibreTranslate

    context = settings.chat_context_tokens
    return (
        OpenAIChat(
            settings.chat_url, settings.chat_model, key=lambda: own_key(CHAT), context_tokens=context, prices=prices
        ),
        OllamaChat(settings.ollama_url, settings.ollama_model, context_tokens=context, prices=prices),
        LibreTranslate(settings.libretranslate_url, key=lambda: own_key(LIBRETRANSLATE), prices=prices),
        DeepL(settings.deepl_url, key=lambda: own_key(DEEPL), prices=prices),
    )


def limits_of(settings: Settings) -> Limits:
    """What any media child may use; `app.dubbing.worker.client` gives most of them less. The longest work is drawing
    subtitles into a 4K picture, the largest file its result or hours of WAV.
    """
    longest_s = min(settings.max_duration_s, _ENDLESS_S)
    return Limits(
        memory_bytes=settings.child_memory_bytes,
        cpu_s=600 + round(_SLOWEST * longest_s),
        output_bytes=max(8 * settings.max_upload_bytes, 16 << 30),
    )
