"""Makes the samples of the Kokoro voices that come with the program: `python deploy/voices/samples.py --models FOLDER`.

FOLDER has the published weights (`kokoro/`, see docs/voices.md); every file is checked by its hash. The same weights
and espeak-ng give the same samples: two seconds each, Opus at 24 kbit/s, 0.2 MB in all. Kokoro's weights are
Apache-2.0, which lets what they speak be passed on; Piper's Joe has none here, as its model card names no such licence.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import subprocess
import wave
from pathlib import Path

import imageio_ffmpeg

from app.speech.model_files import ModelFiles
from app.speech.neural import catalogue
from app.speech.neural.voice import NeuralVoices
from app.speech.ports import SpeechRequest

FOLDER = Path(__file__).resolve().parents[2] / "app" / "speech" / "neural" / "samples"
SAID = {
    "en": "Hello, this is my voice.",
    "es": "Hola, esta es mi voz.",
    "fr": "Bonjour, voici ma voix.",
    "it": "Ciao, questa è la mia voce.",
    "pt": "Olá, esta é a minha voz.",
}


def opus(pcm: bytes, rate_hz: int, path: Path) -> None:
    """Encode s16le mono; without dates and chance, so that the same sound is the same file."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(pcm)
    argv = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        "-i",
        "-",
        "-map_metadata",
        "-1",
        "-fflags",
        "+bitexact",
    ]
    argv += ["-flags", "+bitexact", "-c:a", "libopus", "-b:a", "24k", "-application", "voip", str(path)]
    subprocess.run(argv, input=sound.getvalue(), check=True)  # noqa: S603


async def make(models: Path) -> None:
    engine = NeuralVoices(ModelFiles(models), threads=2)
    FOLDER.mkdir(exist_ok=True)
    for voice in catalogue.published():
        if voice.family != "kokoro" or voice.iso not in SAID:
            continue
        spoken = await engine.speak(SpeechRequest(voice.id, "", SAID[voice.iso], None, 1.0, "", "", None))
        opus(spoken.pcm, spoken.sample_rate_hz, FOLDER / f"{voice.id}.opus")
        print(voice.id, (FOLDER / f"{voice.id}.opus").stat().st_size, flush=True)
    await engine.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="a models folder with Kokoro's files")
    asyncio.run(make(parser.parse_args().models))
