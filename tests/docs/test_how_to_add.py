"""The page "How to add something" is true: its blocks, applied to a copy of the program, give what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to-add.md"
RENDER = ["separate", "synthesize", "fit", "mix", "mux"]
BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def apply(language: str, path: Path, block: str) -> None:
    """Write the new file, or make the changes: what stands beside a change, and what it takes away, must be in the file
    exactly once."""
    if language != "diff":
        assert not path.exists(), path
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    for change in block.split("@@\n"):
        lines = change.splitlines(keepends=True)
        assert {line[0] for line in lines} <= set(" +-"), change
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        assert f"\n{text}".count(f"\n{before}") == 1, f"{path.name} has not exactly once:\n{before}"
        text = f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:]
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with one more voice, recogniser, stage, option, setting and error."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs" / "assets").mkdir(parents=True)
    for name in ("docs/generate.py", "docs/rooms.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) >= 15
    for language, name, block in blocks:
        apply(language, folder / name, block)
    return folder


def run(copy: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy, which comes before the checkout."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTODUBBER_")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=copy,
        env=clean | {"PYTHONPATH": str(copy)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


def told(copy: Path, code: str, **variables: str) -> Any:
    """What the copy prints as JSON."""
    where, answer = run(copy, "-c", f"import json, app\nprint(app.__file__)\n{code}", **variables).stdout.splitlines()
    assert Path(where).is_relative_to(copy)
    return json.loads(answer)


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:app|tests|docs|web)/[\w./]+)`", PAGE.read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


def test_the_registry_lists_the_voice_and_the_recogniser(copy: Path) -> None:
    code = """
import asyncio
from pathlib import Path
from app.speech.registry import build_registry
registry = build_registry(models=Path("models"), elevenlabs_url="http://127.0.0.1:9")
infos = asyncio.run(registry.infos())
print(json.dumps([[one.name, one.kind, one.availability.available] for one in infos]))
"""
    listed = told(copy, code)
    assert ["tone", "voice", True] in listed and ["metronome", "recognizer", True] in listed and len(listed) == 12


def test_the_stage_is_declared_and_the_option_and_the_error_are_known_everywhere(copy: Path) -> None:
    code = """
import msgspec
from app.cli.dub_parsing import options_of
from app.cli.main import parser
from app.config.environment import load
from app.domain.dub_options import DubOptions
from app.domain.catalogue import catalogue
from app.domain import stages
from app.api.system import list_stages
from app.jobs.options import patched
from app.jobs.schemas import OptionsPatch
def sent(value):
    return msgspec.convert({"mix": {"fade_in_s": value}}, OptionsPatch)
try:
    sent(11)
    refused = ""
except msgspec.ValidationError as error:
    refused = str(error)
chosen = patched(DubOptions(), sent(2))
typed = options_of(parser().parse_args(["dub", "film.mp4", "--fade-in", "3"]), load())
print(json.dumps({
    "stages": [stage.name for stage in list_stages.fn().stages], "refused": refused,
    "default": DubOptions().mix.fade_in_s, "sent": chosen.mix.fade_in_s, "typed": typed.mix.fade_in_s,
    "changes_the_mix": stages.chosen(chosen, stages.MIX) != stages.chosen(DubOptions(), stages.MIX),
    "error": catalogue()["too_many_waiting"].status,
}))
"""
    found = told(copy, code)
    assert found["stages"] == ["probe", "ingest", "transcribe", "speakers", "translate", "count", *RENDER]
    assert (found["default"], found["sent"], found["typed"], found["changes_the_mix"]) == (0.0, 2.0, 3.0, True)
    assert "fade_in_s" in found["refused"] and found["error"] == 429


def test_the_api_schema_has_the_option(copy: Path) -> None:
    described = json.loads(run(copy, "-m", "app", "openapi").stdout)["components"]["schemas"]["MixPatch"]["properties"]
    assert described["fade_in_s"] == described["duck_hold_s"] and "number" in json.dumps(described["fade_in_s"])


def test_the_setting_is_read_from_the_environment(copy: Path) -> None:
    code = "from app.config.environment import load\nprint(load().max_waiting_jobs)"
    assert (told(copy, code), told(copy, code, AUTODUBBER_MAX_WAITING_JOBS="7")) == (500, 7)


def test_the_generated_pages_have_the_setting_and_the_error(copy: Path) -> None:
    run(copy, "docs/generate.py")
    environment = (copy / "docs" / "environment.md").read_text(encoding="utf-8")
    assert "| `AUTODUBBER_MAX_WAITING_JOBS` |" in environment and "## Further" not in environment
    assert "| `too_many_waiting` | 429 |" in (copy / "docs" / "errors.md").read_text(encoding="utf-8")


def test_the_direction_of_the_rooms_still_holds(copy: Path) -> None:
    done = run(copy, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())")
    assert "0 broken" in done.stdout


def test_a_dub_goes_through_all_of_them(copy: Path, ffmpeg: str, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    given = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=64x48:rate=5:duration=3",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=300:duration=3",
    ]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    subprocess.run([ffmpeg, "-v", "error", *given, *coded, film], check=True)
    settings = {
        "AUTODUBBER_DATA": str(tmp_path / "data"),
        "AUTODUBBER_RECOGNIZER": "metronome",
        "AUTODUBBER_MIN_FREE_BYTES": "0",
    }
    wished = ["--voice", "tone:low", "--fade-in", "1", "--json", "--output", str(tmp_path / "out")]
    done = run(copy, "-m", "app", "dub", str(film), *wished, **settings)
    dubbed = json.loads(done.stdout)
    assert [line["text"] for line in dubbed["report"]["lines"]] == ["Beat 1", "Beat 2", "Beat 3"]
    first = ["probe", "ingest", "transcribe", "speakers", "translate", "count"]
    assert list(dubbed["stages_s"]) == [*first, *RENDER]
    assert (tmp_path / "out" / "film.dub.mp4").stat().st_size > 0
