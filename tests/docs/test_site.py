"""The site of docs/ is built without a warning, and nothing in it is loaded from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOADED = re.compile(
    r'<(?:script|img|iframe|source)[^>]*\ssrc="?(?:https?:)?//|<link[^>]*\shref="?(?:https?:)?//|@import|url\(["\']?(?:https?:)?//'
)


def test_the_site_is_whole_and_asks_nobody_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list((ROOT / "docs").glob("*.md")))
    for page in [*pages, *(tmp_path / "site").rglob("*.css")]:
        assert not (found := LOADED.search(page.read_text(encoding="utf-8"))), f"{page.name}: {found}"
    assert (tmp_path / "site" / "search" / "search_index.js").is_file(), (
        "the search of a site that is opened from a disk"
    )
    services = (tmp_path / "site" / "architecture.html").read_text(encoding="utf-8")
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="rooms"' in services, (
        "the picture stands in the page, so that its text can be selected"
    )
