"""The recognition child: `python -m app.speech.whisper.child`. A request comes on stdin, events leave on stdout, one
JSON object a line.

Events: {"event": "loaded"}, {"event": "chunk", "lines", "language", "done_s"}, {"event": "done", "language"},
{"event": "failed", "code", "detail"}. Killing the process is how it is cancelled; its memory goes with it.
"""

from __future__ import annotations

import contextlib
import sys
import types
import warnings
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from app.speech.whisper.cleanup import RecognisedLine, settle
from app.speech.whisper.vad import SpeechChunk, chunks, wav_blocks

_ENOUGH_S: Final = 3.0  # speech that is enough to tell the language by
_MOST_HELD: Final = 8  # chunks held back while the language is not known


class Request(msgspec.Struct, frozen=True):
    """`model` is a checkpoint's path, `language` Whisper's code or None, `device` cpu, cuda or auto."""

    speech: str
    model: str
    language: str | None
    task: str
    resume_at_s: float
    threads: int
    device: str


class WhisperFailure(Exception):
    """A catalogue code and its detail, for the parent."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def emit(**event: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    # not on every system: under memory pressure the kernel kills this process before the server
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        run(request)
    except WhisperFailure as failure:
        emit(event="failed", code=failure.code, detail=failure.detail)
    except MemoryError:
        emit(event="failed", code="out_of_memory", detail="")
    except (wave.Error, EOFError) as error:
        emit(event="failed", code="recognition_failed", detail=f"The recognition track cannot be read: {error}.")
    except RuntimeError as error:
        if not _is_memory(error):
            raise
        emit(event="failed", code="out_of_memory", detail="On the graphics card." if "CUDA" in str(error) else "")


def run(request: Request) -> None:
    warnings.filterwarnings("ignore")
    import torch

    torch.set_num_threads(request.threads)
    device = _device(request.device)
    model = _load(request.model, device)
    if request.language is not None and not model.is_multilingual and request.language != "en":
        raise WhisperFailure("language_unknown", "This model knows English only.")
    emit(event="loaded", device=device)
    start_s = request.resume_at_s
    for language, chunk in _with_language(
        model, chunks(wav_blocks(Path(request.speech), start_s), start_s), request.language
    ):
        lines = _transcribe(model, chunk, language or "en", request.task) if chunk.speech else []
        emit(event="chunk", lines=lines, language=language, done_s=round(chunk.end_s, 3))
        request = msgspec.structs.replace(request, language=language)
    emit(event="done", language=request.language)


def _device(wanted: str) -> str:
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise WhisperFailure("engine_unavailable", "AUTODUBBER_DEVICE is cuda, but no CUDA device can be used here.")
    return "cuda"


def leave_numba_out() -> None:
    """Before `import whisper`: it compiles two functions for word times, which are not asked for here, with numba,
    which is 200 MB with LLVM.

    They stay uncompiled; one that is called says so.
    """

    def jit(**_: Any) -> Any:
        def refuse(function: Any) -> Any:
            def missing(*_arguments: Any) -> Any:
                raise NotImplementedError(f"whisper.timing.{function.__name__} needs numba")

            return missing

        return refuse

    sys.modules.setdefault("numba", types.SimpleNamespace(jit=jit))  # type: ignore[arg-type]  # all that whisper takes of it


def _load(path: str, device: str) -> Any:
    leave_numba_out()
    import whisper  # type: ignore[import-untyped]

    try:
        return whisper.load_model(path, device=device)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or _is_memory(error):
            raise
        raise WhisperFailure("model_damaged", Path(path).name) from error
    except Exception as error:  # pickle, zipfile, KeyError, TypeError: whatever a wrong file makes torch.load raise
        raise WhisperFailure("model_damaged", Path(path).name) from error


def _with_language(
    model: Any, source: Iterator[SpeechChunk], language: str | None
) -> Iterator[tuple[str | None, SpeechChunk]]:
    """Each chunk with the language: the given one, or detected once, on the first chunks that hold enough speech."""
    language = language if model.is_multilingual else "en"
    held: list[SpeechChunk] = []
    for chunk in source:
        if language is not None:
            yield language, chunk
            continue
        if chunk.speech or held:
            held.append(chunk)
        else:
            yield None, chunk
        if sum(one.speech_s for one in held) >= _ENOUGH_S or len(held) >= _MOST_HELD:
            language = _detect(model, held)
            yield from ((language, one) for one in held)
            held = []
    if held:
        language = _detect(model, held)
        yield from ((language, one) for one in held)


def _detect(model: Any, held: list[SpeechChunk]) -> str:
    import whisper

    total: dict[str, float] = {}
    for chunk in held:
        if chunk.speech:
            mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(chunk.samples), model.dims.n_mels).to(model.device)
            _, probabilities = model.detect_language(mel.to(next(model.parameters()).dtype))
            for code, probability in probabilities.items():
                total[code] = total.get(code, 0.0) + probability * chunk.speech_s
    return max(total, key=total.__getitem__)


def _transcribe(model: Any, chunk: SpeechChunk, language: str, task: str) -> list[RecognisedLine]:
    import torch

    torch.manual_seed(0)  # the fallback temperatures sample: the same chunk always gives the same text
    result = model.transcribe(
        chunk.samples,
        language=language,
        task=task,
        condition_on_previous_text=False,
        fp16=model.device.type == "cuda",
        verbose=None,
    )
    return settle(result["segments"], chunk.at, chunk.speech)


def _is_memory(error: BaseException) -> bool:
    return any(sign in str(error).lower() for sign in ("out of memory", "not enough memory", "can't allocate memory"))


if __name__ == "__main__":
    main()
