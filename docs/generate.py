"""Writes what in docs/ is made from the program itself: environment.md, errors.md, assets/rooms.svg. `make docs` runs
it; a test compares."""

from __future__ import annotations

import runpy
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import msgspec

from app.config.settings import variables
from app.config.variables import Variable
from app.domain.catalogue import catalogue

HERE = Path(__file__).resolve().parent
_MADE = "<!-- Made by `make docs`. Do not edit. -->\n"

# The subjects of environment.md, in its order: heading, what comes before the table, the fields of
# app/config/settings.py, an example.
SUBJECTS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "Address and folder",
        "",
        ("data", "host", "port", "base_path", "allowed_hosts", "trusted_proxies", "allowed_origins"),
        "AUTODUBBER_DATA=/srv/autodubber\nAUTODUBBER_HOST=0.0.0.0\nAUTODUBBER_ALLOWED_HOSTS=dub.example.org,nas.local\nAUTODUBBER_BASE_PATH=/dub\nAUTODUBBER_TRUSTED_PROXIES=172.16.0.0/12",
    ),
    (
        "Limits",
        "What is refused, and when.",
        ("max_upload_bytes", "max_duration_s", "upload_expiry_s", "max_open_uploads", "max_sockets", "min_free_bytes"),
        (
            "AUTODUBBER_MAX_UPLOAD_BYTES=8589934592   # 8 GB\nAUTODUBBER_MIN_FREE_BYTES=10737418240    # stop while 10 "
            "GB are still free"
        ),
    ),
    (
        "Work",
        "How much of the machine is used; [tuning](tuning.md) says what that gives.",
        ("prepare_at_once", "render_at_once", "threads", "child_memory_bytes"),
        "AUTODUBBER_THREADS=4\nAUTODUBBER_RENDER_AT_ONCE=1",
    ),
    (
        "Recognition",
        "",
        ("recognizer", "model", "model_url", "separation_model_url", "device"),
        "AUTODUBBER_MODEL=small\nAUTODUBBER_MODEL_URL=https://mirror.example/whisper/{sha256}/{file}",
    ),
    (
        "Links",
        "Videos that the server downloads from an address; [links](links.md) says how.",
        ("links", "links_private", "links_cookies", "links_index"),
        "AUTODUBBER_LINKS=off   # false, 0 and no are the same\nAUTODUBBER_LINKS_PRIVATE=192.168.1.0/24",
    ),
    (
        "Voices",
        "What a job gets where it says nothing; a person may choose otherwise for each job.",
        (
            "voice",
            "voice_download",
            "voice_model_url",
            "review",
            "ahead",
            "elevenlabs_key",
            "elevenlabs_url",
            "elevenlabs_model",
            "elevenlabs_at_once",
            *("speech_url", "speech_model", "speech_key", "speech_usd_per_million", "speech_at_once"),
            *(
                "transcription_url",
                "transcription_model",
                "transcription_key",
                "transcription_usd_per_minute",
                "scribe_model",
            ),
        ),
        "AUTODUBBER_VOICE=espeak:en-gb\nELEVENLABS_API_KEY_FILE=/run/secrets/elevenlabs_key",
    ),
    (
        "Translation",
        "[Translation](translation.md) says how the lines are translated, and what each translator needs.",
        (
            *("chat_url", "chat_model", "chat_key", "chat_context_tokens", "ollama_url", "ollama_model"),
            *("libretranslate_url", "libretranslate_key", "deepl_key", "deepl_url"),
        ),
        "AUTODUBBER_OLLAMA_URL=http://127.0.0.1:11434\nAUTODUBBER_OLLAMA_MODEL=gemma3:12b",
    ),
    (
        "Costs",
        "[Costs](costs.md) says how the price table is written, and what a ceiling counts.",
        ("prices", "ceiling_usd", "ceiling_credits"),
        "AUTODUBBER_CEILING_USD=5",
    ),
    (
        "Log",
        "[Monitoring](monitoring.md) says what is in it.",
        ("log_level", "log_format", "access_log", "log_file", "log_file_bytes", "log_file_keep"),
        "AUTODUBBER_LOG_LEVEL=warning\nAUTODUBBER_LOG_FILE=/data/logs/autodubber.log",
    ),
    (
        "Metrics and traces",
        "",
        ("metrics", "metrics_token", "otlp_endpoint", "otlp_headers"),
        "AUTODUBBER_METRICS_TOKEN_FILE=/run/secrets/metrics_token\nOTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318",
    ),
    (
        "Retention",
        "Nothing is deleted by itself unless one of these says so. [Retention](retention.md) says what each kind is.",
        (
            *("keep_jobs_days", "keep_sources_days", "keep_clips_days", "keep_outputs_days", "keep_backups_days"),
            *("max_sources_bytes", "max_clips_bytes", "max_outputs_bytes", "max_backups_bytes"),
        ),
        "AUTODUBBER_KEEP_JOBS_DAYS=90\nAUTODUBBER_MAX_OUTPUTS_BYTES=107374182400   # 100 GB",
    ),
    (
        "Backups",
        "[Backup and restore](backup.md).",
        (
            "backup_to",
            "backup_every_s",
            "backup_password",
            "s3_access_key",
            "s3_secret_key",
            "s3_region",
            "s3_endpoint",
        ),
        "AUTODUBBER_BACKUP_TO=s3://my-bucket/autodubber\nAUTODUBBER_BACKUP_PASSWORD_FILE=/run/secrets/backup_password",
    ),
)


