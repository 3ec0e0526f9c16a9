"""Every setting: its type, default and documentation. `app.config.environment` reads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec

from app.config.variables import Variable, variables_of
from app.observability import tracing


def _doc(text: str, **extra: Any) -> msgspec.Meta:
    return msgspec.Meta(description=text, extra=extra)


Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1, le=256)]
Many = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Bytes = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Days = Annotated[float, msgspec.Meta(ge=0)]


PUBLIC_INDEX = "https://pypi.org"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The operator's settings. Sizes are in bytes, times in seconds."""

    data: Annotated[Path, _doc("Folder for everything that is kept: database, blobs, models, secret key.")] = Path(
        "data"
    )
    host: Annotated[str, _doc("Address to listen on.")] = "127.0.0.1"
    port: Annotated[Port, _doc("Port to listen on.")] = 8000
    log_level: Annotated[str, _doc("debug, info, warning or error.", choices=("debug", "info", "warning", "error"))] = (
        "info"
    )
    log_format: Annotated[str, _doc("json, or console for people.", choices=("json", "console"))] = "json"

    max_upload_bytes: Annotated[Bytes, _doc("Largest upload.")] = 2 << 30
    max_duration_s: Annotated[Seconds, _doc("Longest video.")] = 6 * 3600.0
    upload_expiry_s: Annotated[Seconds, _doc("An unfinished upload is deleted after this long without a byte.")] = (
        24 * 3600.0
    )
    max_open_uploads: Annotated[
        Many, _doc("Unfinished uploads at the same time; one more is refused until some are finished or expire.")
    ] = 1000
    max_sockets: Annotated[
        Many, _doc("Live connections (WebSockets) at the same time; one more is refused. An open page has one.")
    ] = 500
    min_free_bytes: Annotated[
        Bytes,
        _doc(
            "Minimum free disk space. Uploads and jobs reserve what they will write, and are refused if less than "
            "this would be left."
        ),
    ] = 1 << 30

    prepare_at_once: Annotated[Count, _doc("Jobs that are probed and transcribed at the same time.")] = 1
    render_at_once: Annotated[Count, _doc("Jobs that are rendered at the same time.")] = 2
    threads: Annotated[int, _doc("Processor threads for recognition and encoding; 0: as many as the machine has.")] = 0
    child_memory_bytes: Annotated[Bytes, _doc("Address-space limit of each media child process; 0: none.")] = 8 << 30

    recognizer: Annotated[
        str,
        _doc(
            "Default recognition engine: faster-whisper, openai-whisper, or auto (the first of them installed); "
            "openai-transcription or scribe, which are services."
        ),
    ] = "auto"
    model: Annotated[
        str,
        _doc(
            "Default Whisper model: a name such as tiny, base, small, turbo, a file in the models folder, or the "
            "path of a checkpoint."
        ),
    ] = "base"
    model_url: Annotated[
        str,
        _doc("Where models are downloaded from; {sha256} and {file} are filled in. Empty: OpenAI's public address."),
    ] = ""
    voice_model_url: Annotated[
        str,
        _doc("Where neural voices are downloaded from, filled in likewise. Empty: their public addresses."),
    ] = ""
    separation_model_url: Annotated[
        str,
        _doc("Where the model that tells speech from music is downloaded from, likewise. Empty: its public address."),
    ] = ""
    device: Annotated[str, _doc("cpu, cuda, or auto.", choices=("auto", "cpu", "cuda"))] = "auto"
    voice: Annotated[
        str,
        _doc("Default voice, ENGINE:VOICE; local:auto is the best on this machine for the language."),
    ] = "local:auto"
    voice_download: Annotated[
        bool,
        _doc("Whether local:auto may download a voice. A voice that a person names is downloaded in any case."),
    ] = True
    review: Annotated[bool, _doc("Whether a job waits for a person after transcription, unless it says otherwise.")] = (
        True
    )

    ahead: Annotated[
        bool,
        _doc("Whether a job without review translates and speaks its first lines while the others are recognised."),
    ] = True

    elevenlabs_key: Annotated[str, _doc("ElevenLabs API key.", name="ELEVENLABS_API_KEY", secret=True)] = ""
    elevenlabs_url: Annotated[str, _doc("ElevenLabs' address.", name="ELEVENLABS_BASE_URL")] = (
        "https://api.elevenlabs.io"
    )
    elevenlabs_model: Annotated[str, _doc("Default ElevenLabs model.")] = "eleven_multilingual_v2"
    elevenlabs_at_once: Annotated[int, _doc("Lines spoken at once; 0: what the plan allows.")] = 0
    scribe_model: Annotated[str, _doc("Default model of ElevenLabs' recognition.")] = "scribe_v1"

    transcription_url: Annotated[
        str,
        _doc(
            "Address of an OpenAI-compatible transcription server (OpenAI, Speaches, LocalAI), up to /v1: "
            "http://127.0.0.1:8000/v1. Empty: none."
        ),
    ] = ""
    transcription_model: Annotated[str, _doc("Its default model.")] = "whisper-1"
    transcription_key: Annotated[str, _doc("Its API key, if it needs one.", secret=True)] = ""
    transcription_usd_per_minute: Annotated[
        Annotated[float, msgspec.Meta(ge=0)],
        _doc("What it costs, in US dollars for a minute of sound; 0: not known, or nothing."),
    ] = 0.0
    speech_url: Annotated[
        str,
        _doc(
            "Address of an OpenAI-compatible speech server (OpenAI, Speaches, Kokoro-FastAPI, LocalAI), up to /v1: "
            "http://127.0.0.1:8880/v1. Empty: none."
        ),
    ] = ""
    speech_model: Annotated[str, _doc("Its default model.")] = "tts-1"
    speech_key: Annotated[str, _doc("Its API key, if it needs one.", secret=True)] = ""
    speech_usd_per_million: Annotated[
        Annotated[float, msgspec.Meta(ge=0)],
        _doc("What it costs, in US dollars for a million characters, for estimates; 0: not known, or nothing."),
    ] = 0.0
    speech_at_once: Annotated[
        int, _doc("Lines that it speaks at once; 0: 2 on a network of one's own, 4 on the internet.")
    ] = 0

    chat_url: Annotated[
        str,
        _doc(
            "Address of an OpenAI-compatible chat service that translates (OpenAI, vLLM, LocalAI, Groq), up to /v1: "
            "https://api.openai.com/v1. Empty: none."
        ),
    ] = ""
    chat_model: Annotated[str, _doc("Its model.")] = ""
    chat_key: Annotated[str, _doc("Its API key, if it needs one.", secret=True)] = ""
    ollama_url: Annotated[
        str, _doc("Address of an Ollama that translates, such as http://127.0.0.1:11434. Empty: none.")
    ] = ""
    ollama_model: Annotated[str, _doc("Its model.")] = ""
    chat_context_tokens: Annotated[
        Annotated[int, msgspec.Meta(ge=2048, le=1_000_000)],
        _doc(
            "Context of the chat models in tokens. Ollama is asked for it, and no request has more text than it holds."
        ),
    ] = 8192
    libretranslate_url: Annotated[
        str, _doc("Address of a LibreTranslate server, such as http://127.0.0.1:5000. Empty: none.")
    ] = ""
    libretranslate_key: Annotated[str, _doc("Its API key, if it needs one.", secret=True)] = ""
    deepl_key: Annotated[str, _doc("DeepL API key.", name="DEEPL_API_KEY", secret=True)] = ""
    deepl_url: Annotated[str, _doc("DeepL's address. Empty: that of the key, free or paid.")] = ""

    prices: Annotated[
        str,
        _doc("JSON file with prices of services, which come before those that AutoDubber brings. Empty: none."),
    ] = ""
    ceiling_usd: Annotated[
        Annotated[float, msgspec.Meta(ge=0)],
        _doc("The most that a job may spend at paid services, in US dollars, unless it says otherwise; 0: no limit."),
    ] = 0.0
    ceiling_credits: Annotated[Annotated[float, msgspec.Meta(ge=0)], _doc("The same in ElevenLabs' credits.")] = 0.0

    links: Annotated[bool, _doc("Whether the server downloads videos from addresses that people paste.")] = True
    links_private: Annotated[
        str,
        _doc(
            "Private networks that links may lead into, separated by commas: 192.168.1.0/24 for a media server at "
            "home. Empty: none."
        ),
    ] = ""
    links_cookies: Annotated[
        str,
        _doc(
            "File with cookies in Netscape's format, for sites that want a signed-in person. Everyone who uses this "
            "server downloads with them. Empty: none."
        ),
    ] = ""
    links_index: Annotated[
        str, _doc("Address of the package index from which `autodubber links update` takes a newer yt-dlp.")
    ] = PUBLIC_INDEX

    base_path: Annotated[
        str, _doc("Path under which a proxy serves AutoDubber, such as /dub; empty: it has its own host name.")
    ] = ""
    trusted_proxies: Annotated[
        str,
        _doc(
            "Addresses or networks of proxies, separated by commas; their X-Forwarded-For is trusted. unix: any peer "
            "on a unix socket."
        ),
    ] = ""
    allowed_hosts: Annotated[
        str,
        _doc(
            "Names under which browsers open AutoDubber, separated by commas: dub.example.org, nas.local, "
            "*.example.org; other names are refused. "
            "Always accepted: IP addresses, localhost, and the machine's own names if it listens on more than this "
            "machine."
        ),
    ] = ""
    allowed_origins: Annotated[str, _doc("Other web origins that may call the API, separated by commas.")] = ""

    access_log: Annotated[bool, _doc("Whether the request log is written, one line for each request.")] = True
    log_file: Annotated[
        str, _doc("File to which serve also writes its log, with rotation; empty: standard output only.")
    ] = ""
    log_file_bytes: Annotated[Bytes, _doc("The log file is rotated at this size; 0: never.")] = 64 << 20
    log_file_keep: Annotated[Count, _doc("Number of rotated log files that are kept.")] = 7
    metrics: Annotated[bool, _doc("Whether /metrics is open to everyone who reaches the port.")] = False
    metrics_token: Annotated[
        str, _doc("Bearer token that /metrics requires, whatever AUTODUBBER_METRICS says.", secret=True)
    ] = ""
    otlp_endpoint: Annotated[
        str,
        _doc(
            "Address that OpenTelemetry traces are sent to (OTLP over HTTP); empty: none.",
            name="OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
    ] = ""
    otlp_headers: Annotated[
        str,
        _doc(
            "Headers for the traces' address: NAME=VALUE, separated by commas.",
            name="OTEL_EXPORTER_OTLP_HEADERS",
            secret=True,
        ),
    ] = ""

    keep_jobs_days: Annotated[
        Days, _doc("A job without any change for this long is deleted with all its files; 0: never.")
    ] = 0.0
    keep_sources_days: Annotated[
        Days,
        _doc(
            "The same for the original of an ended job. It can then not be played or downloaded, and the job not be "
            "rendered."
        ),
    ] = 0.0
    keep_clips_days: Annotated[
        Days,
        _doc(
            "The same for the spoken lines of a completed job. The next render speaks them again, and pays for them "
            "again."
        ),
    ] = 0.0
    keep_outputs_days: Annotated[
        Days, _doc("The same for the finished files of a completed job. They can be rendered again.")
    ] = 0.0
    keep_backups_days: Annotated[Days, _doc("A backup is deleted after this long; the newest one stays. 0: never.")] = (
        30.0
    )
    max_sources_bytes: Annotated[
        Bytes,
        _doc("Limit on all originals together; above it, those of the oldest ended jobs are deleted. 0: no limit."),
    ] = 0
    max_clips_bytes: Annotated[Bytes, _doc("The same for all spoken lines together.")] = 0
    max_outputs_bytes: Annotated[Bytes, _doc("The same for all finished files together.")] = 0
    max_backups_bytes: Annotated[
        Bytes, _doc("Limit on all backups together; above it, the oldest are deleted, never the newest. 0: no limit.")
    ] = 0

    backup_to: Annotated[str, _doc("Folder or s3://BUCKET/PREFIX for the scheduled backup; empty: none is made.")] = ""
    backup_every_s: Annotated[Seconds, _doc("Time between two scheduled backups; 0: none is made.")] = 24 * 3600.0
    backup_password: Annotated[
        str,
        _doc("Password that encrypts backups. Keep a copy elsewhere: without it they cannot be restored.", secret=True),
    ] = ""
    s3_access_key: Annotated[str, _doc("For s3:// backups.", name="AWS_ACCESS_KEY_ID", secret=True)] = ""
    s3_secret_key: Annotated[str, _doc("For s3:// backups.", name="AWS_SECRET_ACCESS_KEY", secret=True)] = ""
    s3_region: Annotated[str, _doc("For s3:// backups.", name="AWS_REGION")] = "us-east-1"
    s3_endpoint: Annotated[str, _doc("Address of an S3 server other than Amazon's.", name="AWS_ENDPOINT_URL")] = ""

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.data / 'app.sqlite3'}"

    @property
    def engine_path(self) -> Path:
        return self.data / "engine.sqlite3"

    @property
    def blobs(self) -> Path:
        return self.data / "blobs"

    @property
    def uploads(self) -> Path:
        return self.data / "uploads"

    @property
    def scratch(self) -> Path:
        return self.data / "scratch"

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret that is set, for the log to hide."""
        whole = [getattr(self, variable.field) for variable in variables() if variable.secret]
        return tuple(secret for secret in (*whole, *tracing.parse_headers(self.otlp_headers).values()) if secret)

    @property
    def origins(self) -> frozenset[str]:
        """Other web origins that may call the API."""
        return frozenset(origin.strip().rstrip("/") for origin in self.allowed_origins.split(",") if origin.strip())

    @property
    def thread_count(self) -> int:
        return self.threads or os.cpu_count() or 1


def variables() -> tuple[Variable, ...]:
    """The environment variable of every setting, in the order of the fields."""
    return variables_of(Settings)
