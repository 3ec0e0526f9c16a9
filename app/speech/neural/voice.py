"""The neural voices of this machine: Kokoro and Piper on ONNX Runtime, without key or network once downloaded."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.problems.lines import TEXT_INVALID
from app.domain.problems.recognition import MODEL_DAMAGED, OUT_OF_MEMORY
from app.domain.problems.voices import ENGINE_UNAVAILABLE, SPEECH_FAILED, VOICE_UNKNOWN
from app.speech.download import answering
from app.speech.espeak.voice import found_libraries
from app.speech.model_files import ModelFile, ModelFiles
from app.speech.neural.catalogue import NeuralVoice, own, published
from app.speech.neural.samples import has_sample, sample_of
from app.speech.neural.warm_child import ChildEnded, WarmChildren
from app.speech.ports import (
    Answer,
    Availability,
    CostUnit,
    EngineInfo,
    ModelInfo,
    SpeechRequest,
    SpeedLimits,
    Spoken,
    VoiceInfo,
)
from app.speech.spoken_text import clean, speakable, with_phonemes
from app.system.oom import oom_kills

AUTO: Final = "auto"
IDLE_S: Final = 60.0  # so long a model stays in memory
_CHILD: Final = "app.speech.neural.child"
_THREADS_EACH: Final = 4  # more make one line hardly faster
_MOST_CHILDREN: Final = 4  # of about 500 MB each
_VERSION: Final = 1  # raised when the same request gives another sound
_PACKAGES: Final = ("onnxruntime", "espeakng_loader")


class NeuralVoices:
    """A voice is "af_heart", "en_US-joe-medium", a Piper file of the models folder by its name, or "auto": the best
    of the request's language."""

    name = "neural"
    needs_key = False
    takes_phonemes = True
    speeds = SpeedLimits(0.7, 1.5)
    cost_unit: CostUnit | None = None

    def __init__(self, files: ModelFiles, *, url: str = "", threads: int = 0, idle_s: float = IDLE_S) -> None:
        """`files` is the models folder. `url` may be a mirror's, with {sha256} and {file} in it."""
        self._files, self._url, self._idle_s = files, url, idle_s
        threads = threads or os.cpu_count() or 1
        self._width = max(1, min(_MOST_CHILDREN, threads // _THREADS_EACH))
        self._threads = max(1, threads // self._width)
        self._libraries = found_libraries()
        self._children: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, WarmChildren] = weakref.WeakKeyDictionary()

    async def info(self, key: str | None = None) -> EngineInfo:
        available = Availability(True, "", "")
        if missing := self.missing():
            reason = f"Not installed: {missing}."
            available = Availability(False, reason, "Run `make setup`, or use the container image.")
        models = await asyncio.to_thread(self._models)
        return EngineInfo(
            self.name,
            "voice",
            "Local neural voices",
            self.needs_key,
            available,
            models,
            self.speeds,
            licence="Apache-2.0 (Kokoro); Piper by voice",
        )

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        return await asyncio.to_thread(self._voices)

    async def sample(self, voice_id: str, key: str | None = None) -> tuple[str, bytes]:
        """The media type and bytes of a voice's sample. Raises voice_unknown, preview_unavailable."""
        if voice_id not in {voice.id for voice in await asyncio.to_thread(self._all)}:
            raise DubError(VOICE_UNKNOWN)
        return await asyncio.to_thread(sample_of, voice_id)

    async def check(self, request: SpeechRequest) -> None:
        await asyncio.to_thread(self._find, request)
        speakable(request.text)
        if not (await self.info()).availability.available:
            raise DubError(ENGINE_UNAVAILABLE)

    async def prepare(
        self, request: SpeechRequest, on_progress: Callable[[str], None], *, answers_within_s: float | None = None
    ) -> None:
        """Download what the voice needs. With `answers_within_s` that fails where an address has not answered within
        it. Raises voice_unknown, model_download, model_damaged, disk_full."""
        voice = await asyncio.to_thread(self._find, request)
        if answers_within_s is not None:
            for file in voice.files:
                if not await asyncio.to_thread(self._files.has, file):
                    await answering(self._at_mirror(file).url, within_s=answers_within_s)
        await self._fetch(voice, on_progress)

    @staticmethod
    def missing() -> str:
        """The packages that are not installed and without which nothing is spoken; "" where all are."""
        return ", ".join(name for name in _PACKAGES if importlib.util.find_spec(name) is None)

    def speaking(self, language: str) -> tuple[NeuralVoice, ...]:
        """The voices of a language (ISO 639-1), the best first, those of the models folder last. Blocks."""
        return tuple(voice for voice in self._all() if voice.iso == language)

    def lacking_bytes(self, voice: NeuralVoice) -> int:
        """What is still to be downloaded of a voice. Blocks."""
        return sum(file.size_bytes for file in voice.files if not self._files.has(file))

    def fingerprint(self, request: SpeechRequest) -> str:
        voice = self._find(request)
        speed = round(voice.asked_speed(request.speed), 3)
        sums = [file.sha256 or _size_and_time(self._files.folder / file.file) for file in voice.files]
        library = Path(os.path.realpath(self._libraries[0][0])).name
        text = with_phonemes(clean(request.text), request.phonemes)
        signs = ["signs"] if request.phonemes else []
        return json.dumps([self.name, _VERSION, library, voice.id, sums, speed, text, *signs])

    async def limit(self, request: SpeechRequest) -> int:
        return self._width

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        voice = await asyncio.to_thread(self._find, request)
        text = with_phonemes(speakable(request.text), request.phonemes)
        paths = await self._fetch(voice, lambda _message: None)
        asked = {
            "libraries": self._libraries,
            "model": str(paths[0]),
            "style": str(paths[1]) if voice.family == "kokoro" else "",
            "language": voice.language,
            "text": text,
            "phonemes": bool(request.phonemes),
            "speed": round(voice.asked_speed(request.speed), 3),
            "threads": self._threads,
        }
        told, pcm = await self._ask(asked, limit_s=90 + len(text))
        match told.get("error"):
            case None:
                return Spoken(pcm, told["rate_hz"], request.speed, 0.0)
            case "no_sound":
                raise DubError(TEXT_INVALID, "The voice finds nothing to speak in it.")
            case "damaged":
                raise DubError(MODEL_DAMAGED, f"The voice is {voice.id}.")
            case "memory":
                raise DubError(OUT_OF_MEMORY)
            case "no_library":
                raise DubError(ENGINE_UNAVAILABLE, "No espeak-ng library was found.")
        raise DubError(SPEECH_FAILED, f"The voice {voice.id} cannot be spoken by: {told['error']}.")

    async def close(self) -> None:
        """End the children of this event loop."""
        if (children := self._children.pop(asyncio.get_running_loop(), None)) is not None:
            await children.close()

    async def _ask(self, asked: dict[str, Any], *, limit_s: float) -> tuple[dict[str, Any], bytes]:
        loop = asyncio.get_running_loop()
        if loop not in self._children:
            threads = str(self._threads)
            env = {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
            self._children[loop] = WarmChildren(_CHILD, width=self._width, env=env, idle_s=self._idle_s)
        killed_before = oom_kills()
        try:
            async with self._children[loop].one() as child, asyncio.timeout(limit_s):
                return await child.ask(asked)
        except TimeoutError:
            raise DubError(SPEECH_FAILED, "The voice did not end in time.", retryable=True) from None
        except ChildEnded as ended:
            if oom_kills() > killed_before:
                raise DubError(OUT_OF_MEMORY) from None
            raise DubError(SPEECH_FAILED, f"The voice's process ended: {ended}.", retryable=True) from None

    async def _fetch(self, voice: NeuralVoice, on_progress: Callable[[str], None]) -> list[Path]:
        """The voice's files, whole and checked."""
        paths = []
        for file in voice.files:
            if not file.sha256:  # the operator's own
                paths.append(self._files.folder / file.file)
                continue

            def told(done_bytes: int, total_bytes: int, name: str = Path(file.file).name) -> None:
                on_progress(f"voice {name}: {done_bytes / 1e6:.0f} of {max(total_bytes, done_bytes) / 1e6:.0f} MB")

            paths.append(await self._files.fetch(self._at_mirror(file), told))
        return paths

    def _at_mirror(self, file: ModelFile) -> ModelFile:
        mirror = self._url.replace("{sha256}", file.sha256).replace("{file}", Path(file.file).name)
        url = mirror if self._url else file.url
        return ModelFile(file.file, url, file.sha256, file.size_bytes)

    def _all(self) -> tuple[NeuralVoice, ...]:
        return (*published(), *own(self._files.folder))

    def _find(self, request: SpeechRequest) -> NeuralVoice:
        """Raises voice_unknown. Blocks: looks into the models folder."""
        if request.voice == AUTO:
            language = (request.language or "en").lower().replace("_", "-").partition("-")[0]
            found = self._first(lambda voice: voice.iso == language)
            if found is None:
                raise DubError(VOICE_UNKNOWN, f'There is no neural voice for "{language[:20]}"; espeak:auto has one.')
            return found
        found = self._first(lambda voice: voice.id == request.voice)
        if found is None:
            raise DubError(VOICE_UNKNOWN, f'There is no neural voice "{request.voice[:60]}".')
        return found

    def _first(self, wanted: Callable[[NeuralVoice], bool]) -> NeuralVoice | None:
        """The published ones first: then the folder is not read for every line."""
        return next(filter(wanted, published()), None) or next(filter(wanted, own(self._files.folder)), None)

    def _voices(self) -> tuple[VoiceInfo, ...]:
        auto = "English, French, Italian, Portuguese, Spanish."
        found = [VoiceInfo(self.name, AUTO, "The best of the video's language", None, "female", auto, None)]
        for voice in self._all():
            about, lacking = self._about(voice), self.lacking_bytes(voice)
            found.append(
                VoiceInfo(
                    self.name,
                    voice.id,
                    voice.title,
                    voice.iso,
                    voice.gender,
                    about,
                    f"/api/voices/{self.name}/{voice.id}/sample" if has_sample(voice.id) else None,
                    voice.licence,
                    lacking,
                )
            )
        return tuple(found)

    def _about(self, voice: NeuralVoice) -> str:
        """For people: the family and the grade."""
        parts = [voice.family.capitalize()]
        parts += [f"graded {voice.grade} by its makers"] if voice.grade else []
        return ", ".join(parts) + "."

    def _models(self) -> tuple[ModelInfo, ...]:
        """The model files, each once."""
        found: dict[str, ModelInfo] = {}
        languages: dict[str, set[str]] = {}
        for voice in self._all():
            model = voice.files[0]
            languages.setdefault(model.file, set()).update([voice.iso] if voice.iso else [])
            found[model.file] = ModelInfo(
                id=Path(model.file).stem,
                name="Kokoro 82M (int8)" if voice.family == "kokoro" else f"Piper {Path(model.file).stem}",
                ready=self._files.has(model),
                size_bytes=model.size_bytes,
                max_characters=MAX_TEXT_CHARACTERS,
                languages=tuple(sorted(languages[model.file])),
                credits_per_character=0.0,
            )
        return tuple(found.values())


def _size_and_time(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
