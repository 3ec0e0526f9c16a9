"""openai-whisper in the recognition child: PyTorch, the reference."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.speech.whisper.child_process import WhisperFailure, is_memory, leave_numba_out
from app.speech.whisper.heard import Heard, HeardWord, own_segment_times
from app.speech.whisper.vad import Samples


class OpenAIModel:
    """A loaded checkpoint. See `app.speech.whisper.heard.Model`."""

    def __init__(self, path: str, device: str, threads: int, hotwords: Sequence[str] = ()) -> None:
        self._hotwords = ", ".join(hotwords)  # it knows no such thing: they come before the prompt
        leave_numba_out()
        import torch
        import whisper  # type: ignore[import-untyped]

        torch.set_num_threads(threads)
        self.device = _device(device)
        _time_words_without_numba()
        try:
            self._model: Any = whisper.load_model(path, device=self.device)
        except Exception as error:  # pickle, zipfile, KeyError, TypeError: whatever a wrong file makes torch.load raise
            if is_memory(error):
                raise
            raise WhisperFailure("model_damaged", Path(path).name) from error
        self.multilingual: bool = self._model.is_multilingual

    def languages(self, samples: Samples) -> dict[str, float]:
        import whisper

        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(samples), self._model.dims.n_mels)
        mel = mel.to(self._model.device).to(next(self._model.parameters()).dtype)
        return dict(self._model.detect_language(mel)[1])

    def transcribe(self, samples: Samples, language: str, task: str, prompt: str, speech_end_s: float) -> list[Heard]:
        import torch

        torch.manual_seed(0)  # the fallback temperatures sample: the same chunk always gives the same text
        result = self._model.transcribe(
            samples,
            language=language,
            task=task,
            initial_prompt=". ".join(part for part in (self._hotwords, prompt) if part) or None,
            condition_on_previous_text=False,
            word_timestamps=task == "transcribe",  # a translation's words follow no sound
            fp16=self._model.device.type == "cuda",
            verbose=None,
        )
        return [
            Heard(
                start_s=float(one["start"]),
                end_s=float(one["end"]),
                text=one["text"],
                no_speech=one["no_speech_prob"],
                log_probability=one["avg_logprob"],
                compression=one["compression_ratio"],
                words=tuple(
                    HeardWord(w["word"], float(w["start"]), float(w["end"]), float(w["probability"]))
                    for w in one.get("words", ())
                ),
            )
            for one in result["segments"]
        ]


def _device(wanted: str) -> str:
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise WhisperFailure("engine_unavailable", "AUTODUBBER_DEVICE is cuda, but no CUDA device can be used here.")
    return "cuda"


def _time_words_without_numba() -> None:
    import whisper.timing  # type: ignore[import-untyped]
    import whisper.transcribe  # type: ignore[import-untyped]  # the module; the package has a function of its name

    from app.speech.whisper.word_alignment import dtw

    whisper.timing.dtw = dtw
    add = whisper.timing.add_word_timestamps

    def add_and_keep(*, segments: Any, **named: Any) -> None:
        with own_segment_times(segments):
            add(segments=segments, **named)

    sys.modules["whisper.transcribe"].add_word_timestamps = add_and_keep  # type: ignore[attr-defined]
