"""The mix and the files, as a person chooses them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from app.domain.dub_options import GROUP_OF
from tests.conftest import FIXTURES
from tests.e2e.studio import MINUS, in_state, is_accessible_and_fits, opened
from tests.integration.running import Running


@pytest.fixture(scope="session")
def music_wav(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    """A background without voices, as long as the film."""
    path = tmp_path_factory.mktemp("stem") / "Only music.wav"
    subprocess.run(
        [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=frequency=220:duration=56", str(path)], check=True
    )
    return path


@pytest.fixture(scope="session")
def two_voices_mkv(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    """A film with two sound tracks, the second in Spanish."""
    path = tmp_path_factory.mktemp("film") / "Two voices.mkv"
    inputs = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=320x180:r=25",
        "-i",
        str(FIXTURES / "clips/en_short.flac"),
        "-i",
        str(FIXTURES / "clips/es_30s.flac"),
    ]
    tracks = [
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-map",
        "2:a",
        "-metadata:s:a:0",
        "language=eng",
        "-metadata:s:a:1",
        "language=spa",
    ]
    subprocess.run(
        [
            ffmpeg,
            "-v",
            "error",
            *inputs,
            *tracks,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-c:a",
            "aac",
            "-t",
            "10",
            str(path),
        ],
        check=True,
    )
    return path


def chosen(server: Running, job_id: str, *names: str) -> tuple[Any, ...]:
    options = server.job(job_id)["options"]
    return tuple(options[GROUP_OF[name]][name] for name in names)


def slide(page: Page, label: str, key: str, times: int) -> None:
    slider = page.get_by_role("slider", name=label)
    for _ in range(times):
        slider.press(key)


def test_what_is_chosen_for_new_videos_is_what_their_job_is_made_with(
    page: Page, server: Running, workshop_mp4: Path, music_wav: Path, tmp_path: Path
) -> None:
    subtitles = tmp_path / "Hecho a mano.ass"
    lines = "\n".join(
        f"Dialogue: 0,0:00:0{start}.00,0:00:0{start + 2}.00,Default,,0,0,0,,{text}"
        for start, text in ((1, "Uno."), (5, "Dos."))
    )
    subtitles.write_text(
        (
            "[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, "
            "MarginV, Effect, Text\n"
        )
        + lines
    )
    page.goto("/")
    panel = page.get_by_role("region", name="Options for new videos")
    panel.get_by_label("Language of the lines").select_option("es")
    expect(panel).to_contain_text("they are not translated automatically")
    panel.get_by_text("Burn subtitles into the picture").click()
    panel.get_by_text("Large", exact=True).click()
    panel.get_by_text("Top", exact=True).click()
    panel.get_by_text("On a dark box").click()
    sound = opened(panel, "Sound")
    expect(sound).to_contain_text(f"Original as low as needed, {MINUS}16 LUFS")
    sound.get_by_text("Lower it as far as the voice needs").click()
    slide(page, "Lower by", "ArrowRight", 6)
    opened(sound, "Fine-tuning")
    slide(page, "Stays down in pauses up to", "ArrowLeft", 3)
    sound.get_by_label("Overall loudness").select_option("-23")
    expect(sound).to_contain_text(f"Original lower by 18 dB, {MINUS}23 LUFS")
    sound.get_by_test_id("stem").locator("input").set_input_files(music_wav)
    expect(sound.get_by_test_id("stem")).to_contain_text("Only music.wav (for the next video)")
    files = opened(panel, "Files")
    # subtitles are drawn into it
    expect(files.get_by_role("option", name="WebM · does not support H.264")).to_be_disabled()
    files.get_by_label("Video file").select_option("mkv")
    files.get_by_text("Opus", exact=True).click()
    files.get_by_label("Audio file").select_option("flac")

    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        is_accessible_and_fits(page)  # with everything open

    page.get_by_label("Videos to dub").set_input_files([workshop_mp4, subtitles])
    page.get_by_role("link", name="Watch it being transcribed").click()
    in_state(page, "review")
    job_id = page.url.rsplit("/", 1)[-1]
    assert chosen(server, job_id, "target_language", "burn_subtitles", "burn_size", "burn_position", "burn_box") == (
        "es",
        True,
        "large",
        "top",
        True,
    )
    assert chosen(server, job_id, "duck_db", "duck_hold_s", "loudness_lufs") == (-18, 0.5, -23)
    assert chosen(server, job_id, "container", "audio_codec", "audio_format") == ("mkv", "opus", "flac")
    assert server.job(job_id)["has_stem"]
    assert [segment["text"] for segment in server.segments(job_id)[0]] == ["Uno.", "Dos."]
    expect(page.get_by_test_id("stem")).to_have_attribute("data-state", "there")


def test_the_options_of_a_job_are_changed_one_by_one_and_stay_open(
    page: Page, server: Running, reviewed: str, music_wav: Path
) -> None:
    page.goto(f"/jobs/{reviewed}")
    sound, files = opened(page, "Sound"), opened(page, "Files")
    page.get_by_role("radio", name="Lowered").press("ArrowRight")  # with the keyboard, as radio buttons are moved
    slide(page, "Level of the original", "ArrowLeft", 4)
    expect(sound).to_contain_text(f"Original at {MINUS}4 dB")
    sound.get_by_label("Overall loudness").select_option("off")
    expect(sound).to_contain_text("It stays while the original is kept as it is.")
    sound.get_by_text("Taken out", exact=True).click()
    expect(sound).to_contain_text("and the music stays. Downloads 73 MB once (MIT licence).")
    files.get_by_label("Audio file").select_option("mp3")
    expect(
        files.get_by_label("Video file").get_by_role("option", name="WebM · does not support H.264")
    ).to_be_disabled()
    stem = sound.get_by_test_id("stem")
    stem.locator("input").set_input_files(music_wav)
    expect(stem).to_have_attribute("data-state", "there")
    page.wait_for_function(
        "async (address) => (await (await fetch(address)).json()).has_stem", arg=f"/api/jobs/{reviewed}"
    )
    assert chosen(server, reviewed, "background", "keep_db", "loudness_lufs", "audio_format", "separate") == (
        "keep",
        -4,
        None,
        "mp3",
        "on",
    )
    sound.get_by_text("Left in", exact=True).click()
    expect(sound).to_contain_text("It stays in the original sound.")

    page.reload()
    opened(page, "Sound")
    expect(stem).to_contain_text("Music and effects track")
    stem.get_by_role("button", name="Remove this track").click()
    expect(stem).to_have_attribute("data-state", "none")
    assert not server.job(reviewed)["has_stem"]


def test_a_background_that_is_no_sound_is_refused_and_an_option_too_and_both_are_said(
    page: Page, reviewed: str, tmp_path: Path
) -> None:
    def refuse(route: Route) -> None:
        if route.request.method != "PATCH":
            return route.fallback()
        problem = {
            "type": "",
            "title": "Not so.",
            "status": 422,
            "code": "container_unsuitable",
            "detail": "",
            "hint": "Otherwise.",
            "instance": "",
            "request_id": "",
        }
        return route.fulfill(status=422, json=problem)

    page.goto(f"/jobs/{reviewed}")
    stem = opened(page, "Sound").get_by_test_id("stem")
    (tmp_path / "notes.wav").write_text("These are my notes.")
    stem.locator("input").set_input_files(tmp_path / "notes.wav")
    expect(page.get_by_role("alert")).to_contain_text("not a sound file")
    expect(stem).to_have_attribute("data-state", "none")
    page.get_by_role("alert").get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_count(0)

    page.route(f"**/api/jobs/{reviewed}", refuse)
    switch = page.get_by_role("checkbox", name="Burn subtitles into the picture")
    page.get_by_text("Burn subtitles into the picture").click()
    expect(page.get_by_role("alert")).to_contain_text("Not so. Otherwise.")
    expect(switch).not_to_be_checked()  # what is shown is what the server has


def test_another_sound_track_is_noticed_and_taken(
    page: Page, server: Running, two_voices_mkv: Path, tmp_path: Path
) -> None:
    (tmp_path / "lines.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nBrought along.\n")
    job = server.create(server.upload(two_voices_mkv), subtitles=server.upload(tmp_path / "lines.srt"))
    server.wait(job["id"], "review")
    page.goto(f"/jobs/{job['id']}")
    notice = page.get_by_test_id("tracks")
    expect(notice).to_contain_text("This video has 2 audio tracks: the original sound is 1 · English (")
    notice.get_by_role("button", name="Use another").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Sound track").get_by_role("option")).to_contain_text(
        ["Automatic", "1 · English (", "2 · Spanish ("]
    )
    dialog.get_by_label("Sound track").select_option("1")
    dialog.get_by_role("button", name="Recognise again").click()
    page.wait_for_url(lambda address: not address.endswith(job["id"]))
    in_state(page, "review")
    expect(page.get_by_test_id("tracks")).to_contain_text("the original sound is 2 · Spanish")
    assert chosen(server, page.url.rsplit("/", 1)[-1], "audio_track") == (1,)
