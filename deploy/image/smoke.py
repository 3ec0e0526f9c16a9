"""Uses every package of the image in the way AutoDubber does, with the builder's interpreter, after what is not needed
has been taken out.

A removal that breaks something ends the build here. Its second use: Python keeps the bytecode of what ran, so that the
image holds that of all that is used, and of nothing else. It knows nothing of `app`: a change of the application does
not run it again.
"""

# ruff: noqa: F401, S101, S106, S603
from __future__ import annotations

import asyncio
import compileall
import ctypes
import importlib.util
import io
import subprocess
import sys
import sysconfig
import tempfile
import types
from pathlib import Path

SPEECH_HZ = 16000


def services() -> None:
    import alembic.command
    import alembic.config
    import dbos
    import granian
    import granian._granian
    import granian.server.mp
    import httpx
    import litestar.openapi
    import litestar.response
    import multipart
    import obstore.store
    import prometheus_client
    import psycopg
    import rich.console
    import rich.progress
    import rich.table
    import sqlalchemy
    import structlog
    import supervisor.supervisord
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from elevenlabs.client import AsyncElevenLabs
    from elevenlabs.core.api_error import ApiError
    from elevenlabs.core.parse_error import ParsingError
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    assert psycopg.pq.__impl__ == "binary", psycopg.pq.__impl__
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        assert connection.execute(sqlalchemy.text("select 1")).scalar() == 1
    assert Fernet(Fernet.generate_key()).encrypt(b"x")
    assert AESGCM(bytes(32)).encrypt(bytes(12), b"x", None) and ChaCha20Poly1305(bytes(32)).encrypt(
        bytes(12), b"x", None
    )
    assert len(Scrypt(salt=bytes(16), length=32, n=2, r=8, p=1).derive(b"x")) == 32
    assert prometheus_client.generate_latest()
    client = AsyncElevenLabs(api_key="none", httpx_client=httpx.AsyncClient())
    assert client.voices and client.text_to_speech and client.speech_to_text and client.user and client.models
    store = obstore.store.MemoryStore()
    asyncio.run(store.put_async("x", b"x"))
    assert bytes(store.get("x").bytes()) == b"x"
    obstore.store.S3Store("bucket", region="us-east-1", access_key_id="none", secret_access_key="none")
    OTLPSpanExporter(endpoint="http://127.0.0.1:9/v1/traces").shutdown()
    OTLPMetricExporter(endpoint="http://127.0.0.1:9/v1/metrics").shutdown()


def arithmetic() -> None:
    import numpy as np
    import soxr
    from scipy import sparse
    from scipy.optimize import linprog

    found = linprog([1.0, 1.0], A_ub=sparse.csr_matrix([[-1.0, 0.0], [0.0, -1.0]]), b_ub=[-1.0, -2.0], method="highs")
    assert found.status == 0 and abs(found.fun - 3.0) < 1e-9, found
    sound = np.sin(np.arange(48000, dtype=np.float32) / 20)
    assert abs(soxr.resample(sound, 48000, SPEECH_HZ).size - SPEECH_HZ) < 2
    assert soxr.ResampleStream(48000, SPEECH_HZ, 1, dtype="float32").resample_chunk(sound, last=True).size
    if importlib.util.find_spec("python_stretch"):
        from python_stretch import Signalsmith

        stretch = Signalsmith.Stretch()
        stretch.preset(1, 48000)
        stretch.setTimeFactor(1.25)
        assert stretch.process(sound.reshape(1, -1)).size


