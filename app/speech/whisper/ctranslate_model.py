"""faster-whisper in the recognition child: the same weights on CTranslate2, without torch."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.speech.whisper.child_process import WhisperFailure, is_memory
from app.speech.whisper.heard import Heard, HeardWord, own_segment_times
from app.speech.whisper.vad import Samples

COMPUTE: Final = {"cpu": "int8", "cuda": "float16"}  # what the weights are converted to, by device
_REST_S: Final = 0.5  # less speech than this after a segment is its own end


class CTranslateModel:
    """A loaded model folder. See `app.speech.whisper.heard.Model`."""

    def __init__(self, path: str, device: str, threads: int, hotwords: Sequence[str] = ()) -> None:
        _leave_hub_out()
        from faster_whisper import WhisperModel

        class KeepingModel(WhisperModel):  # type: ignore[misc]
            """Segments keep the times that the model wrote (the library puts the words' in their place), and the window
            whose language was looked for is not encoded again."""

            encoded: tuple[Any, Any] | None = None  # the last window, and what the encoder made of it

            def encode(self, features: Any) -> Any:
                if self.encoded is None or not np.array_equal(self.encoded[0], features):
                    self.encoded = features, super().encode(features)
                return self.encoded[1]

            def add_word_timestamps(self, segments: Any, *given: Any, **named: Any) -> Any:
                with own_segment_times([one for group in segments for one in group]):
                    return super().add_word_timestamps(segments, *given, **named)

        self._hotwords = ", ".join(hotwords)
        self.device = device_of(device)
        try:
            self._model: Any = KeepingModel(
                path, device=self.device, compute_type=COMPUTE[self.device], cpu_threads=threads, num_workers=1
            )
        except Exception as error:  # RuntimeError, ValueError, KeyError, of CTranslate2 or the tokenizer
            if is_memory(error):
                raise
            raise WhisperFailure("model_damaged", Path(path).name) from error
        self.multilingual: bool = self._model.model.is_multilingual

    def languages(self, samples: Samples) -> dict[str, float]:
        from faster_whisper.audio import pad_or_trim

        features = pad_or_trim(self._model.feature_extractor(samples))
        found = self._model.model.detect_language(self._model.encode(features))[0]
        return {token[2:-2]: probability for token, probability in found}

    def transcribe(self, samples: Samples, language: str, task: str, prompt: str, speech_end_s: float) -> list[Heard]:
        import ctranslate2

        ctranslate2.set_random_seed(0)  # the fallback temperatures sample: the same chunk always gives the same text
        segments, _ = self._model.transcribe(
            samples,
            language=language,
            task=task,
            initial_prompt=prompt or None,
            hotwords=self._hotwords or None,
            condition_on_previous_text=False,
            word_timestamps=task == "transcribe",  # a translation's words follow no sound
            beam_size=5,
        )
        found: list[Heard] = []
        for one in segments:
            words = tuple(
                HeardWord(w.word, float(w.start), float(w.end), float(w.probability)) for w in one.words or ()
            )
            found.append(
                Heard(
                    start_s=float(one.start),
                    end_s=float(one.end),
                    text=one.text,
                    no_speech=float(one.no_speech_prob),
                    log_probability=float(one.avg_logprob),
                    compression=float(one.compression_ratio),
                    words=words,
                )
            )
            # What is left would be decoded as a window of its own: a second for the encoder, and invented words.
            if found[-1].end_s >= speech_end_s - _REST_S:
                break
        return found


def device_of(wanted: str) -> str:
    """cpu or cuda for cpu, cuda or auto. "auto" takes the graphics card only where its libraries load too."""
    import ctranslate2

    if wanted == "cpu":
        return "cpu"
    if ctranslate2.get_cuda_device_count() > 0 and _cuda_libraries():
        return "cuda"
    if wanted == "auto":
        return "cpu"
    raise WhisperFailure("engine_unavailable", "AUTODUBBER_DEVICE is cuda, but no CUDA device can be used here.")


def _cuda_libraries() -> bool:
    """Load cuBLAS and cuDNN, which CTranslate2 looks for by name: the system's, else those that came with torch."""
    nvidia = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (nvidia.submodule_search_locations or [])] if nvidia else []
    for name in ("libcublasLt.so.12", "libcublas.so.12"):
        ways = [name, *(str(path) for folder in folders for path in sorted(folder.glob(f"*/lib/{name}")))]
        for way in ways:
            with contextlib.suppress(OSError):
                ctypes.CDLL(way, mode=ctypes.RTLD_GLOBAL)
                break
        else:
            return False
    return True


def _leave_hub_out() -> None:
    """Before `import faster_whisper`: it imports a model hub's client, which is used for downloads alone. Ours has
    none; what is asked of it would say so."""
    sys.modules.setdefault("huggingface_hub", types.ModuleType("huggingface_hub"))