def _shown(value: object) -> str:
    if value in ("", None):
        return "(empty)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _values(variable: Variable) -> str:
    if variable.choices:
        return ", ".join(f"`{choice}`" for choice in variable.choices)
    kind, bounds = variable.type, ""
    while typing.get_origin(kind) is typing.Annotated:
        for meta in kind.__metadata__:
            if isinstance(meta, msgspec.Meta):
                low, high = meta.ge, meta.le
                bounds = (
                    f" {low} to {high}"
                    if low is not None and high is not None
                    else f" from {low}"
                    if low is not None
                    else bounds
                )
        kind = kind.__origin__
    names = {int: "whole number", float: "number", bool: "`true`, `false`", str: "text", Path: "path"}
    name = names.get(kind, "")
    return f"{name}{bounds}"


def _row(v: Variable) -> str:
    return (
        f"| `{v.name}`{f' <br> `{v.name}_FILE`' if v.secret else ''} | {v.description} | {_values(v)} | "
        f"{_shown(v.default)} |"
    )


def environment() -> str:
    """docs/environment.md: every variable of app/config/settings.py, by subject. One that no subject names comes
    last."""
    known = {v.field: v for v in variables()}
    named = {field for _, _, fields, _ in SUBJECTS for field in fields}
    rest = tuple(field for field in known if field not in named)
    lines = [
        _MADE + "# Environment",
        "",
        "Everything that an operator decides is an environment variable. A wrong value, or an unknown name that begins",
        (
            "with `AUTODUBBER_`, stops the start with one line. An empty value is the same as none. Sizes are bytes, "
            "times are"
        ),
        (
            "seconds unless the name says days. A secret may stand in a file instead (`NAME_FILE`); both at once is "
            "refused."
        ),
        (
            "`serve`, and the commands that work on its data, read the same variables; `--data`, `--host` and `--port` "
            "go before them."
        ),
        "",
    ]
    for heading, text, fields, example in (*SUBJECTS, *([("Further", "", rest, "")] if rest else [])):
        lines += [f"## {heading}", "", *([text, ""] if text else [])]
        lines += [
            "| variable | what it does | values | default |",
            "|---|---|---|---|",
            *(_row(known[field]) for field in fields),
            "",
        ]
        lines += [*(["```sh", example, "```", ""] if example else [])]
    return "\n".join(lines)


def problems() -> str:
    """docs/errors.md: the error catalogue."""
    rows = [f"| `{p.code}` | {p.status} | {p.message} | {p.hint} |" for p in catalogue().values()]
    return "\n".join(
        [
            _MADE + "# Errors",
            "",
            (
                "Every error that the API answers with is `application/problem+json` with one of these codes; a failed "
                "job carries"
            ),
            (
                "the same code, message and hint, and `autodubber dub` prints them. "
                "[Troubleshooting](troubleshooting.md) begins with what is seen."
            ),
            "",
            "| code | HTTP status | message | what to do |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


_ROOMS = runpy.run_path(str(HERE / "rooms.py"))
PAGES: dict[str, Callable[[], str]] = {
    "environment.md": environment,
    "errors.md": problems,
    _ROOMS["FILE"]: _ROOMS["drawing"],
}


def main() -> int:
    for name, write in PAGES.items():
        (HERE / name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
