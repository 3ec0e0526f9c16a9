"""What is accepted as a translation, and which wording is taken."""

import pytest

from app.translation.checking import best, budget, fault


@pytest.mark.parametrize(
    "source, text, said",
    [
        ("The glue dries in 30 minutes.", "El pegamento seca en 30 minutos.", ""),
        ("The glue dries in 30 minutes.", "El pegamento seca en media hora.", "number 30"),
        ("It costs 1,250 dollars.", "Cuesta 1.250 dólares.", ""),
        ("It costs 1,250 dollars.", "Cuesta 1.205 dólares.", "number 1250"),
        ("We need 3 cats.", "Necesitamos tres gatos.", ""),
        ("You must not touch it.", "No debes tocarlo.", ""),
        ("You must not touch it.", "Debes tocarlo.", "negation"),
        ("Don't touch it.", "Tócalo.", "negation"),
        ("Don't you think it's late?", "¿Verdad que es tarde?", ""),
        ("This is a sentence.", "This is a sentence!", "not translated"),
        ("John Fitzgerald", "John Fitzgerald", ""),
        ("Hello.", "Hola.\n(a greeting)", "more than one line"),
        ("Hello.", "Translation: Hola.", "comment"),
        ("Hello.", " ", "empty"),
        ("Hello.", "Hola. " * 30, "too long"),
        ("Hello.", "Ho\x00la.", "control"),
    ],
)
def test_an_answer_is_checked(source: str, text: str, said: str) -> None:
    found = fault(source, text, "en", "es")
    assert said in found if said else found == ""


def test_a_language_without_known_negations_is_not_judged_by_them() -> None:
    assert fault("You must not touch it.", "Sie sollten es lassen.", "en", "fi") == ""


def test_the_wording_nearest_to_natural_pace_is_taken_and_of_two_the_fuller() -> None:
    assert budget(2.0, "es") == 32
    assert best(["x" * 45, "y" * 31], 32) == "y" * 31
    assert best(["x" * 37, "y" * 31], 32) == "x" * 37
    assert best(["x" * 60, "y" * 50], 32) == "y" * 50
    assert best(["x" * 33, "y" * 10], 32) == "x" * 33
