"""The child that speaks with neural voices: `python -m app.speech.neural.child`. It keeps its model between lines.

One JSON line on stdin is a request (`Request`); the answer is one JSON line, then as many bytes of s16le mono PCM as it
tells. {"error": ...} instead: "no_library", "no_language", "no_sound", "damaged" or "memory". It ends with its stdin.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from app.speech.espeak.child import EspeakFailure, open_library
from app.speech.neural import kokoro, piper, piper_config
from app.speech.neural.phonemes import IPA, IPA_TIED, NoPhonemes, Phonemizer, sentences

_PAUSE_S: Final = 0.25  # between two sentences that are spoken one by one
_SILENT: Final = 0.01  # of full scale

Sound = np.ndarray[Any, np.dtype[np.float32]]


class Request(msgspec.Struct, frozen=True):
    """`model` is the ONNX file, `style` Kokoro's file of the voice or "" for Piper, `language` espeak-ng's name ("": as
    Piper's own file says). `speed` is the one that the model is asked for."""

    libraries: list[tuple[str, str]]
    model: str
    style: str
    language: str
    text: str
    speed: float
    threads: int
    phonemes: bool = False


class SpeechFailure(Exception):
    """The message is the answer's "error"."""


class _Speaker:
    """One model in memory."""

    def __init__(self, request: Request) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        self.model = request.model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request.threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(request.model, options, providers=["CPUExecutionProvider"])
            self._config = None if request.style else piper_config.config_of(Path(f"{request.model}.json"))
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime has no common class of its errors
            raise SpeechFailure("damaged") from error
        self._styles: dict[str, Sound] = {}

    def say(self, phonemizer: Phonemizer, request: Request) -> tuple[int, Sound]:
        """The rate in Hz, and mono sound of -1..1. Sentences are spoken one by one: no model hears a whole chapter."""
        phonemizer.take_signs(request.phonemes)
        rate_hz = kokoro.RATE_HZ if self._config is None else self._config.audio.sample_rate
        spoken: list[Sound] = []
        for feed in self._feeds(phonemizer, request):
            sound = np.asarray(self._session.run(None, feed)[0], np.float32).ravel()
            spoken.append(sound)
        if not spoken:
            raise SpeechFailure("no_sound")
        return rate_hz, _joined(spoken, rate_hz)

    def _feeds(self, phonemizer: Phonemizer, request: Request) -> list[dict[str, Any]]:
        if self._config is not None:
            language = request.language or self._config.espeak.voice
            said = [phonemizer.phonemes(sentence, language, IPA) for sentence in sentences(request.text)]
            return [piper.feed(ipa, self._config, request.speed) for ipa in said if ipa.strip()]
        style = self._style(request.style)
        feeds: list[dict[str, Any]] = []
        for sentence in sentences(request.text):
            spoken = kokoro.letters(phonemizer.phonemes(sentence, request.language, IPA_TIED), request.language)
            feeds += [kokoro.feed(part, style, request.speed) for part in kokoro.cut(spoken)]
        return feeds

    def _style(self, path: str) -> Sound:
        if path not in self._styles:
            try:
                self._styles = {path: kokoro.style_of(Path(path))}
            except (OSError, ValueError) as error:
                raise SpeechFailure("damaged") from error
        return self._styles[path]


def _joined(spoken: list[Sound], rate_hz: int) -> Sound:
    """Sounds one after another, with a pause in place of the silence at their inner edges."""
    if len(spoken) == 1:
        return spoken[0]
    pause = np.zeros(round(_PAUSE_S * rate_hz), np.float32)
    parts: list[Sound] = []
    for number, sound in enumerate(spoken):
        loud = np.flatnonzero(np.abs(sound) > _SILENT)
        first = int(loud[0]) if number and len(loud) else 0
        last = int(loud[-1]) + 1 if number + 1 < len(spoken) and len(loud) else len(sound)
        parts += [pause, sound[first:last]] if number else [sound[first:last]]
    return np.concatenate(parts)


def _answer(speaker: _Speaker, phonemizer: Phonemizer, request: Request) -> tuple[dict[str, Any], bytes]:
    try:
        rate_hz, sound = speaker.say(phonemizer, request)
    except NoPhonemes:
        raise SpeechFailure("no_language") from None
    pcm = (np.clip(sound, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes()
    if not any(pcm):
        raise SpeechFailure("no_sound")
    return {"rate_hz": rate_hz, "bytes": len(pcm)}, pcm


def main() -> None:
    # not on every system: under memory pressure the kernel kills this process before the server
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    speaker: _Speaker | None = None
    with contextlib.ExitStack() as stack:
        phonemizer: Phonemizer | None = None
        for line in sys.stdin.buffer:
            request = msgspec.json.decode(line, type=Request)
            pcm = b""
            try:
                if phonemizer is None:
                    library, _ = stack.enter_context(open_library([list(pair) for pair in request.libraries]))
                    phonemizer = Phonemizer(library)
                if speaker is None or speaker.model != request.model:
                    speaker = None  # its memory first
                    speaker = _Speaker(request)
                answer, pcm = _answer(speaker, phonemizer, request)
            except (EspeakFailure, SpeechFailure) as failure:
                answer = {"error": str(failure)}
            except MemoryError:
                answer = {"error": "memory"}
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n" + pcm)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
