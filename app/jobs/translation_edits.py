"""Changes of many texts of a job at once: a translation that a person brings, its undo, and lines that are translated
again. Methods block on the database unless they are async."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from app.domain import stages
from app.domain.errors import DubError
from app.domain.job import EDITABLE, Job
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.lines import EDIT_CONFLICT, SEGMENT_NOT_FOUND
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Placement, Segment, Translation
from app.domain.speaker import Script
from app.dubbing.by_hand import Brought, Matching, applied, match, read_translation
from app.dubbing.line_time import LineTime, line_times
from app.dubbing.pipeline import spoken_language, written_language
from app.dubbing.shorten import shorter
from app.dubbing.translate import TranslationChoice, source_of, translatable, translate, wishes
from app.jobs.options import choice_of
from app.jobs.schemas import Segments
from app.jobs.speaker_edits import SpeakerEdits
from app.jobs.stage_hooks import silent
from app.jobs.translation_schemas import (
    MOST_AGAIN,
    BroughtTranslation,
    LineGiven,
    ShorterWordings,
    TranslatedAgain,
    TranslateSegments,
    TranslationApplied,
    TranslationPreview,
    TranslationUndone,
    Which,
)
from app.spending.paying import paid_by
from app.storage.job_lines import Texts
from app.translation.ports import Translator

_MERGES: Final = 20  # with what others write at the same time


class TranslationEdits(SpeakerEdits):
    """The part of the service for translations."""

    def preview_translation(self, job_id: str, request: BroughtTranslation) -> TranslationPreview:
        """Which line would get what. Raises job_not_found, and as `read_translation`."""
        job, (revision, lines) = self._store.get(job_id), self._store.segments(job_id)
        brought, found = self._matched(job, lines, request)
        missing = set(found.missing)
        told = [
            LineGiven(line.id, number, line.start_s, source_of(line), line.text, found.texts.get(line.id))
            for number, line in enumerate(lines, 1)
            if line.id in found.texts or line.id in missing
        ]
        changed = sum(line.text is not None and line.text != line.before for line in told)
        return TranslationPreview(
            revision, brought.format, found.by, len(found.texts), changed, len(missing), told, found.left_over
        )

    def apply_translation(self, job_id: str, revision: int, request: BroughtTranslation) -> TranslationApplied:
        """Give the lines what the preview shows, as one change. Raises as the preview, and as `edit`."""

        def change(job: Job, script: Script) -> Script:
            _, found = self._matched(job, script.segments, request)
            return Script(tuple(applied(script.segments, found)), script.speakers)

        undo_id = uuid.uuid4().hex
        after = self._edit(job_id, revision, change, undo_id=undo_id)
        undo = undo_id if after.revision != revision else ""
        return TranslationApplied(after.revision, after.segments, after.speakers, undo=undo)

    def undo_translation(self, job_id: str, revision: int, undo_id: str) -> TranslationUndone:
        """Take a change of many lines back. A line that was edited after it stays as it is; one that is gone stays
        gone. Raises undo_gone, and as `edit`."""
        changed = {each.id: each for each in self._store.undo(job_id, undo_id)}
        as_they_were: list[str] = []

        def back(line: Segment) -> Segment:
            each = changed.get(line.id)
            if each is None or Texts.of(line) == each.before:
                return line
            if Texts.of(line) != each.after:
                as_they_were.append(line.id)
                return line
            return _with(line, each.before)

        after = self._edit(
            job_id, revision, lambda _job, script: Script(tuple(map(back, script.segments)), script.speakers)
        )
        return TranslationUndone(after.revision, after.segments, after.speakers, kept=as_they_were)

    async def translate(
        self, job_id: str, revision: int, request: TranslateSegments, *, keys: Keys = NO_KEYS
    ) -> TranslatedAgain:
        """Translate lines again, now. What others write meanwhile stays. Raises job_state for a job without a
        translator, segment_not_found, edit_conflict and the translator's errors."""
        job, (now, script) = await asyncio.to_thread(lambda: (self._store.get(job_id), self._store.script(job_id)))
        lines = script.segments
        if job.state not in EDITABLE:
            raise DubError(JOB_STATE, "It is at work.")
        translator, choice = self._translator(job, keys)
        if now != revision:
            raise DubError(EDIT_CONFLICT, revision=now)
        wanted, following = _wanted(request, lines)
        times = await asyncio.to_thread(self._times, job, script, choice.target)
        cache = self._context.cache / job_id / "translations"
        with paid_by(self._store.ledger(job.parent_id or job_id)):
            done = await translate(translator, wanted, choice, cache, silent, among=lines, again=True, times=times)
        before = {line.id: Texts.of(line) for line in wanted}
        # a line without a usable answer keeps the text that it has
        new = {line.id: Texts.of(line) for line in done if line.translation is not Translation.FAILED}

        def merged(lines: Sequence[Segment]) -> dict[str, Texts]:
            return {line.id: new[line.id] for line in lines if line.id in new and Texts.of(line) == before[line.id]}

        after, fresh = await asyncio.to_thread(self._with_texts, job_id, merged)
        as_they_were = [line.id for line in wanted if line.id not in fresh]
        return TranslatedAgain(after.revision, after.segments, after.speakers, kept=as_they_were, next=following)

    async def shorten(self, job_id: str, segment_id: str, *, keys: Keys = NO_KEYS) -> ShorterWordings:
        """Shorter wordings of a translated line, for the time that it has; nothing is changed. Raises
        segment_not_found, job_state and the translator's errors."""
        job, (revision, script) = await asyncio.to_thread(lambda: (self._store.get(job_id), self._store.script(job_id)))
        at = next((at for at, line in enumerate(script.segments) if line.id == segment_id), None)
        if at is None:
            raise DubError(SEGMENT_NOT_FOUND)
        line = script.segments[at]
        translator, choice = self._translator(job, keys)
        if line.translation is not Translation.DONE or not translator.instructed:
            raise DubError(JOB_STATE, "The line is not translated, or its translator takes no limits.")
        times, placed = await asyncio.to_thread(
            lambda: (self._times(job, script, choice.target), self._heard(job_id, segment_id))
        )
        heard = placed or times[line.id].pace(line.text)
        sources = [source_of(each) for each in script.segments]
        around = tuple(sources[max(0, at - 3) : at]), tuple(sources[at + 1 : at + 4])
        with paid_by(self._store.ledger(job.parent_id or job_id)):
            found = await shorter(translator, line, choice, times[line.id], heard, around)
        return ShorterWordings(revision, round(heard, 3), found)

    def _translator(self, job: Job, keys: Keys) -> tuple[Translator, TranslationChoice]:
        """Raises job_state for a job without one."""
        options = job.options.translation
        if not options.translator or options.target_language is None:
            raise DubError(JOB_STATE, "It has no translator.")
        translator = self._context.engines.translator(options.translator)
        source = written_language(job.options, job.language)
        speed, key = job.options.voices.speed, keys.of(translator.name)
        return translator, TranslationChoice(source, options.target_language, speed, key, wishes(job.options))

    def _times(self, job: Job, script: Script, language: str) -> dict[str, LineTime]:
        voices = choice_of(job, script.speakers, NO_KEYS, self._context.engines)
        return line_times(self._context, script.segments, voices, language)

    def _heard(self, job_id: str, segment_id: str) -> float | None:
        """How fast the line was played in the last render, if it was placed."""
        fitted = self._store.stage(job_id, stages.FIT.name)
        if fitted is None:
            return None
        placed: tuple[Placement, ...] = msgspec.convert(fitted.output, stages.FIT.output)
        return next((each.rate * each.pace for each in placed if each.segment_id == segment_id), None)

    def _with_texts(
        self, job_id: str, choose: Callable[[Sequence[Segment]], dict[str, Texts]]
    ) -> tuple[Segments, set[str]]:
        """Change the texts of the lines as they are by now, with what others write at the same time."""
        taken: dict[str, Texts] = {}

        def change(_job: Job, script: Script) -> Script:
            taken.clear()
            taken.update(choose(script.segments))
            return Script(tuple(_with(line, taken.get(line.id)) for line in script.segments), script.speakers)

        for tries in range(_MERGES):
            try:
                return self._edit(job_id, self._store.get(job_id).revision, change), set(taken)
            except DubError as error:
                if error.problem is not EDIT_CONFLICT or tries + 1 == _MERGES:
                    raise
        raise AssertionError("unreachable")

    def _matched(self, job: Job, lines: Sequence[Segment], request: BroughtTranslation) -> tuple[Brought, Matching]:
        if isinstance(request.text, str) == isinstance(request.data, bytes):
            raise DubError(INVALID_REQUEST, "A translation is text or data, one of the two.")
        data = request.data if isinstance(request.data, bytes) else str(request.text).encode(errors="replace")
        brought = read_translation(data, spoken_language(job.options, job.language))
        return brought, match(brought, lines, None if request.by is UNSET else request.by)