def recognition() -> None:
    import numpy as np
    import onnxruntime
    import torch

    # as app/speech/whisper/child_process.py leaves it out
    sys.modules["numba"] = types.SimpleNamespace(jit=lambda **_: lambda function: function)
    import whisper
    from whisper.model import ModelDimensions, Whisper

    carried = importlib.util.find_spec("faster_whisper")  # not imported: only the model that it carries is used
    assert carried is not None and carried.submodule_search_locations is not None
    vad = Path(carried.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
    assert onnxruntime.InferenceSession(str(vad), providers=["CPUExecutionProvider"]).get_inputs()
    torch.manual_seed(0)
    sizes = ModelDimensions(80, 1500, 32, 2, 1, 51865, 448, 32, 2, 1)
    kept = io.BytesIO()
    torch.save({"dims": sizes.__dict__, "model_state_dict": Whisper(sizes).state_dict()}, kept)
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        file.write(kept.getvalue())
        file.flush()
        model = whisper.load_model(file.name, device="cpu")
    sound = np.random.default_rng(0).standard_normal(SPEECH_HZ * 4).astype(np.float32) * 0.1
    result = model.transcribe(
        sound,
        language="es",
        task="transcribe",
        condition_on_previous_text=False,
        temperature=(0.0, 0.4),
        sample_len=6,
        fp16=False,
        verbose=None,
    )
    assert "segments" in result, result
    mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(sound))
    language, _ = model.detect_language(mel)
    assert language is not None


def fast_recognition() -> None:
    import ctranslate2
    import ctranslate2.converters.utils
    import ctranslate2.specs.whisper_spec
    import numpy as np
    import tokenizers

    # as app/speech/whisper/ctranslate_model.py leaves it out
    sys.modules["huggingface_hub"] = types.ModuleType("huggingface_hub")
    from faster_whisper import WhisperModel
    from faster_whisper.feature_extractor import FeatureExtractor

    assert "int8" in ctranslate2.get_supported_compute_types("cpu")
    assert WhisperModel is not None and FeatureExtractor()(np.zeros(SPEECH_HZ, np.float32)).shape[0] == 80
    assert tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"a": 0}, merges=[])).encode("a").ids == [0]


def media() -> None:
    import av
    import imageio_ffmpeg
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.m4a"
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream("aac", rate=48000, layout="stereo")
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            frame.rate = 48000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        with av.open(str(path)) as container:
            decoded = sum(frame.samples for frame in container.decode(audio=0))
            assert decoded >= 1024
        subtitles = Path(folder) / "lines.srt"
        subtitles.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
        graph = f"testsrc2=s=64x64:d=0.2,subtitles={subtitles}"
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            graph,
            "-c:v",
            "libx264",
            "-f",
            "mp4",
            "-y",
        ]
        subprocess.run([*command, str(Path(folder) / "burned.mp4")], check=True)
        with av.open(str(Path(folder) / "burned.mp4")) as container:
            assert next(container.decode(video=0)).width == 64


def voice() -> None:
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(2, 0, str(Path(espeakng_loader.get_data_path())).encode(), 0)  # 2: synchronous
    assert rate_hz == 22050, rate_hz
    assert all(library.espeak_SetVoiceByName(name) == 0 for name in (b"en", b"es", b"ar", b"hi", b"th", b"cmn"))


def links() -> None:
    """In a process of its own, as app/links/child.py reads it."""
    archive = Path(sysconfig.get_path("purelib")) / "yt-dlp.zip"
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); import yt_dlp, yt_dlp_ejs.yt.solver; "
        "assert yt_dlp_ejs.yt.solver.core() and yt_dlp_ejs.yt.solver.lib(); "
        "ydl = yt_dlp.YoutubeDL({'quiet': True, 'cachedir': False}); "
        "assert ydl.get_info_extractor('Youtube') and len(ydl._ies) > 1000"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def bytecode() -> None:
    """Of the packages that the server uses more of than can be called here."""
    for name in ("dbos", "litestar", "pydantic", "supervisor"):
        found = importlib.util.find_spec(name)
        assert found is not None and found.submodule_search_locations is not None
        assert compileall.compile_dir(found.submodule_search_locations[0], quiet=1)


if __name__ == "__main__":
    for use in (services, arithmetic, recognition, fast_recognition, media, voice, links, bytecode):
        use()
        sys.stdout.write(f"works: {use.__name__}\n")
