"""Runs espeak-ng through ctypes in its own process. A script with the standard library only: it starts in 20 ms.

One JSON line on stdin is the request: {"libraries": [[library, data folder or ""], ...], "do": "list"}, or "do":
"speak" with "voice", "text", "rate" (words per minute) and "phonemes" (whether the text has [[phonemes]]).
The answer is one JSON line, for "speak" followed by s16le mono PCM. {"error": ...} instead: "no_library", "no_voice",
"no_sound" or "failed".
"""

import contextlib
import ctypes
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback, no sound device is opened
_DONT_EXIT = 0x8000
_RATE = 1
_UTF8 = 1  # no SSML (0x10): the text is spoken as it stands
_PHONEMES = 0x100  # [[phonemes]] in the text; only where the request says so
_LONGEST_PATH = 120  # espeak-ng keeps its data path in 160 bytes


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakFailure(Exception):
    pass


@contextlib.contextmanager
def _short(data: str) -> Iterator[str]:
    """The data folder under a name that is short enough."""
    if len(data.encode()) <= _LONGEST_PATH:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="espeak") as folder:
        link = Path(folder, "espeak-ng-data")
        link.symlink_to(data, target_is_directory=True)
        yield str(link)


@contextlib.contextmanager
def open_library(libraries: list[list[str]]) -> Iterator[tuple[ctypes.CDLL, int]]:
    """The first library that works, and its sample rate."""
    for path, data in libraries:
        try:
            library = ctypes.CDLL(path)
        except OSError:  # missing, or built for another system: try the next one
            continue
        with _short(data) as folder:
            rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, folder.encode() if folder else None, _DONT_EXIT)
            if rate_hz > 0:
                yield library, rate_hz
                return
    raise EspeakFailure("no_library")


def _languages(pointer: "ctypes._Pointer[ctypes.c_char]") -> list[list[object]]:
    """[[priority, tag], ...] from espeak-ng's packed list: a byte of priority and a name ending in 0, until a 0."""
    found: list[list[object]] = []
    at = 0
    while pointer[at] != b"\0":
        priority, tag = pointer[at][0], bytearray()
        at += 1
        while pointer[at] != b"\0":
            tag += pointer[at]
            at += 1
        at += 1
        found.append([priority, tag.decode()])
    return found


def voices(library: ctypes.CDLL, wanted: "_Voice | None" = None) -> list[dict[str, object]]:
    """Every voice of the languages, or with `wanted` every variant."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    table = library.espeak_ListVoices(ctypes.byref(wanted) if wanted is not None else None)
    found: list[dict[str, object]] = []
    while table[len(found)]:
        voice = table[len(found)].contents
        found.append(
            {
                "name": voice.name.decode(errors="replace"),
                "identifier": voice.identifier.decode(errors="replace"),
                "languages": _languages(voice.languages),
                "gender": {1: "male", 2: "female"}.get(voice.gender),
            }
        )
    return found


def listing(library: ctypes.CDLL) -> dict[str, object]:
    variant = _Voice()
    tag = ctypes.create_string_buffer(b"variant")
    variant.languages = ctypes.cast(tag, ctypes.POINTER(ctypes.c_char))
    library.espeak_Info.restype = ctypes.c_char_p
    return {
        "version": library.espeak_Info(None).decode(errors="replace"),
        "voices": voices(library),
        "variants": voices(library, variant),
    }


def speak(library: ctypes.CDLL, voice: str, text: str, rate: int, phonemes: bool) -> bytes:
    pcm = bytearray()

    def take(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: object) -> int:
        if count > 0:
            pcm.extend(ctypes.string_at(samples, count * 2))
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise EspeakFailure("no_voice")
    library.espeak_SetParameter(_RATE, rate, 0)
    encoded = text.encode() + b"\0"
    if (
        library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, 0, 0, _UTF8 | (_PHONEMES if phonemes else 0), None, None
        )
        != 0
    ):
        raise EspeakFailure("failed")
    library.espeak_Synchronize()
    if not any(pcm):
        raise EspeakFailure("no_sound")
    return bytes(pcm)


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    pcm = b""
    try:
        with open_library(request["libraries"]) as (library, rate_hz):
            if request["do"] == "list":
                answer = listing(library)
            else:
                pcm = speak(library, request["voice"], request["text"], request["rate"], request["phonemes"])
                answer = {"rate_hz": rate_hz}
    except EspeakFailure as failure:
        answer = {"error": str(failure)}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + pcm)


if __name__ == "__main__":
    main()