def _with(line: Segment, texts: Texts | None) -> Segment:
    return line if texts is None else msgspec.structs.replace(line, **msgspec.structs.asdict(texts))


def _wanted(request: TranslateSegments, lines: Sequence[Segment]) -> tuple[list[Segment], str | None]:
    """The lines that are asked for, and after which one more of them follow. Raises segment_not_found,
    invalid_request."""
    if (request.ids is UNSET) == (request.which is UNSET):
        raise DubError(INVALID_REQUEST, "Lines are named by ids or by which, one of the two.")
    if request.ids is not UNSET:
        ids = set(request.ids)
        found = [line for line in lines if line.id in ids]
        if len(found) != len(ids):
            raise DubError(SEGMENT_NOT_FOUND)
        return found, None
    places = {line.id: at for at, line in enumerate(lines)}
    if request.after is not UNSET and request.after not in places:
        raise DubError(SEGMENT_NOT_FOUND)
    rest = lines if request.after is UNSET else lines[places[request.after] + 1 :]
    wanted = which_lines(request.which, rest) if request.which is not UNSET else []
    some = wanted[:MOST_AGAIN]
    return some, some[-1].id if len(wanted) > MOST_AGAIN else None


def which_lines(which: Which, lines: Sequence[Segment]) -> list[Segment]:
    """The lines that are so."""
    states = {Which.STALE: (Translation.STALE,), Which.FAILED: (Translation.FAILED, Translation.NONE)}
    return [line for line in translatable(lines) if which is Which.ALL or line.translation in states[which]]
