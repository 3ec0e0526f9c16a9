"""Language labels of tracks."""

import pytest

from app.media.track_languages import ISO_639_2, track_language


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("en", "eng"),
        ("ES", "spa"),
        ("pt-BR", "por"),
        ("zh_TW", "zho"),
        ("haw", "haw"),
        (None, "und"),
        ("", "und"),
        ("x;y", "und"),
        ("é12", "und"),
    ],
)
def test_a_code_becomes_a_label(code: str | None, label: str) -> None:
    assert track_language(code) == label


def test_the_table_is_whole() -> None:
    assert len(ISO_639_2) >= 184
    assert all(len(two) == 2 and len(three) == 3 for two, three in ISO_639_2.items())
