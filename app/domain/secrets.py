"""The names under which secrets are kept (encrypted, by `app.storage.secrets`)."""

from __future__ import annotations

from typing import Final

ELEVENLABS_KEY: Final = "elevenlabs_key"  # the API key that was entered in the page


def job_key(job_id: str) -> str:
    """A job's own API key, kept until its render is done."""
    return f"job:{job_id}:key"
