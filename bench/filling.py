"""A data folder with many finished jobs, their rows as a render leaves them (no files): `python -m bench.filling FOLDER
--jobs 10000 --lines 30`.

A program of its own, which asks for nothing newer than version 0.1: with PYTHONPATH it fills a folder by the code of
another checkout.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event, insert

from app.storage import tables as t
from app.storage.database import migrate, open_database

_BATCH = 200  # jobs a transaction
_TEXT = "This is the line number {} of the film, and it says something."
_FILES = {
    "video": ("mp4", "video/mp4"),
    "audio": ("m4a", "audio/mp4"),
    "srt": ("srt", "application/x-subrip"),
    "vtt": ("vtt", "text/vtt"),
    "ass": ("ass", "text/x-ssa"),
    "report": ("json", "application/json"),
}


def _options() -> dict[str, Any]:
    """As a row of the checkout's version has them: in groups, or, before there were any, flat."""
    chosen: dict[str, Any] = {"recognizer": "subtitles", "model": "base", "voice": "espeak:en", "review": False}
    try:
        from app.domain.dub_options import DubOptions, changed, to_row
    except ImportError:
        from app.domain.job import NEUTRAL  # type: ignore[attr-defined]

        others = {
            "language": None,
            "task": "transcribe",
            "voice_model": "",
            "speed": 1.0,
            "background": "duck",
            "audio_track": None,
        }
        return {**NEUTRAL, **others, "keep_original_track": False, "burn_subtitles": False, **chosen}
    return to_row(changed(DubOptions(), **chosen))


def _clip_rows() -> tuple[str, ...]:
    """The files of a clip that have a row of their own."""
    try:
        import app.storage.clip_files  # noqa: F401
    except ImportError:
        return ("wav", "json")
    return ("wav",)


_OPTIONS = _options()
_CLIP_ROWS = _clip_rows()


