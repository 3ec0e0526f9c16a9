"""The default voice of a server that can download nothing: the dub is made all the same, and says with what and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.integration.running import Running

LINES = "1\n00:00:01,000 --> 00:00:03,000\nWelcome to the workshop.\n"
NOWHERE = {"AUTODUBBER_VOICE_DOWNLOAD": "1", "AUTODUBBER_VOICE_MODEL_URL": "http://127.0.0.1:9/{sha256}/{file}"}


def test_a_server_without_network_dubs_with_espeak_and_says_why(
    serve: Callable[..., Running], spoken_mp4: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_text(LINES)
    server = serve(**NOWHERE)
    told = server.ok(server.client.get("/api/voices/auto?language=en"))
    assert told["voice"] == "neural:af_heart" and told["licence"] == "Apache-2.0" and told["download_bytes"] > 9e7
    job = server.create(server.upload(spoken_mp4), subtitles=server.upload(lines), language="en", review=False)
    assert job["options"]["voices"]["voice"] == "local:auto"
    done = server.wait(job["id"], "completed")
    assert done["voice_chosen"]["voice"] == "espeak:auto"
    assert "could not be downloaded" in done["voice_chosen"]["reason"]
    assert server.render(job["id"]) == [], "what was spoken is not spoken again while there is no other voice"
    named = server.create(
        server.upload(spoken_mp4), subtitles=server.upload(lines), language="en", review=False, voice="espeak:en"
    )
    assert server.wait(named["id"], "completed")["voice_chosen"] is None
