"""`autodubber dub` and `mux` with subtitles as the world writes them: what is spoken, and what is said of the file."""

from __future__ import annotations

import json
from pathlib import Path

from app.system import exit_status
from tests.unit.cli.test_dub import run
from tests.unit.media.samples import sample

FAULTY = (
    "Credits by somebody\n\n1\n00:00:00,200 --> 00:00:01,200\nŻółw śpi.\n\n2\n00:00:01,500 --> "
    "00:00:01,400\nŁódź płynie.\n\n3\n00:00:02,0"
)


def test_a_faulty_file_in_an_old_encoding_is_spoken_and_its_faults_are_told(tmp_path: Path) -> None:
    lines = tmp_path / "faulty.srt"
    lines.write_bytes(FAULTY.encode("cp1250") + "\n\n4\n00:10:00,000 --> 00:10:01,000\nPóźno.\n".encode("cp1250"))
    done = run(
        tmp_path / "data",
        "dub",
        sample("plain.mp4"),
        "--subtitles",
        lines,
        "--language",
        "pl",
        "--voice",
        "espeak:pl",
        "-o",
        tmp_path / "out",
    )
    assert done.returncode == exit_status.OK, done.stderr
    report = json.loads((tmp_path / "out" / "plain.dub.report.json").read_text())
    assert [line["text"] for line in report["lines"]] == ["Żółw śpi.", "Łódź płynie."]
    told = report["subtitles"]
    assert (told["encoding"], told["guessed"], told["cues"], told["left_out"], told["repaired"]) == (
        "cp1250",
        True,
        2,
        3,
        1,
    )
    assert [fault["line"] for fault in told["faults"]] == [1, 8, 12, 0]
    assert "srt (cp1250, guessed), 2 cues; 1 repaired, 3 left out" in done.stderr
    assert (
        "line 12: the times cannot be read; left out" in done.stderr
        and "1 cue is after the video's end; left out" in done.stderr
    )


def test_the_encoding_can_be_chosen_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_bytes("1\n00:00:00,200 --> 00:00:01,200\nŻółw śpi.\n".encode("cp1250"))
    words = [
        "dub",
        sample("plain.mp4"),
        "--subtitles",
        lines,
        "--language",
        "pl",
        "--voice",
        "espeak:pl",
        "--json",
        "-o",
        tmp_path / "out",
    ]
    done = run(tmp_path / "data", *words, "--subtitle-encoding", "latin-1")
    assert json.loads(done.stdout)["report"]["lines"][0]["text"] == "¯ó³w \x9cpi.".replace("\x9c", "")
    refused = run(tmp_path / "data", *words, "--subtitle-encoding", "rot13")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (
        exit_status.BAD_INPUT,
        "encoding_unknown",
    )


def test_mux_reads_by_the_tracks_language_and_names_the_faults(tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_bytes(FAULTY.encode("cp1250"))
    done = run(
        tmp_path / "data",
        "mux",
        sample("plain.mp4"),
        "--track",
        f"pl={sample('plain.mp4')}",
        "--subtitles",
        f"pl={lines}",
        "-o",
        tmp_path / "out.mkv",
    )
    assert done.returncode == exit_status.OK, done.stderr
    assert "lines.srt:  line 12: the times cannot be read; left out" in done.stderr
    assert (tmp_path / "out.mkv").exists()


def test_a_translation_of_ones_own_is_spoken_and_both_languages_are_handed_out(tmp_path: Path) -> None:
    lines, own = tmp_path / "lines.srt", tmp_path / "es.txt"
    lines.write_text(
        "\n\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{t}" for n, t in enumerate(["One.", "Two.", "Three."], 1))
    )
    own.write_text("1. Uno.\n3. Tres.\n7. Siete.")
    words = ["dub", sample("plain.mp4"), "--subtitles", lines, "--language", "en", "--to", "es", "--translation", own]
    done = run(tmp_path / "data", *words, "--voice", "espeak:es", "-o", tmp_path / "out")
    assert done.returncode == exit_status.OK, done.stderr
    report = json.loads((tmp_path / "out" / "plain.dub.report.json").read_text())
    assert [line["text"] for line in report["lines"]] == ["Uno.", "Two.", "Tres."]
    assert "no translation for line 2, which stays as it is: Two." in done.stderr
    assert "no line for 7: Siete." in done.stderr
    assert "Three." in (tmp_path / "out" / "plain.dub.original.srt").read_text()
    own.write_text("9. Nueve.")
    done = run(tmp_path / "data", *words, "--voice", "espeak:es", "-o", tmp_path / "out")
    assert "The translation has nothing for any of the lines." in done.stderr
    assert done.returncode == exit_status.BAD_INPUT
