"""What the declarations of the stages say is true: of the options, of the work, of the outputs."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain import stages
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
)
from app.domain.glossary import Term
from app.domain.job import Phase
from app.domain.media import Artifact, ArtifactKind, AudioStream, MediaInfo
from app.domain.segment import Clip, Placement, Segment
from app.domain.stage_outputs import Finished, Mixed, Separated, Sound, SpeakersFound, Transcribed, Translated
from app.domain.stages import STAGES
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.memory_store import MemoryStore, NoKeys
from app.jobs.stages import BODIES, StageWork
from app.separation.spleeter.engine import SpleeterEngine
from app.speech.elevenlabs.isolation import Isolation
from app.speech.model_files import ModelFiles
from app.speech.registry import build_registry
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.unit.jobs.house import OPTIONS

OTHER: dict[type, Any] = {bool: True, str: "other", float: 0.9, int: 1, type(None): None}
VALUES: dict[str, Any] = {
    "voice": "elevenlabs:other",
    "language": "fr",
    "target_language": "de",
    "translator": "chat",
    "task": Task.TRANSLATE,
    "background": Background.REPLACE,
    "separate": Separate.ON,
    "speed": 1.1,
    "audio_track": 1,
    "duck_db": -9.0,
    "loudness_lufs": -23.0,
    "audio_format": AudioFormat.MP3,
    "container": Container.WEBM,
    "audio_codec": AudioCodec.OPUS,
    "burn_size": BurnSize.LARGE,
    "burn_position": BurnPosition.TOP,
    "join_short_cues": JoinShortCues.ON,
    "subtitle_encoding": "cp1252",
    "speakers": 3,
    "formality": Formality.FORMAL,
    "terms": (Term("Hello", translation="Hola", say="Helloh"),),
    "voice_stability": 0.3,
    "voice_similarity": 0.8,
    "voice_style": 0.1,
    "voice_boost": True,
    "voice_seed": 7,
    "ceiling_usd": 2.0,
    "ceiling_credits": 500.0,
    "separator": "elevenlabs-isolation",
}
# Options that decide something only where another one lets them.
BASES: list[dict[str, Any]] = [
    {"voice": "elevenlabs:one", "audio_track": None, "burn_subtitles": True},
    {"separate": Separate.ON, "audio_track": 0},
    {"translator": "ollama", "target_language": "fr"},
    {"voice": "espeak:auto", "background": Background.KEEP, "audio_track": None},
    {"separate": Separate.OFF},
]
MEDIA = MediaInfo(
    "mp4", 20.0, 0.0, 5, None, tuple(AudioStream(n, n, "aac", 48_000, 2, None, None) for n in range(2)), heard=0
)
LINE = Segment("a", 1.0, 2.0, "Hello 5.", "Hello 5.", "", False, ())
FILE = Artifact(ArtifactKind.AUDIO, "artifacts/aa.m4a", 3, "aa", "audio/mp4", "m4a")
OUTPUTS: dict[str, Any] = {
    "probe": "digest",
    "ingest": Sound(20.0, "ingest/a/speech.wav", "ingest/a/peaks.dat", "ingest/a/energies.f32", None),
    "transcribe": Transcribed("es", 20.0),
    "speakers": SpeakersFound(2, 3),
    "translate": Translated(3, 1),
    "separate": Separated("separated/aa/background.flac"),
    "synthesize": (Clip("a", "clips/aa", 1.0, 22050, 1.0, 6, 0.0),),
    "fit": (Placement("a", 1.0, 0.9, 1.0, 0.0, 0.0, ()),),
    "mix": Mixed(FILE, FILE, -16.0, -1.0),
    "mux": Finished((FILE,), 20.0, "copied"),
}


def leaves(options: Any, before: str = "") -> Iterator[str]:
    """The names of all options; those of a group are "GROUP.NAME"."""
    # these are no options
    for name in (name for name in options.__struct_fields__ if name not in ("version", "later")):
        value = getattr(options, name)
        yield from leaves(value, f"{before}{name}.") if isinstance(value, msgspec.Struct) else [before + name]


def changed(options: Any, name: str, value: Any) -> Any:
    group, _, rest = name.partition(".")
    return msgspec.structs.replace(options, **{group: changed(getattr(options, group), rest, value) if rest else value})


def value_of(options: Any, name: str) -> Any:
    for part in name.split("."):
        options = getattr(options, part)
    return options


class Inputs:
    """The inputs of every stage of a job that has run through all of them."""

    def __init__(self, folder: Path) -> None:
        registry = build_registry(
            models=folder, separators=(SpleeterEngine(ModelFiles(folder)), Isolation(lambda: None))
        )
        self.context = Context(
            FolderBlobs(folder / "blobs"), Workspace(folder / "work"), folder / "cache", registry, 1, Limits(), 3600.0
        )

    def of(self, options: DubOptions) -> dict[str, Any]:
        store = MemoryStore(options, title="t", source_key="uploads/a", subtitles_key="uploads/b", stem_key=None)
        store.update("", media=MEDIA, language="es")
        store.append_segments("", [LINE], stage="transcribe", fingerprint="t", output=None)
        for name, output in OUTPUTS.items():
            store.finish_stage("", name, "f", output, 1.0)
        work = StageWork(store=store, keys=NoKeys(), context=self.context, hub=Hub())
        return {
            stage.name: msgspec.json.encode(work.inputs(stage.name, store.row("")), enc_hook=str) for stage in STAGES
        }


def test_every_option_is_an_input_of_a_stage_or_named_as_deciding_nothing() -> None:
    declared = {name for stage in STAGES for name in stage.options}
    assert declared | stages.DECIDES_NOTHING == set(leaves(OPTIONS))
    assert not declared & stages.DECIDES_NOTHING


def test_an_option_changes_the_inputs_of_exactly_those_stages_that_declare_it(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path)
    changes: dict[str, set[str]] = {name: set() for name in leaves(OPTIONS)}
    for base in BASES:
        options = OPTIONS
        for name in changes:
            if (last := name.rpartition(".")[2]) in base:
                options = changed(options, name, base[last])
        before = inputs.of(options)
        for name, found in changes.items():
            now = value_of(options, name)
            other = VALUES.get(name.rpartition(".")[2], not now if isinstance(now, bool) else OTHER.get(type(now)))
            other = Separate.OFF if now is Separate.ON else other
            assert other != now and not (other is None and isinstance(now, Enum)), (
                f"{name} needs another value for this test"
            )
            after = inputs.of(changed(options, name, other))
            found |= {stage for stage, value in after.items() if value != before[stage]}
    declared = {name: {stage.name for stage in STAGES if name in stage.options} for name in changes}
    # mux sees it by the track that it makes
    declared[next(name for name in changes if name.endswith("audio_codec"))] = {"mix"}
    assert changes == declared


def test_every_stage_has_its_work_and_reads_only_what_ran_before_it() -> None:
    for at, stage in enumerate(STAGES):
        assert BODIES[stage.name].stage is stage
        assert set(stage.reads) <= {earlier.name for earlier in STAGES[:at]}
    assert [stage.phase for stage in STAGES] == sorted((stage.phase for stage in STAGES), key=list(Phase).index)
    kinds = [kind for stage in STAGES for kind in stage.artifacts]
    assert sorted(kinds) == sorted(ArtifactKind), "each kind of file is handed out by one stage"


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_an_output_is_of_the_declared_type_and_its_files_lie_in_the_declared_folder(stage: stages.Stage) -> None:
    output = msgspec.convert(msgspec.to_builtins(OUTPUTS[stage.name]), stage.output)
    assert output == OUTPUTS[stage.name]
    assert {key.partition("/")[0] for key in stage.files(output)} <= {stage.folder}
