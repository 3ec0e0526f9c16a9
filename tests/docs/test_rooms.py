"""The picture of the rooms shows every room of app/, and the direction in which they import each other."""

from __future__ import annotations

import itertools
import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "assets" / "rooms.svg"
SVG = "{http://www.w3.org/2000/svg}"
METRICS = "observability.metrics"


@pytest.fixture(scope="module")
def picture() -> ElementTree.Element:
    return ElementTree.parse(FILE).getroot()  # noqa: S314 - our own file


def arrows_of(picture: ElementTree.Element) -> set[tuple[str, str]]:
    return {
        (path.attrib["data-from"], path.attrib["data-to"])
        for path in picture.iter(f"{SVG}path")
        if "data-from" in path.attrib
    }


def room_of(module: str) -> str:
    return METRICS if module == f"app.{METRICS}" else module.split(".")[1]


def imported() -> set[tuple[str, str]]:
    """Which room imports which, as import-linter's own graph tells it."""
    graph = grimp.build_graph("app")
    modules = {module for module in graph.modules if module not in ("app", "app.__main__")}
    pairs = {
        (room_of(module), room_of(used))
        for module in modules
        for used in graph.find_modules_directly_imported_by(module) & modules
    }
    return {(room, used) for room, used in pairs if room != used}


def followed(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """From where to where the arrows lead, one after another."""
    found = set(arrows)
    while more := {(a, d) for (a, b), (c, d) in itertools.product(found, found) if b == c} - found:
        found |= more
    return found


def test_the_committed_picture_is_what_the_code_gives() -> None:
    assert FILE.read_text(encoding="utf-8") == runpy.run_path(str(ROOT / "docs" / "rooms.py"))["drawing"](), (
        "run `make docs`"
    )


def test_it_holds_every_room(picture: ElementTree.Element) -> None:
    services = {path.name for path in (ROOT / "app").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert len(services) > 10
    assert {group.attrib["data-room"] for group in picture.iter(f"{SVG}g")} == services | {METRICS}
    assert {text.text for text in picture.iter(f"{SVG}text")} == services | {"metrics"}


def test_its_arrows_are_the_imports_and_none_leads_up(picture: ElementTree.Element) -> None:
    arrows, real = arrows_of(picture), imported()
    assert arrows <= real and followed(arrows) >= real
    heights = {
        group.attrib["data-room"]: float(text.attrib["y"])
        for group in picture.iter(f"{SVG}g")
        for text in group.iter(f"{SVG}text")
    }
    assert [(room, used) for room, used in arrows if heights[room] >= heights[used]] == []


def test_no_arrow_is_drawn_through_a_room_and_each_ends_at_its_own(picture: ElementTree.Element) -> None:
    boxes = {}
    for group in picture.iter(f"{SVG}g"):
        rect = next(group.iter(f"{SVG}rect")).attrib
        x, y = float(rect["x"]), float(rect["y"])
        boxes[group.attrib["data-room"]] = (x, y, x + float(rect["width"]), y + float(rect["height"]))
    for path in picture.iter(f"{SVG}path"):
        if "data-from" not in path.attrib:
            continue
        numbers = [float(number) for number in re.findall(r"[\d.]+", path.attrib["d"])]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        for room, point in ((path.attrib["data-from"], points[0]), (path.attrib["data-to"], points[-1])):
            left, top, right, bottom = boxes[room]
            assert left <= point[0] <= right and top <= point[1] <= bottom, (path.attrib, room)
        others = [box for room, box in boxes.items() if room not in (path.attrib["data-from"], path.attrib["data-to"])]
        for (a, b), (left, top, right, bottom) in itertools.product(itertools.pairwise(points), others):
            apart = (
                max(a[0], b[0]) < left or min(a[0], b[0]) > right or max(a[1], b[1]) < top or min(a[1], b[1]) > bottom
            )
            assert apart, path.attrib


def test_it_is_small_and_asks_nobody(picture: ElementTree.Element) -> None:
    assert int(picture.attrib["width"]) < 1000 and int(picture.attrib["height"]) < 800
    text = FILE.read_text(encoding="utf-8")
    assert not re.search(r"href|@import|url\((?!#)|<script|<image", text)
