"""What is made of a page's description: refusals before a byte is downloaded, captions, what errors mean and hide."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.errors import DubError
from app.links.failures import cleaned, problem_of
from app.links.looking import caption_files, captions, check, title
from app.links.meter import Rate
from app.links.tasks import Rules

RULES = Rules("/nowhere", (), (), max_bytes=1000, max_duration_s=3600)
VTT = [{"ext": "json3", "url": "a"}, {"ext": "vtt", "url": "b", "name": "English"}]


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"is_live": True}, "link_live"),
        ({"live_status": "is_live"}, "link_live"),
        ({"live_status": "is_upcoming"}, "link_live"),
        ({"live_status": "post_live"}, "link_live"),
        ({"_type": "playlist", "entries": []}, "link_playlist"),
        ({"_type": "multi_video", "entries": []}, "link_playlist"),
        ({"duration": 3601}, "link_too_long"),
    ],
)
def test_it_is_refused(info: dict[str, Any], code: str) -> None:
    with pytest.raises(DubError) as refused:
        check(info, RULES)
    assert refused.value.problem.code == code


@pytest.mark.parametrize(
    "info", [{}, {"duration": 3600}, {"live_status": "was_live", "duration": 5}, {"_type": "video"}]
)
def test_it_is_taken(info: dict[str, Any]) -> None:
    check(info, RULES)


def test_captions_of_people_come_first_and_those_of_a_machine_only_in_the_spoken_language() -> None:
    info = {
        "language": "en",
        "subtitles": {"es": VTT, "live_chat": [{"ext": "json"}]},
        "automatic_captions": {"en": VTT, "de": VTT, "fr": VTT},
    }
    assert [caption.id for caption in captions(info)] == ["manual:es", "automatic:en"]
    assert captions(info)[0].name == "English"
    info["automatic_captions"] = {"en-orig": VTT, "en": VTT, "de": VTT}
    assert [caption.id for caption in captions(info)] == ["manual:es", "automatic:en-orig"]
    assert [file["ext"] for file in caption_files(info, "manual:es")] == ["vtt"]
    assert list(caption_files(info, "manual:xx")) == []


def test_a_title_is_one_clean_line() -> None:
    assert title({"title": " A\u202e b\n", "extractor_key": "Youtube"}) == "A b"
    assert title({"title": "A talk (1)", "extractor_key": "Generic"}) == "A talk"
    assert title({"title": "Part (1)", "extractor_key": "Youtube"}) == "Part (1)"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            "ERROR: [youtube] x: Sign in to confirm you're not a bot. Use --cookies",
            "link_sign_in",
        ),
        ("This video is private video", "link_sign_in"),
        ("ERROR: Unsupported URL: https://example.org/", "link_site"),
        ("This live event will begin in 3 hours.", "link_live"),
        ("[Errno 28] No space left on device", "disk_full"),
        ("HTTP Error 403: Forbidden", "link_failed"),
        ("HTTP Error 500: Internal Server Error", "link_failed"),
    ],
)
def test_what_the_downloader_says_has_its_code(said: str, code: str) -> None:
    assert problem_of(said, []).code == code


def test_a_missing_javascript_runtime_is_told_where_it_is_the_reason() -> None:
    warning = "[youtube] No supported JavaScript runtime could be found. Only deno is enabled by default"
    assert problem_of("[youtube] x: Requested format is not available.", [warning]).code == "link_javascript"
    assert problem_of("[youtube] x: Requested format is not available.", []).code == "link_failed"


def test_an_error_begins_with_what_is_wrong() -> None:
    assert cleaned("ERROR: [generic] film: Unable to download webpage: HTTP Error 404: Not Found (caused by <x>)") == (
        "Unable to download webpage: HTTP Error 404: Not Found"
    )


def test_what_is_shown_of_an_error_has_no_secret_and_no_path() -> None:
    said = (
        "ERROR: [generic] Unable to download https://me:word@cdn.example.org/a/b.mp4?token=SECRET&sig=SECRET: "
        "HTTP Error 410 while reading /srv/data/links/open/abc/cookies.txt cookie: SECRET; please report this issue on "
        "https://github.com/yt-dlp/yt-dlp/issues?q= , filling out the appropriate issue template."
    )
    shown = cleaned(said)
    assert "HTTP Error 410" in shown and "cdn.example.org" in shown
    assert not [word for word in ("SECRET", "word@", "/srv", "cookies.txt", "github", "ERROR") if word in shown], shown


def test_a_rate_follows_what_comes_and_falls_when_nothing_does() -> None:
    rate = Rate(0, 0.0)
    rate.mark(1000, 1.0)
    assert rate.bytes_per_s == 1000 and rate.left_s(3000) == 2.0 and rate.left_s(None) is None
    for second in range(2, 40):
        rate.mark(1000, float(second))
    assert rate.bytes_per_s == 0 and rate.left_s(3000) is None
