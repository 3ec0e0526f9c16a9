"""The command line: what it prints, what it leaves behind, and its exit status. Real files, real processes."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import dub_files, dub_progress, failures
from app.cli import main as cli
from app.domain.catalogue import catalogue
from app.domain.stages import MIX
from app.media.ffmpeg import tool
from app.system import exit_status

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures"
LINES = (
    "1\n00:00:00,600 --> 00:00:02,800\nNow turn the table.\n\n2\n00:00:03,400 --> 00:00:05,000\nThis is how it looks.\n"
)


def environment(data: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTODUBBER_", "ELEVENLABS_"))}
    return {**kept, "AUTODUBBER_DATA": str(data), "AUTODUBBER_VOICE_DOWNLOAD": "0", **more}


def run(data: Path, *arguments: object, within_s: float = 120.0, **more: str) -> subprocess.CompletedProcess[str]:
    """`autodubber` with these arguments; `more` is environment."""
    command = [sys.executable, "-m", "app", *map(str, arguments)]
    environ = environment(data, **more)
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=within_s)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a moving picture and four spoken sentences."""
    path = tmp_path_factory.mktemp("video") / "talk.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=10"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest"]
    subprocess.run(
        [tool(), "-v", "error", *picture, "-i", FIXTURES / "clips" / "en_short.flac", *codecs, path], check=True
    )
    return path


def at(folder: Path, talk: Path) -> Path:
    """A copy of the video in a folder of the test's own."""
    folder.mkdir(exist_ok=True)
    copy = folder / talk.name
    copy.write_bytes(talk.read_bytes())
    return copy


# ---------------------------------------------------------------- start and usage


