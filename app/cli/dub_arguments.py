"""The arguments of `autodubber dub`. `app.cli.dub_parsing` makes options of them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Address(str):
    """The input where it is an address and no file."""


def input_of(text: str) -> Path | Address:
    """The argument INPUT."""
    return Address(text) if _ADDRESS.match(text) else Path(text)


def add(dub: argparse.ArgumentParser) -> None:
    """Add every option, in its group."""
    heard = dub.add_argument_group("recognition and subtitles")
    heard.add_argument(
        "--audio-track",
        default="auto",
        metavar="N",
        help="number of the file's audio track, counted from 0 (default: auto)",
    )
    heard.add_argument("--language", metavar="CODE", help="language spoken, ISO 639-1 (default: detected)")
    heard.add_argument(
        "--task",
        choices=("transcribe", "translate"),
        default="transcribe",
        help="with translate, Whisper writes English",
    )
    heard.add_argument(
        "--recognizer",
        metavar="NAME",
        help="faster-whisper, openai-whisper, openai-transcription or scribe (default: AUTODUBBER_RECOGNIZER)",
    )
    heard.add_argument(
        "--model", metavar="M", help="Whisper model's name, or the path of a checkpoint (default: AUTODUBBER_MODEL)"
    )
    heard.add_argument(
        "--subtitles", type=Path, metavar="FILE", help="SRT, WebVTT or ASS file to speak; nothing is recognised then"
    )
    heard.add_argument(
        "--captions",
        metavar="LANG",
        help="of a link: speak the page's captions in this language; nothing is recognised",
    )
    heard.add_argument(
        "--speak-sounds",
        action="store_true",
        default=None,
        help="speak sound descriptions, lyrics, speakers' names and credits too",
    )
    heard.add_argument(
        "--join-short-cues",
        choices=("auto", "on", "off"),
        help="join subtitle cues of a word or two into sentences (default: auto)",
    )
    heard.add_argument(
        "--subtitle-encoding",
        metavar="E",
        help="encoding of --subtitles, such as windows-1250 (default: guessed from language and text)",
    )
    heard.add_argument(
        "--speakers",
        metavar="N",
        help="tell speakers apart: auto (default: if the model is there), off, or how many there are, 1 to 10",
    )
    heard.add_argument(
        "--glossary",
        type=Path,
        metavar="FILE",
        help="terms and names, for recognition, translation and voice: CSV or TSV of term, translation, say, phonemes, "
        "keep",
    )
    heard.add_argument(
        "--review",
        type=Path,
        metavar="FILE",
        help="stop after recognition and write an SRT to edit; pass it back with --subtitles",
    )
    voice = dub.add_argument_group("voice")
    voice.add_argument(
        "--voice",
        metavar="ENGINE:VOICE",
        help="such as local:auto, espeak:es, neural:af_heart, elevenlabs:ID or openai:NAME (default: AUTODUBBER_VOICE)",
    )
    voice.add_argument(
        "--speaker-voice",
        action="append",
        default=[],
        metavar="WHO=ENGINE:VOICE",
        help="voice of one speaker, by name or by number in the order in which they first speak; may be repeated",
    )
    voice.add_argument(
        "--voice-model", metavar="M", default="", help="the voice engine's model (default: the engine's)"
    )
    voice.add_argument(
        "--target-language",
        "--to",
        metavar="CODE[,CODE...]",
        help="language to translate into with --translator, or that of the lines from --subtitles; several make one "
        "video with all of them, the first of which a player begins with",
    )
    voice.add_argument(
        "--voice-for",
        action="append",
        default=[],
        metavar="CODE=ENGINE:VOICE",
        help="voice of one more language of --to (default: --voice if it speaks any, else the best local one); may be "
        "repeated",
    )
    voice.add_argument(
        "--translator",
        metavar="NAME",
        help="translate the lines: chat, ollama, libretranslate or deepl (default: none)",
    )
    voice.add_argument(
        "--formality",
        choices=("default", "formal", "informal"),
        help="how people address each other in the translation (deepl, chat, ollama)",
    )
    voice.add_argument(
        "--shorten",
        action="store_true",
        default=None,
        help="give hurried lines a shorter wording by themselves, and speak them again (chat, ollama)",
    )
    voice.add_argument(
        "--style", metavar="WORDS", help="how the translation should sound, in your words (chat, ollama)"
    )
    voice.add_argument(
        "--translation",
        type=Path,
        metavar="FILE",
        help="your own translation of the lines into --to: SRT, WebVTT, numbered lines, or one line each",
    )
    voice.add_argument(
        "--speed",
        type=float,
        default=1.0,
        metavar="X",
        help="speed of the voice, within its engine's limits; 0.7 to 1.2 for both engines",
    )
    voice.add_argument(
        "--voice-stability", type=float, metavar="X", help="ElevenLabs: 0 lively to 1 even (default: the voice's own)"
    )
    voice.add_argument(
        "--voice-similarity", type=float, metavar="X", help="ElevenLabs: how close to the speaker, 0 to 1 (the voice's)"
    )
    voice.add_argument(
        "--voice-style",
        type=float,
        metavar="X",
        help="ElevenLabs: the speaker's manner, 0 to 1 (the voice's)",
    )
    voice.add_argument(
        "--voice-boost",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="ElevenLabs: still closer to the speaker, a little slower (default: the voice's own)",
    )
    voice.add_argument(
        "--voice-seed", type=int, metavar="N", help="ElevenLabs: the same seed and text sound alike (default: none)"
    )
    voice.add_argument(
        "--normalize-text",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="write numbers, units and abbreviations out in words for the voice (default: yes, where the voice does "
        "not do it itself)",
    )
    voice.add_argument(
        "--align-phrases",
        action="store_true",
        default=None,
        help="pause inside a line where the original does",
    )
    spending = dub.add_argument_group("costs")
    spending.add_argument("--estimate", action="store_true", help="print what the run would cost, and spend nothing")
    spending.add_argument(
        "--ceiling-usd",
        type=float,
        metavar="USD",
        help="stop before the run spends more than this at paid services (default: AUTODUBBER_CEILING_USD)",
    )
    spending.add_argument(
        "--ceiling-credits",
        type=float,
        metavar="N",
        help="the same in ElevenLabs' credits (default: AUTODUBBER_CEILING_CREDITS)",
    )
    mix = dub.add_argument_group("mix")
    mix.add_argument(
        "--background",
        choices=("duck", "keep", "replace"),
        default="duck",
        help="original sound: lowered under the voice, kept, or removed",
    )
    mix.add_argument(
        "--separator",
        metavar="ENGINE",
        help="who takes the old voice out, with --separate on: spleeter, or elevenlabs-isolation, which costs money "
        "(default: the model on this machine)",
    )
    mix.add_argument(
        "--separate",
        choices=("off", "auto", "on"),
        help="take the old voice out of the original and keep its music (default: auto: where the model is here; "
        "on downloads it once, 73 MB, MIT)",
    )
    mix.add_argument(
        "--stem", type=Path, metavar="FILE", help="music and effects track (no voices) that replaces the original sound"
    )
    mix.add_argument(
        "--duck-db",
        type=float,
        metavar="DB",
        help="how far the original is lowered, -60 to 0 (default: as far as the voice needs)",
    )
    mix.add_argument(
        "--duck-attack",
        dest="duck_attack_s",
        type=float,
        metavar="S",
        help="time in which it is lowered, before the voice begins (0.12)",
    )
    mix.add_argument(
        "--duck-hold",
        dest="duck_hold_s",
        type=float,
        metavar="S",
        help="it stays lowered in pauses up to this long (0.8)",
    )
    mix.add_argument(
        "--duck-release",
        dest="duck_release_s",
        type=float,
        metavar="S",
        help="time in which it returns to its level (0.45)",
    )
    mix.add_argument(
        "--keep-db", type=float, metavar="DB", help="level of the original with --background keep, -60 to 12 (0)"
    )
    mix.add_argument(
        "--loudness",
        dest="loudness_lufs",
        metavar="LUFS",
        help="loudness target: -16 (default), -14, -23, another from -36 to -8, or off",
    )
    files = dub.add_argument_group("output files")
    files.add_argument(
        "--audio-format",
        choices=("m4a", "opus", "mp3", "wav", "flac"),
        help="format of the separate sound file (default: m4a)",
    )
    files.add_argument(
        "--container",
        choices=("auto", "mp4", "mkv", "webm"),
        help="container of the video (default: auto: MP4 if it supports the picture)",
    )
    files.add_argument(
        "--audio-codec", choices=("aac", "opus"), help="codec of the video's sound (default: aac; opus in WebM)"
    )
    files.add_argument("--keep-original-track", action="store_true", help="add the original sound as a second track")
    files.add_argument(
        "--burn", action="store_true", help="burn the subtitles into the picture (encodes the video again)"
    )
    files.add_argument(
        "--burn-size", choices=("small", "medium", "large"), help="size of burned subtitles (default: medium)"
    )
    files.add_argument(
        "--burn-position", choices=("bottom", "top"), help="position of burned subtitles (default: bottom)"
    )
    files.add_argument("--burn-box", action="store_true", default=None, help="put burned subtitles on a dark box")
    files.add_argument(
        "--hardware-encoder",
        action="store_true",
        default=None,
        help="burn with the machine's video encoder, if it has one",
    )
    files.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for the results (default: the input's, or this one)",
    )
    files.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output, with the whole report"
    )