def rows(number: int, lines: int, dice: random.Random) -> dict[str, list[dict[str, Any]]]:
    """The rows of one job by table. The numbers have as many digits as real ones, and the hashes repeat nowhere."""

    def name(size: int = 64) -> str:
        return f"{dice.getrandbits(size * 4):0{size}x}"

    job_id, source, ingest, at = name(32), name(32), name(), 1_795_000_000.123456 + number
    ids, clips = [name(32) for _ in range(lines)], [f"clips/{name()}" for _ in range(lines)]
    ingested = [f"ingest/{ingest}/{file}" for file in ("speech.wav", "peaks.dat", "energies.f32", "thumbnail.jpg")]
    made = {kind: _artifact(kind, name(), *_FILES[kind]) for kind in _FILES}
    seconds = [3 + dice.random() for _ in range(lines)]
    media = {
        "format": "mov,mp4,m4a,3gp,3g2,mj2",
        "duration_s": lines * 4.0,
        "start_s": 0.0,
        "size_bytes": 5_783_408,
        "video": {
            "index": 0,
            "codec": "h264",
            "width": 320,
            "height": 180,
            "fps": 10.0,
            "rotation_deg": 0,
            "obstacle": None,
        },
        "audio": [
            {
                "index": 1,
                "track": 0,
                "codec": "aac",
                "sample_rate_hz": 48000,
                "channels": 1,
                "language": None,
                "title": None,
                "default": True,
                "silent": False,
                "purpose": None,
            },
        ],
        "heard": 0,
        "incomplete": "",
    }
    outputs: dict[str, Any] = {
        "probe": name(),
        "ingest": {
            "duration_s": lines * 4.0,
            **dict(zip(("speech", "peaks", "energies", "thumbnail"), ingested, strict=True)),
            "obstacle": None,
        },
        "transcribe": {"language": None, "done_s": lines * 4.0},
        "synthesize": [
            {
                "segment_id": line,
                "key": clip,
                "duration_s": spoken,
                "sample_rate_hz": 22050,
                "speed": 1.0,
                "characters": 61,
                "cost_credits": 0.0,
            }
            for line, clip, spoken in zip(ids, clips, seconds, strict=True)
        ],
        "fit": [
            {
                "segment_id": line,
                "start_s": at_line * 4.0,
                "duration_s": spoken,
                "rate": 1 + spoken / 100,
                "trim_start_s": 0.0,
                "trim_end_s": 0.0,
                "flags": [],
            }
            for at_line, (line, spoken) in enumerate(zip(ids, seconds, strict=True))
        ],
        "mix": {
            "track": made["audio"],
            "audio": made["audio"],
            "loudness_lufs": -16 - dice.random(),
            "true_peak_db": -1 - dice.random(),
        },
        "mux": {"artifacts": list(made.values())},
    }
    uploaded = {**_artifact("source", source, "mp4", "video/mp4"), "key": f"uploads/{source}"}
    prepared = [
        uploaded,
        *(
            {**_artifact(kind, name(), "dat", "image/jpeg"), "key": key}
            for kind, key in zip(("peaks", "thumbnail"), ingested[1::2], strict=True)
        ),
    ]
    keys = [
        uploaded["key"],
        *ingested,
        *(file["key"] for file in made.values()),
        *(f"{clip}.{ending}" for clip in clips for ending in _CLIP_ROWS),
    ]
    job = {
        "id": job_id,
        "title": f"Film number {number}",
        "state": "completed",
        "phase": "render",
        "stage_progress": 0.0,
        "progress": 1.0,
        "options": _OPTIONS,
        "media": media,
        "source_key": uploaded["key"],
        "size_bytes": 5_783_408,
        "revision": 3,
        "rendered_revision": 3,
        "rendered_options": _OPTIONS,
        "created_at": at,
        "updated_at": at,
        "workflow_id": f"{job_id}-render-{name(8)}",
    }
    return {
        "jobs": [job],
        "segments": [
            {
                "job_id": job_id,
                "id": line,
                "start_s": at_line * 4.0,
                "end_s": at_line * 4 + 3.4,
                "text": _TEXT.format(at_line),
                "source_text": _TEXT.format(at_line),
                "speaker": "",
                "skip": False,
                "words": [],
            }
            for at_line, line in enumerate(ids)
        ],
        "stages": [
            {
                "job_id": job_id,
                "stage": stage,
                "fingerprint": name(),
                "output": output,
                "seconds": dice.random(),
                "finished_at": at,
            }
            for stage, output in outputs.items()
        ],
        "artifacts": [{"job_id": job_id, **file} for file in [*prepared, *made.values()]],
        "blob_references": [{"job_id": job_id, "key": key} for key in keys],
    }


def _artifact(kind: str, digest: str, extension: str, media_type: str) -> dict[str, Any]:
    key = f"artifacts/{digest}.{extension}"
    return {
        "kind": kind,
        "key": key,
        "size_bytes": 1_950_700,
        "sha256": digest,
        "media_type": media_type,
        "extension": extension,
    }


def fill(folder: Path, jobs: int, lines: int) -> Path:
    """Fill the folder's database, and return where it lies; the same rows at every call."""
    folder.mkdir(parents=True, exist_ok=True)
    path, dice = folder / "app.sqlite3", random.Random(1)
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    # who fills it can fill it again
    event.listen(database, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    database.dispose()
    for start in range(0, jobs, _BATCH):
        batch = [rows(number, lines, dice) for number in range(start, min(start + _BATCH, jobs))]
        with database.begin() as c:
            for name in ("jobs", "segments", "stages", "artifacts", "blob_references"):
                if listed := [row for one in batch for row in one[name]]:
                    c.execute(insert(t.metadata.tables[name]), listed)
    database.dispose()
    return path


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run."""
    return [str(folder / "data"), "--jobs", "2", "--lines", "2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=30)
    given = parser.parse_args()
    began = time.perf_counter()
    path = fill(given.folder, given.jobs, given.lines)
    print(
        f"{given.jobs} jobs of {given.lines} lines: {path.stat().st_size / 1e6:.0f} MB in "
        f"{time.perf_counter() - began:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