def test_the_command_line_loads_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, app.cli.main; sys.exit(app.cli.main.main(['version']) or ('msgspec' in sys.modules) or "
        "('asyncio' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "autodubber 0.1.0\n"


def test_the_server_loads_nothing_heavy() -> None:
    heavy = "torch whisper numpy scipy av onnxruntime elevenlabs dbos faster_whisper numba alembic"
    code = f"""
import sys, app.server.app, app.config.settings
app.server.app.create_app(app.config.settings.Settings())
print([name for name in '{heavy}'.split() if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_wrong_setting_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", AUTODUBBER_PORT="eighty")
    assert done.returncode == exit_status.USAGE
    assert done.stderr.startswith("autodubber: AUTODUBBER_PORT: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["absent.mp4"], "there is no file absent.mp4"),
        ([__file__, "--speed", "2"], "--speed is 0.7 to 1.2"),
        ([__file__, "--subtitles", "absent.srt"], "there is no file absent.srt"),
        ([__file__, "--review", __file__], "--review would overwrite the input"),
        ([__file__, "--review", "x.srt", "--subtitles", __file__], "there is no recognition"),
        ([__file__, "--translation", __file__], "--translation needs --to"),
        (
            [__file__, "--translation", __file__, "--to", "es", "--translator", "chat"],
            "--translator would make another",
        ),
        ([__file__, "--audio-track", "-1"], "counts from 0"),
        ([__file__, "--stem", "absent.wav"], "there is no file absent.wav"),
        ([__file__, "--duck-db", "5"], "--duck-db: Expected `float` <= 0.0"),
        ([__file__, "--duck-hold", "nan"], "--duck-hold: Expected `float`"),
        ([__file__, "--loudness", "loud"], "--loudness is a number of LUFS, or off"),
        ([__file__, "--loudness", "-3"], "--loudness: Expected `float` <= -8.0"),
    ],
)
def test_what_cannot_work_is_told_at_once(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTODUBBER_DATA", str(tmp_path / "data"))
    assert cli.main(["dub", *arguments]) == exit_status.USAGE
    assert says in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_every_error_has_an_exit_status_and_none_has_two() -> None:
    groups = (failures._BAD_INPUT, failures._ENGINE, failures._ENVIRONMENT)
    codes = [problem.code for group in groups for problem in group]
    assert len(codes) == len(set(codes))
    statuses = {code: failures.exit_status(problem) for code, problem in catalogue().items()}
    only_over_http = re.compile(
        "upload_|job_|edit_|segment_|forbidden_|precondition_|invalid_request|not_found|method_|body_|upgrade_|shutting_|tus_|artifact_|metrics_|host_|metadata_"
        "|headers_|too_many_(uploads|sockets)"
    )
    ours = {
        code for code, status in statuses.items() if status == exit_status.INTERNAL and not only_over_http.match(code)
    }
    assert ours == {"internal", "recognition_failed", "cancelled"}, (
        "a new error needs its exit status in app/cli/failures.py"
    )
    assert statuses["not_media"] == exit_status.BAD_INPUT
    assert statuses["quota_exceeded"] == exit_status.ENGINE
    assert statuses["disk_full"] == exit_status.ENVIRONMENT
    assert statuses["internal"] == exit_status.INTERNAL


# ---------------------------------------------------------------- dub


def test_a_video_and_its_subtitles_become_a_dub(talk: Path, tmp_path: Path) -> None:
    video = at(tmp_path / "in", talk)
    lines = tmp_path / "in" / "lines.srt"
    lines.write_text(LINES)
    done = run(
        tmp_path / "data", "dub", video, "--subtitles", lines, "--language", "en", "--json", "-o", tmp_path / "out"
    )
    assert done.returncode == exit_status.OK, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"] and said["lines"] == 2 and said["duration_s"] == pytest.approx(10.0, abs=0.1)
    names = {"video": "mp4", "audio": "m4a", "srt": "srt", "vtt": "vtt", "ass": "ass", "report": "report.json"}
    assert said["outputs"] == {kind: str(tmp_path / "out" / f"talk.dub.{name}") for kind, name in names.items()}
    assert {str(path) for path in (tmp_path / "out").iterdir()} == set(said["outputs"].values())
    report = json.loads((tmp_path / "out" / "talk.dub.report.json").read_text())
    assert report == said["report"] and [line["text"] for line in report["lines"]] == [
        "Now turn the table.",
        "This is how it looks.",
    ]
    assert video.read_bytes() == talk.read_bytes()
    assert "mixing: done in" in done.stderr
    assert [path.name for path in (tmp_path / "data" / "cli").iterdir()] == ["clips"], "the scratch is gone"

    clips = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "data" / "cli" / "clips").iterdir()}
    assert len(clips) == 4  # sound and meta of two lines
    again = run(
        tmp_path / "data", "dub", video, "--subtitles", lines, "--language", "en", "--json", "-o", tmp_path / "out"
    )
    assert again.returncode == exit_status.OK
    assert clips == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "data" / "cli" / "clips").iterdir()}, (
        "no line is spoken twice"
    )


def test_lines_are_written_corrected_and_passed_back(talk: Path, whisper_checkpoint: Path, tmp_path: Path) -> None:
    video, lines = at(tmp_path, talk), tmp_path / "talk.dub.srt"  # a name that a result would take
    first = run(tmp_path / "data", "dub", video, "--model", whisper_checkpoint, "--review", lines, "--json")
    assert first.returncode == exit_status.OK, first.stderr
    said = json.loads(first.stdout)
    assert said["language"] == "en" and said["outputs"] == {"review": str(lines)}
    assert 0.9 < said["language_certainty"] <= 1.0
    assert "This is how it looks from above." in lines.read_text()
    lines.write_text(lines.read_text().replace("above", "below"))
    before = lines.read_bytes()
    second = run(tmp_path / "data", "dub", video, "--subtitles", lines, "--json")
    assert second.returncode == exit_status.OK, second.stderr
    outputs = json.loads(second.stdout)["outputs"]
    assert lines.read_bytes() == before, "an input is never overwritten"
    assert Path(outputs["srt"]).name == "talk.dub-2.srt"
    assert "from below" in Path(outputs["srt"]).read_text()


def test_recognised_lines_with_a_translation_of_ones_own_are_written_to_be_read(
    talk: Path, whisper_checkpoint: Path, tmp_path: Path
) -> None:
    own, lines = tmp_path / "own.txt", tmp_path / "lines.srt"
    own.write_text("1. Uno.\n2. Dos.")
    words = ["dub", talk, "--model", whisper_checkpoint, "--to", "es", "--translation", own, "--review", lines]
    done = run(tmp_path / "data", *words, "--json")
    assert done.returncode == exit_status.OK, done.stderr
    texts = lines.read_text().split("\n")[2::4]
    assert texts[:2] == ["Uno.", "Dos."] and texts[2:] and "no translation for line 3" in done.stderr


def test_what_is_no_media_is_status_3_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a video at all")
    done = run(tmp_path / "data", "dub", tmp_path / "notes.mp4", "--json")
    assert done.returncode == exit_status.BAD_INPUT
    assert json.loads(done.stdout)["error"]["code"] == "not_media"
    assert "Use MP4, MOV" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "notes.mp4"]


def test_a_voice_without_its_key_is_status_4_before_anything_is_decoded(talk: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "data", "dub", talk, "--voice", "elevenlabs:x", "--json")
    assert done.returncode == exit_status.ENGINE
    assert json.loads(done.stdout)["error"]["code"] == "key_missing"
    assert "decoding" not in done.stderr


def test_too_little_disk_is_status_5(talk: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "data", "dub", talk, "--json", AUTODUBBER_MIN_FREE_BYTES=str(1 << 60))
    assert done.returncode == exit_status.ENVIRONMENT
    assert json.loads(done.stdout)["error"]["code"] == "disk_full"


def children_of(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found |= {child, *children_of(child)}
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


def ended(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.fixture
def transcribing(talk: Path, whisper_checkpoint: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run whose recognition has just begun."""
    command = [
        sys.executable,
        "-m",
        "app",
        "dub",
        str(talk),
        "--model",
        str(whisper_checkpoint),
        "-o",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(
        command, env=environment(tmp_path / "data"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("transcribing ..."):
            break
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_kills_the_children_and_removes_the_scratch(
    number: signal.Signals, transcribing: subprocess.Popen[str], tmp_path: Path
) -> None:
    # one that is not yet another program must not be stopped: whoever starts it waits until it is
    own = command_of(transcribing.pid)
    while not (children := children_of(transcribing.pid)) or own in map(command_of, children):
        time.sleep(0.01)
    for child in children:
        os.kill(child, signal.SIGSTOP)  # by itself it never ends now: whoever waits for it waits for ever
    transcribing.send_signal(number)
    _, err = transcribing.communicate(timeout=60)
    assert transcribing.returncode == exit_status.INTERRUPTED and "interrupted" in err and "Traceback" not in err
    assert all(ended(child) for child in children)
    assert [path.name for path in (tmp_path / "data" / "cli").iterdir()] == ["clips"]
    assert not (tmp_path / "out").exists()


def test_what_a_killed_run_left_is_swept_by_the_next_but_a_running_ones_is_not(
    transcribing: subprocess.Popen[str], tmp_path: Path
) -> None:
    home = tmp_path / "data" / "cli"
    (left,) = home.glob("run-*")
    with dub_files.run_folder(tmp_path / "data"):
        assert left.exists(), "it is in use"
    children = children_of(transcribing.pid)
    transcribing.kill()
    transcribing.wait()
    while not all(ended(child) for child in children):  # the kernel kills them too; until then they hold the folder
        time.sleep(0.01)
    with dub_files.run_folder(tmp_path / "data") as mine:
        assert not left.exists() and mine.exists()
    assert not mine.exists()


# ---------------------------------------------------------------- progress


def test_plain_progress_is_a_line_at_both_ends_and_one_every_five_seconds() -> None:
    out, now = io.StringIO(), 0.0
    shown = dub_progress.PlainDisplay(out, now=lambda: now)
    with shown.stage(MIX) as report:
        for second in range(1, 13):
            now = float(second)
            report(second / 12, "loud" if second == 10 else "")
    assert out.getvalue().splitlines() == ["mixing ...", "mixing: 42%", "mixing: 83% (loud)", "mixing: done in 12.0 s"]
    assert list(shown.stages_s()) == ["mix"]


def test_a_terminal_gets_bars() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    with dub_progress.display(out) as shown, shown.stage(MIX) as report:
        report(0.5, "[not markup]")
    assert "mixing" in out.getvalue() and "100%" in out.getvalue() and "MIX ..." not in out.getvalue()
