"""A translation that a person brings: how it is read, and which line gets what."""

from __future__ import annotations

import pytest

from app.domain.brought_translation import Matched
from app.domain.errors import DubError
from app.domain.segment import LeftOut, LeftOutKind, Segment, Translation
from app.dubbing.by_hand import applied, match, read_translation
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.srt_vtt import write_srt, write_vtt


def line(n: int, text: str, **fields: object) -> Segment:
    return Segment(
        **{
            **{
                "id": f"l{n}",
                "start_s": 3.0 * n,
                "end_s": 3.0 * n + 2.5,
                "text": text,
                "source_text": text,
                "speaker": "",
                "skip": False,
                "words": (),
            },
            **fields,
        }
    )  # type: ignore[arg-type]


LINES = [line(0, "Good morning."), line(1, "We have 12 men."), line(2, "Good night.")]
DOOR = line(3, "[door slams]", skip=True, left_out=(LeftOut(LeftOutKind.SOUND, "[door slams]"),))
SPANISH = ["Buenos días.", "Tenemos 12 hombres.", "Buenas noches."]


def given(text: str | bytes, lines: list[Segment] = LINES, by: Matched | None = None) -> tuple[str, list[str | None]]:
    """How it was matched, and what each line gets."""
    found = match(read_translation(text if isinstance(text, bytes) else text.encode()), lines, by)
    return found.by, [found.texts.get(each.id) for each in lines]


@pytest.mark.parametrize("form", ["{n}. {t}", "{n}) {t}", "[{n}] {t}", "{n}: {t}", "{n}\t{t}", "#{n} - {t}"])
def test_numbered_lines_go_by_their_number_in_any_usual_form(form: str) -> None:
    text = "\n\n".join(form.format(n=n, t=t) for n, t in enumerate(SPANISH, 1))
    assert given(text) == ("number", SPANISH)
    assert given(form.format(n=2, t=SPANISH[1])) == ("number", [None, SPANISH[1], None])


def test_a_row_without_a_number_goes_on_with_the_one_before() -> None:
    assert given("1. Buenos\ndías.\n3. Buenas noches.")[1] == ["Buenos días.", None, "Buenas noches."]


def test_lines_that_begin_with_a_number_are_not_numbered() -> None:
    assert given("12 hombres vienen.\n2.5 millones.\n3 noches.") == (
        "order",
        ["12 hombres vienen.", "2.5 millones.", "3 noches."],
    )
    assert given("7. No.\n3. No.\n5. No.")[0] == "order"  # they do not count up


def test_plain_lines_go_in_order_and_an_empty_row_is_a_place_where_every_line_has_one() -> None:
    assert given("\n".join(SPANISH) + "\n\n") == ("order", SPANISH)
    assert given(f"{SPANISH[0]}\n\n{SPANISH[2]}") == ("order", [SPANISH[0], None, SPANISH[2]])
    assert given("\n\n".join(SPANISH)) == ("order", SPANISH)
    with_door = [LINES[0], DOOR, *LINES[1:]]
    assert given("\n".join(SPANISH), with_door)[1] == [SPANISH[0], None, *SPANISH[1:]]


def test_subtitles_of_the_job_go_by_number_and_moved_ones_by_time() -> None:
    cues = [Cue(each.start_s, each.end_s, text) for each, text in zip(LINES, SPANISH, strict=True)]
    assert given(write_srt(cues)) == ("number", SPANISH)
    assert given(write_srt(cues[1:])) == ("time", [None, *SPANISH[1:]])  # its numbers are other ones
    assert given(write_vtt(cues)) == ("time", SPANISH)
    late = [Cue(cue.start_s + 900, cue.end_s + 900, cue.text) for cue in cues]
    assert given(write_srt(late)) == ("number", SPANISH)
    assert given(write_vtt(late)) == ("order", SPANISH)


def test_several_cues_of_one_line_are_joined_and_one_over_two_lines_goes_to_the_longer_part() -> None:
    cues = [Cue(0, 1, "Buenos"), Cue(1.2, 2.4, "días."), Cue(4.5, 8.4, "Tenemos y buenas noches.")]
    found = match(read_translation(write_vtt(cues).encode()), LINES)
    assert found.texts == {"l0": "Buenos días.", "l2": "Tenemos y buenas noches."}
    assert found.missing == ("l1",)


def test_what_is_left_over_or_missing_is_named() -> None:
    found = match(read_translation(b"1. Uno.\n3. Tres.\n9. Nueve."), LINES)
    assert [(entry.number, entry.text) for entry in found.left_over] == [(9, "Nueve.")]
    assert found.missing == ("l1",)
    assert [e.text for e in match(read_translation(b"A b.\nC d.\nE f.\nG h."), LINES).left_over] == ["G h."]


def test_a_line_of_which_nothing_is_spoken_gets_nothing_and_labels_are_not_spoken() -> None:
    lines = [*LINES, DOOR]
    found = match(read_translation(b"1. JUAN: Hola.\n4. [puerta]"), lines)
    assert found.texts == {"l0": "Hola."}
    assert [entry.number for entry in found.left_over] == [4]
    assert found.missing == ("l1", "l2"), "nobody misses what is not spoken"


def test_both_texts_are_kept_and_what_gets_nothing_stays_and_is_marked() -> None:
    before = [LINES[0], line(1, "Hecho.", original="Done.", translation=Translation.DONE), LINES[2]]
    after = applied(before, match(read_translation(b"1. Uno."), before))
    assert [(each.text, each.original, each.translation) for each in after] == [
        ("Uno.", "Good morning.", "done"),
        ("Hecho.", "Done.", "done"),
        ("Good night.", "Good night.", "failed"),
    ]
    again = applied(after, match(read_translation(b"1. Hola.\n3. Adios."), after))
    assert [(each.text, each.original) for each in again][::2] == [
        ("Hola.", "Good morning."),
        ("Adios.", "Good night."),
    ]


def test_an_old_encoding_is_read() -> None:
    assert given("\n".join(SPANISH).encode("cp1252"))[1] == SPANISH
    assert given("\n".join(SPANISH).encode("utf-16"))[1] == SPANISH


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "subtitles_empty"), (b" \n\n", "subtitles_empty"), (b"a" * 5001, "text_too_long"),
     (b"one\x07two", "text_invalid"), (b"x\n" * 20_001, "too_many_lines")],
)  # fmt: skip
def test_what_cannot_be_lines_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(DubError) as refused:
        read_translation(data)
    assert refused.value.problem.code == code
