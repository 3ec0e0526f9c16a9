"""What `autodubber doctor` checks of the installation: FFmpeg, fonts, Whisper and the page."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

from app.cli.finding import Finding, output_of
from app.domain.errors import DubError


def check_ffmpeg() -> list[Finding]:
    """Check FFmpeg and the features that it must have been built with."""
    from app.media.ffmpeg import tool

    reinstall = "Install the packages again: `make clean setup`."
    try:
        program = tool()
        first = output_of([program, "-hide_banner", "-version"]).split("\n", 1)[0]
        encoders, filters = (
            output_of([program, "-hide_banner", "-encoders"]),
            output_of([program, "-hide_banner", "-filters"]),
        )
    except (DubError, OSError, subprocess.SubprocessError) as error:
        return [Finding("ffmpeg", False, True, f"does not run: {error}", reinstall)]
    checks = [Finding("ffmpeg", True, True, first)]
    for name, listing, use in (
        ("libx264", encoders, "burned subtitles"),
        ("aac", encoders, "the dubbed sound"),
        ("ass", filters, "burned subtitles (libass)"),
    ):
        there = any(name in line.split()[1:2] for line in listing.splitlines())
        checks.append(
            Finding(
                f"ffmpeg {name}",
                there,
                True,
                f"{'there' if there else 'missing'}, for {use}",
                "" if there else reinstall,
            )
        )
    return checks


async def check_encoder() -> list[Finding]:
    """Check the video encoder for burned subtitles with a test encoding."""
    from app.media import video_encoders

    try:
        found = await video_encoders.choose(hardware=True)
    except (DubError, OSError):
        return []  # without ffmpeg, which is reported above
    software = found is video_encoders.SOFTWARE
    return [
        Finding(
            "video encoder",
            not software,
            False,
            "none of this machine's own works; libx264 is used" if software else f"{found.name} works",
        )
    ]


def check_fonts() -> list[Finding]:
    """Check the fonts for burned subtitles, which are part of AutoDubber."""
    from app.dubbing.video.burn import FONTS

    names = {path.name for path in FONTS.glob("*.tt[fc]")}
    there = "NotoSans-Regular.ttf" in names and any(name.endswith(".ttc") for name in names)
    found = f"{len(names)} shipped" + (", Latin to Chinese, Japanese and Korean" if there else ": some are missing")
    return [
        Finding(
            "fonts", there, True, found, "" if there else f"Install AutoDubber again: files of {FONTS} are missing."
        )
    ]


def check_whisper(device: str) -> list[Finding]:
    """Check Whisper and torch in a child process: torch would stay in this process's memory."""
    if importlib.util.find_spec("whisper") is None:
        return [Finding("Whisper", False, True, "openai-whisper is not installed", "Run `make setup`.")]
    gpu_name = "torch.cuda.is_available() and torch.cuda.get_device_name()"
    first = "from app.speech.whisper.child_process import leave_numba_out; leave_numba_out(); "
    code = (
        first + f"import json, torch, whisper; print(json.dumps([whisper.__version__, torch.__version__, {gpu_name}]))"
    )
    try:
        version, torch, gpu = json.loads(output_of([sys.executable, "-c", code]))
    except (subprocess.SubprocessError, ValueError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        return [
            Finding(
                "Whisper",
                False,
                True,
                f"cannot be loaded: {detail.strip().splitlines()[-1]}",
                "Run `make clean setup`.",
            )
        ]
    checks = [Finding("Whisper", True, True, f"openai-whisper {version}, torch {torch}")]
    card = _graphics_card()
    if gpu:
        checks.append(Finding("GPU", True, False, f"{gpu}, used by torch"))
    elif card:
        checks.append(
            Finding(
                "GPU",
                device != "cuda",
                device == "cuda",
                f"{card}, not used: this torch is built for the processor",
                "Run `make setup GPU=1`.",
            )
        )
    else:
        fix = "AUTODUBBER_DEVICE=cuda asks for one: set it to auto." if device == "cuda" else ""
        checks.append(
            Finding("GPU", device != "cuda", device == "cuda", "none; recognition runs on the processor", fix)
        )
    return checks


def _graphics_card() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    try:
        return output_of([tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]).strip().replace("\n", "; ")
    except (OSError, subprocess.SubprocessError):
        return ""


def check_page() -> list[Finding]:
    page = Path(__file__).resolve().parents[2] / "web" / "build" / "index.html"
    there = page.is_file()
    return [
        Finding(
            "page",
            there,
            False,
            "built" if there else "not built: the API works, the page does not",
            "" if there else "Run `make setup` (needs Node.js 20 or newer).",
        )
    ]
