"""A translation that a person brings onto the lines of a job: preview, one change, one undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from app.domain.dub_options import changed
from app.domain.errors import DubError
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.lines import EDIT_CONFLICT, UNDO_GONE
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.problems.translation import TRANSLATION_UNMATCHED
from app.domain.segment import Segment, Translation
from app.domain.stage_outputs import Transcribed
from app.dubbing.speaking_rate import RateBook, Take
from app.jobs.schemas import SegmentChanges, SegmentEdit
from app.jobs.translation_schemas import BroughtTranslation, TranslatedAgain, TranslateSegments, Which
from app.translation.ports import TranslationRequest
from tests.unit.jobs.house import LINES, House, refused

SPANISH = BroughtTranslation(text="1. Hola.\n2. Y adiós.\n3. Nadie.")


def edited(house: House, job_id: str, line_id: str, **fields: str) -> None:
    revision = house.service.segments(job_id).revision
    house.service.edit(job_id, revision, SegmentChanges(edit=[SegmentEdit(line_id, **fields)]))


def test_a_preview_tells_what_would_happen_and_changes_nothing(house: House) -> None:
    job = house.reviewed()
    before = house.service.segments(job.id)
    told = house.service.preview_translation(job.id, SPANISH)
    assert [(line.number, line.before, line.text) for line in told.lines] == [
        (1, "Hello there.", "Hola."),
        (2, "And goodbye.", "Y adiós."),
    ]
    assert (told.format, told.by, told.given, told.changed, told.missing) == ("numbered", "number", 2, 2, 0)
    assert [entry.text for entry in told.left_over] == ["Nadie."]
    assert told.revision == before.revision
    assert house.service.segments(job.id) == before


def test_it_is_one_change_and_one_undo_gives_everything_back(house: House) -> None:
    job = house.reviewed()
    before = house.service.segments(job.id)
    done = house.service.apply_translation(job.id, before.revision, SPANISH)
    assert [(line.text, line.original, line.translation) for line in done.segments] == [
        ("Hola.", "Hello there.", "done"),
        ("Y adiós.", "And goodbye.", "done"),
    ]
    assert done.revision == before.revision + 1 and done.undo
    undone = house.service.undo_translation(job.id, done.revision, done.undo)
    assert (undone.segments, undone.kept) == (before.segments, [])
    again = house.service.undo_translation(job.id, undone.revision, done.undo)
    assert (again.segments, again.revision, again.kept) == (before.segments, undone.revision, [])


def test_what_was_typed_after_it_stays_when_it_is_taken_back(house: House) -> None:
    job = house.reviewed()
    first, second = (line.id for line in LINES)
    done = house.service.apply_translation(job.id, house.service.segments(job.id).revision, SPANISH)
    edited(house, job.id, first, text="¡Hola!")
    edited(house, job.id, second, speaker="Anna")
    undone = house.service.undo_translation(job.id, house.service.segments(job.id).revision, done.undo)
    assert undone.kept == [first]
    assert [(line.text, line.translation) for line in undone.segments] == [("¡Hola!", "done"), ("And goodbye.", "")]
    assert undone.segments[1].speaker, "only texts are taken back"


def test_nobody_overwrites_what_was_typed_in_the_meantime(house: House) -> None:
    job = house.reviewed()
    seen = house.service.segments(job.id).revision
    edited(house, job.id, LINES[0].id, text="Typed.")
    refused(EDIT_CONFLICT, lambda: house.service.apply_translation(job.id, seen, SPANISH))
    assert house.service.segments(job.id).segments[0].text == "Typed."


def test_only_the_last_such_change_is_taken_back(house: House) -> None:
    job = house.reviewed()
    first = house.service.apply_translation(job.id, house.service.segments(job.id).revision, SPANISH)
    other = house.service.apply_translation(job.id, first.revision, BroughtTranslation(text="1. Salut.\n2. Adieu."))
    refused(UNDO_GONE, lambda: house.service.undo_translation(job.id, other.revision, first.undo))
    undone = house.service.undo_translation(job.id, other.revision, other.undo)
    assert [line.text for line in undone.segments] == ["Hola.", "Y adiós."]
    same = house.service.apply_translation(job.id, undone.revision, SPANISH)
    assert (same.undo, same.revision) == ("", undone.revision), "nothing was changed"


def test_a_job_at_work_is_not_changed_and_an_empty_request_is_refused(house: House) -> None:
    job = house.reviewed()
    revision = house.service.segments(job.id).revision
    for both in (BroughtTranslation(), BroughtTranslation(text="1. a", data=b"1. a")):
        refused(INVALID_REQUEST, lambda both=both: house.service.preview_translation(job.id, both))  # type: ignore[misc]
    refused(
        TRANSLATION_UNMATCHED,
        lambda: house.service.apply_translation(job.id, revision, BroughtTranslation(text="9. Nueve.")),
    )
    house.service.approve(job.id)
    refused(JOB_STATE, lambda: house.service.apply_translation(job.id, revision, SPANISH))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_file_in_any_encoding_may_be_brought(encoding: str, house: House) -> None:
    job = house.reviewed(target_language="es")
    data = "1. ¿Qué tal?\n2. Y adiós, señor.".encode(encoding)
    told = house.service.preview_translation(job.id, BroughtTranslation(data=data))
    assert [line.text for line in told.lines] == ["¿Qué tal?", "Y adiós, señor."]


class Slow:
    """A translator that lets somebody edit before it answers, and has no answer for one line."""

    name = model = "slow"
    instructed = False
    most_lines = 50
    most_bytes = 10_000

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    async def translate(self, request: TranslationRequest) -> dict[int, tuple[str, ...]]:
        await asyncio.to_thread(self.meanwhile)
        return {line.number: (f"<{line.text}>",) for line in request.lines if "three" not in line.text}


async def test_what_is_typed_while_lines_are_translated_again_stays(house: House) -> None:
    job = house.reviewed(target_language="es")
    first = LINES[0].id
    house.context.engines.translators["slow"] = Slow(lambda: edited(house, job.id, first, text="Typed."))  # type: ignore[assignment]
    row = house.store.row(job.id)
    house.store.update(job.id, options=changed(row.job.options, translator="slow"))
    seen = house.service.segments(job.id).revision
    done = await house.service.translate(job.id, seen, TranslateSegments(which=Which.ALL))
    assert [(line.text, line.original) for line in done.segments] == [
        ("Typed.", ""),
        ("<And goodbye.>", "And goodbye."),
    ]
    assert (done.kept, done.next) == ([first], None)


async def test_lines_are_translated_again_by_their_state_fifty_at_a_time(house: House) -> None:
    job = house.reviewed(target_language="es")
    house.context.engines.translators["slow"] = Slow(lambda: None)  # type: ignore[assignment]
    house.store.update(job.id, options=changed(house.store.row(job.id).job.options, translator="slow"))
    lines = [Segment(f"n{n:03}", 8 + n / 10, 8.05 + n / 10, f"Line {n}.", "", "", False, ()) for n in range(60)]
    states = {Translation.STALE: lines[:2], Translation.FAILED: [lines[2]], Translation.DONE: lines[3:]}
    told = [
        msgspec.structs.replace(one, original=one.text, translation=state)
        for state, some in states.items()
        for one in some
    ]
    house.store.append_segments(job.id, told, stage="transcribe", fingerprint="f", output=Transcribed("en", 20.0))

    async def again(**which: object) -> TranslatedAgain:
        revision = house.service.segments(job.id).revision
        return await house.service.translate(job.id, revision, TranslateSegments(**which))  # type: ignore[arg-type]

    def new(done: TranslatedAgain) -> list[str]:
        return [line.id for line in done.segments if line.text.startswith("<")]

    assert new(await again(which=Which.STALE)) == ["n000", "n001"]
    assert new(await again(which=Which.FAILED)) == [*(line.id for line in LINES), "n000", "n001", "n002"]
    part = await again(which=Which.ALL)
    assert part.next == "n047" and len(new(part)) == 50
    rest = await again(which=Which.ALL, after=part.next)
    assert rest.next is None and len(new(rest)) == 62
    with pytest.raises(DubError):
        await again(which=Which.ALL, ids=["n000"])
    with pytest.raises(DubError):
        await again(which=Which.ALL, after="none")


class Brief(Slow):
    """A translator that gives these wordings, one answer after the other."""

    instructed = True

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers, self.asked = list(answers), list[TranslationRequest]()

    async def translate(self, request: TranslationRequest) -> dict[int, tuple[str, ...]]:
        self.asked.append(request)
        return {1: self.answers.pop(0)}


async def test_a_line_is_offered_shorter_wordings_that_lose_nothing(house: House) -> None:
    job = house.reviewed(target_language="es")
    source = "I will not pay 250 euros to Berta, whatever it is that she may say about it today."
    long = "No voy a pagar 250 euros a Berta, diga lo que diga ella sobre todo ese asunto hoy mismo."
    brief = Brief(
        (long + " Es decir, nada.", "Voy a pagar 250 euros a Berta."),  # longer; a negation is lost
        ("No pago 250 euros a Berta, diga lo que diga.", "No pago 250 a Berta.", "No pago 250."),  # a name is lost
    )
    house.context.engines.translators["brief"] = brief  # type: ignore[assignment]
    house.store.update(job.id, options=changed(house.store.row(job.id).job.options, translator="brief"))
    first, second = (line.id for line in LINES)
    told_line = msgspec.structs.replace(LINES[0], text=long, original=source, translation=Translation.DONE)
    house.store.replace_segments(job.id, [told_line])
    before = house.service.segments(job.id)
    told = await house.service.shorten(job.id, first)
    assert [wording.text for wording in told.wordings] == [
        "No pago 250 euros a Berta, diga lo que diga.",
        "No pago 250 a Berta.",
    ]
    assert told.heard > 1.2 and told.heard > told.wordings[0].pace > told.wordings[1].pace
    assert "shorter wordings" in brief.asked[0].lines[0].complaint and "lost" in brief.asked[1].lines[0].complaint
    assert house.service.segments(job.id) == before, "nothing is changed"
    for line_id in ("none", second):
        with pytest.raises(DubError):
            await house.service.shorten(job.id, line_id)


async def test_the_budget_is_that_of_the_chosen_voice_once_it_is_known(house: House) -> None:
    job = house.reviewed(target_language="es", voice="espeak:es")
    brief = Brief(*[("<x>",)] * 12)
    house.context.engines.translators["brief"] = brief  # type: ignore[assignment]
    house.store.update(job.id, options=changed(house.store.row(job.id).job.options, translator="brief"))

    async def most() -> int:
        brief.asked.clear()
        request = TranslateSegments(ids=[LINES[0].id])
        await house.service.translate(job.id, house.service.segments(job.id).revision, request)
        return brief.asked[0].lines[0].most_characters

    usual = await most()
    assert usual == 32  # two seconds of Spanish
    book = RateBook(house.context.cache.parent / "rates", "espeak", "es", "", "es")
    book.remember({f"{n}": Take(40.0, 0.0, 8.0) for n in range(4)})
    assert await most() == usual, "four clips are too few"
    book.remember({f"{n}": Take(40.0, 0.0, 8.0) for n in range(20)})  # five letters a second
    assert await most() == pytest.approx(2 * 5 / 0.8, abs=2)
