"""The options of `autodubber dub`: from what is typed to what is in the files."""

from __future__ import annotations

import argparse
import json
from enum import StrEnum
from pathlib import Path

import av
import pytest

from app.cli import main as cli
from app.cli.dub_parsing import options_of
from app.config.environment import load
from app.domain.dub_options import (
    AudioCodec,
    AudioFormat,
    Background,
    BurnPosition,
    BurnSize,
    Container,
    DubOptions,
    Formality,
    JoinShortCues,
    Separate,
    Task,
    changed,
)
from app.domain.glossary import Term
from app.system import exit_status
from tests.unit.cli.test_dub import LINES, run
from tests.unit.media.samples import sample

TYPED = (
    "--stem s.wav --separate on --duck-db -12 --duck-attack 0.2 --duck-hold 1 --duck-release 0.5 --keep-db -3 "
    "--loudness -23 "
    "--audio-format flac --container mkv "
    "--audio-codec opus --to de --translator chat --burn --burn-size large --burn-position top --burn-box "
    "--hardware-encoder --audio-track 1 "
    "--speak-sounds --join-short-cues on --speakers 3 --subtitle-encoding windows-1250"
)


def parsed(*typed: str) -> argparse.Namespace:
    return cli.parser().parse_args(["dub", "film.mp4", *typed])


def options(tmp_path: Path, *typed: str) -> DubOptions:
    return options_of(parsed(*typed), load({"AUTODUBBER_DATA": str(tmp_path)}))


@pytest.mark.parametrize(
    "option, kind",
    [
        ("background", Background),
        ("separate", Separate),
        ("audio_format", AudioFormat),
        ("container", Container),
        ("audio_codec", AudioCodec),
        ("burn_size", BurnSize),
        ("burn_position", BurnPosition),
        ("task", Task),
        ("join_short_cues", JoinShortCues),
        ("formality", Formality),
    ],
)
def test_the_command_line_offers_what_there_is(option: str, kind: type[StrEnum]) -> None:
    commands = next(action for action in cli.parser()._actions if action.dest == "command").choices
    assert isinstance(commands, dict)
    action = next(action for action in commands["dub"]._actions if action.dest == option)
    assert set(action.choices or ()) == {member.value for member in kind}


def test_nothing_typed_means_the_defaults(tmp_path: Path) -> None:
    made = options(tmp_path)
    assert changed(made, model="", review=True, voice="espeak:auto", recognizer="openai-whisper") == DubOptions()
    assert (made.recognition.model, made.recognition.review) == (load({}).model, False)


def test_everything_typed_arrives(tmp_path: Path) -> None:
    made = options(tmp_path, *TYPED.split())
    typed = {
        "target_language": "de",
        "translator": "chat",
        "separate": Separate.ON,
        "duck_db": -12.0,
        "duck_attack_s": 0.2,
        "duck_hold_s": 1.0,
        "duck_release_s": 0.5,
        "keep_db": -3.0,
        "loudness_lufs": -23.0,
        "audio_format": AudioFormat.FLAC,
        "container": Container.MKV,
        "audio_codec": AudioCodec.OPUS,
        "burn_size": BurnSize.LARGE,
        "burn_position": BurnPosition.TOP,
        "burn_box": True,
        "hardware_encoder": True,
        "speak_sounds": True,
        "join_short_cues": JoinShortCues.ON,
        "subtitle_encoding": "windows-1250",
        "speakers": 3,
        "burn_subtitles": True,
        "audio_track": 1,
    }
    assert made == changed(options(tmp_path), **typed)
    assert options(tmp_path, "--loudness", "off").mix.loudness_lufs is None
    (tmp_path / "terms.csv").write_text("term,say\nAda,Eyda\n")
    wished = options(
        tmp_path, "--glossary", str(tmp_path / "terms.csv"), "--formality", "formal", "--style", "dry", "--shorten"
    )
    assert wished.glossary.terms == (Term("Ada", say="Eyda"),)
    assert (wished.translation.formality, wished.translation.style) == (Formality.FORMAL, "dry")
    assert wished.translation.shorten


def test_a_container_that_cannot_hold_the_picture_is_status_3_before_anything_is_decoded(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "dub", sample("plain.mp4"), "--container", "webm", "--json", "-o", tmp_path / "out")
    assert done.returncode == exit_status.BAD_INPUT
    assert json.loads(done.stdout)["error"]["code"] == "container_unsuitable" and "decoding" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_stem_that_is_no_sound_is_status_3_before_anything_is_decoded(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "dub", sample("plain.mp4"), "--stem", __file__, "--json", "-o", tmp_path / "out")
    assert done.returncode == exit_status.BAD_INPUT
    assert json.loads(done.stdout)["error"]["code"] == "stem_invalid" and "decoding" not in done.stderr


def test_a_stem_another_container_and_another_codec_are_what_the_files_have(tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_text(LINES.replace("00:00:05,000", "00:00:03,900"))
    done = run(
        tmp_path / "data",
        "dub",
        sample("plain.mp4"),
        "--subtitles",
        lines,
        "--language",
        "en",
        "--stem",
        sample("plain.flac"),
        "--container",
        "mkv",
        "--audio-codec",
        "opus",
        "--audio-format",
        "mp3",
        "--keep-original-track",
        "--loudness",
        "-23",
        "-o",
        tmp_path / "out",
    )
    assert done.returncode == exit_status.OK, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"plain.dub.{name}" for name in ("mkv", "mp3", "srt", "vtt", "ass", "report.json")
    }
    with (
        av.open(str(tmp_path / "out" / "plain.dub.mkv")) as video,
        av.open(str(tmp_path / "out" / "plain.dub.mp3")) as alone,
    ):
        assert [stream.codec_context.name for stream in video.streams.audio] == ["opus", "aac"]
        assert alone.streams.audio[0].codec_context.name.startswith("mp3")
    assert "target -23 LUFS" in done.stderr and "faster than 1.25x" in done.stderr
    assert done.stdout.splitlines()[0].endswith("plain.dub.mkv")


def test_what_describes_is_not_spoken_and_the_words_of_short_cues_are_one_line(tmp_path: Path) -> None:
    words = ["[slam]", "JOHN:", "This", "is", "one", "word", "in", "every", "cue.", "♪", "la", "♪"]
    cues = [
        f"{n}\n00:00:0{n // 5},{n % 5 * 200:03} --> 00:00:0{n // 5},{n % 5 * 200 + 180:03}\n{word}"
        for n, word in enumerate(words)
    ]
    (tmp_path / "lines.srt").write_text("\n\n".join(cues), encoding="utf-8")
    done = run(
        tmp_path / "data",
        "dub",
        sample("plain.mp4"),
        "--subtitles",
        tmp_path / "lines.srt",
        "--language",
        "en",
        "--json",
        "-o",
        tmp_path / "out",
    )
    assert done.returncode == exit_status.OK, done.stderr
    report = json.loads(done.stdout)["report"]
    assert [line["text"] for line in report["lines"]] == ["This is one word in every cue."]
    assert (report["joined"]["cues"], report["left_out"]) == (len(words), 2)
    shown = " ".join((tmp_path / "out" / "plain.dub.srt").read_text(encoding="utf-8").split())
    assert "This is one word in every cue." in shown and not any(said in shown for said in ("slam", "JOHN", "la"))
