"""What a run of `autodubber dub` gives: the files, put where the person wants them, and what is told of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.cli.dub_files import hand_over
from app.cli.dub_progress import Display
from app.domain.job import JobError
from app.domain.media import ArtifactKind
from app.domain.report import Report
from app.domain.segment import Clip, Flag
from app.domain.voice_chosen import VoiceChosen
from app.system import file_modes

if TYPE_CHECKING:
    from app.dubbing.context import Context
    from app.jobs.memory_languages import MemoryLanguages
    from app.jobs.memory_store import MemoryStore


class Flagged(msgspec.Struct, frozen=True):
    """A line that the person should look at: spoken much faster to fit, or starting late."""

    start_s: float
    text: str
    rate: float
    flags: tuple[Flag, ...]


class DubbedLanguage(msgspec.Struct, frozen=True):
    """A further language of the same video; see `Dubbed`. `error` is why it is not in it."""

    language: str
    outputs: dict[str, str]
    flagged: tuple[Flagged, ...] = ()
    cost_credits: float = 0.0
    report: Report | None = None
    voice_chosen: VoiceChosen | None = None
    error: JobError | None = None


class Dubbed(msgspec.Struct, frozen=True):
    """What `--json` prints. `audio_track` was heard, of those that `audio_tracks` names. `language_certainty` is 0..1
    where recognition found the language. `voice_chosen` is the voice of `local:auto`. `flagged` are lines that the fit
    could not place well; `stages_s` is the wall time of each stage; `report` is None where nothing was rendered
    (`--review`). `languages` are the further ones of `--to`; all of them are in the video of `outputs`.
    """

    ok: bool
    input: str
    duration_s: float
    language: str | None
    language_certainty: float | None
    audio_track: int | None
    audio_tracks: tuple[str, ...]
    lines: int
    flagged: tuple[Flagged, ...]
    cost_credits: float
    loudness_lufs: float | None
    true_peak_db: float | None
    stages_s: dict[str, float]
    outputs: dict[str, str]
    report: Report | None
    voice_chosen: VoiceChosen | None = None
    languages: tuple[DubbedLanguage, ...] = ()


def reviewed(arguments: argparse.Namespace, store: MemoryStore, shown: Display) -> Dubbed:
    """The lines as SRT, for the person to read."""
    from app.dubbing.finish import cues_for
    from app.dubbing.subtitles.srt_vtt import write_srt

    with file_modes.as_the_person():
        arguments.review.write_text(write_srt(cues_for(store.segments(store.job.id)[1], ())), encoding="utf-8")
    return _result(arguments, store, (), None, shown, {"review": str(arguments.review)})


def rendered(context: Context, arguments: argparse.Namespace, jobs: MemoryLanguages, shown: Display) -> Dubbed:
    """The finished files, put beside the source or where the person wants them."""
    from app.domain import stages

    outputs, report = _handed_over(context, arguments, jobs.first, "")
    further = []
    for language_id, store in jobs.stores.items():
        language = jobs.language(language_id) or ""
        if store is jobs.first:
            continue
        if store.job.error is not None:
            further.append(DubbedLanguage(language, {}, error=store.job.error))
            continue
        own, told = _handed_over(context, arguments, store, f".{language}")
        cost = sum(clip.cost_credits for clip in store.output(stages.SYNTHESIZE))
        chosen = store.job.voice_chosen
        further.append(DubbedLanguage(language, own, _flagged(told), cost, told, chosen))
    found = _result(arguments, jobs.first, jobs.first.output(stages.SYNTHESIZE), report, shown, outputs)
    return msgspec.structs.replace(found, languages=tuple(further))


def _handed_over(
    context: Context, arguments: argparse.Namespace, store: MemoryStore, own: str
) -> tuple[dict[str, str], Report]:
    from app.domain import stages
    from app.storage.blobs import bytes_of

    (told,) = store.artifacts([ArtifactKind.REPORT])
    files = [
        *store.artifacts({*stages.MUX.artifacts} - {ArtifactKind.REPORT}),
        *store.artifacts([ArtifactKind.AUDIO]),
        told,
    ]
    outputs = hand_over(
        context,
        files,
        arguments.input.resolve().stem,
        arguments.output or arguments.input.resolve().parent,
        inputs_of(arguments),
        own,
    )
    return outputs, msgspec.json.decode(bytes_of(context.blobs, told.key), type=Report)


def _flagged(report: Report | None) -> tuple[Flagged, ...]:
    return tuple(
        Flagged(line.start_s, line.text, round(line.rate, 3), line.flags)
        for line in (report.lines if report else ())
        if line.flags
    )


def inputs_of(arguments: argparse.Namespace) -> list[Path]:
    """Every input file: none of them is ever overwritten."""
    given = (arguments.input, arguments.subtitles, arguments.stem, arguments.translation)
    return [path for path in given if isinstance(path, Path)]


def _result(
    arguments: argparse.Namespace,
    store: MemoryStore,
    clips: Sequence[Clip],
    report: Report | None,
    shown: Display,
    outputs: dict[str, str],
) -> Dubbed:
    from app.domain import stages
    from app.dubbing import audio_tracks

    job, info, segments = store.job, store.job.media, store.segments(store.job.id)[1]
    return Dubbed(
        ok=True,
        input=str(arguments.input),
        duration_s=round(store.output(stages.INGEST).duration_s, 3),
        language=job.language,
        language_certainty=job.language_certainty,
        audio_track=audio_tracks.heard(info, job.options) if info and info.audio else None,
        audio_tracks=tuple(map(audio_tracks.named, info.audio)) if info else (),
        lines=len(segments),
        flagged=_flagged(report),
        cost_credits=sum(clip.cost_credits for clip in clips),
        loudness_lufs=report.loudness_lufs if report else None,
        true_peak_db=report.true_peak_db if report else None,
        stages_s=shown.stages_s(),
        outputs=outputs,
        report=report,
        voice_chosen=job.voice_chosen,
    )
