"""Draws docs/assets/rooms.svg: the rooms of app/ and what each imports, read from the code. Puts it into the page when
the site is built."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = "assets/rooms.svg"
METRICS = "observability.metrics"  # a leaf that any room may import: a box of its own, as in the contract
COLUMNS = {  # by number, from the left; a room that is not named here stands in the middle
    "backup": 0,
    "speech": 1,
    "media": 3,
    "retention": 3,
    "links": 3,
    METRICS: 3,
    "archive": 4,
    "config": 4,
    "observability": 4,
}
MIDDLE = 2
COLUMN, ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN = 150, 48, 130, 30, 10
LANES = (5, 155, 305, 455, 605, 755)  # between the columns, where no box stands
STYLE = """
svg.rooms { color: var(--md-default-fg-color, #1b2b2e); max-width: 100%; height: auto; font: 600 15px system-ui,
sans-serif; }
@media (prefers-color-scheme: dark) { svg.rooms { color: var(--md-default-fg-color, #dfe9ea); } }
svg.rooms:root { color-scheme: light dark; }
svg.rooms rect { fill: currentColor; fill-opacity: .07; stroke: currentColor; stroke-opacity: .45; }
svg.rooms text { fill: currentColor; text-anchor: middle; user-select: text; }
svg.rooms .arrow { fill: none; stroke: currentColor; stroke-opacity: .6; stroke-width: 1.4; stroke-linejoin: round; }
svg.rooms marker path { fill: currentColor; }
"""

Point = tuple[int, int]
Imports = dict[str, frozenset[str]]


def imports() -> Imports:
    """Every room, with the rooms that its modules import."""
    services = {path.parent.name for path in (ROOT / "app").glob("*/__init__.py")}
    found: dict[str, set[str]] = {room: set() for room in services | {METRICS}}
    for path in sorted((ROOT / "app").rglob("*.py")):
        own = _room(path.relative_to(ROOT).with_suffix("").parts, services)
        for module in _imported(path):
            used = _room(tuple(module.split(".")), services)
            if own and used and used != own:
                found[own].add(used)
    return {room: frozenset(used) for room, used in found.items()}


def _room(parts: tuple[str, ...], services: set[str]) -> str | None:
    if parts[:3] == ("app", *METRICS.split(".")):
        return METRICS
    return parts[1] if len(parts) > 1 and parts[0] == "app" and parts[1] in services else None


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rows() -> dict[str, int]:
    """The row of every room, counted from the top: the first layer of the contract that names it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [re.findall(r"app\.([\w.]+)", layer) for layer in contracts[0]["layers"]]
    named = [{name if name == METRICS else name.partition(".")[0] for name in layer} - {"__main__"} for layer in layers]
    placed: dict[str, int] = {}
    for row, layer in enumerate(filter(None, named)):
        placed |= {room: row for room in layer if room not in placed}
    return placed


def arrows(graph: Imports) -> list[tuple[str, str]]:
    """The imports that cannot be followed by way of another room."""

    def reached(room: str) -> set[str]:
        return set(graph[room]).union(*(reached(used) for used in graph[room]))

    return [
        (room, used)
        for room in sorted(graph)
        for used in sorted(graph[room])
        if not any(used in reached(other) for other in graph[room] - {used})
    ]


class Drawing:
    """Boxes in a grid, and arrows of level and upright strokes that go round them."""

    def __init__(self, graph: Imports) -> None:
        self.graph, self.rows = graph, rows()
        if missing := sorted(set(graph) - set(self.rows)):
            raise SystemExit(f"the first contract of pyproject.toml has no layer for {', '.join(missing)}")
        self.width, self.height = 760, ROW * (max(self.rows.values()) + 1) + MARGIN
        self.centre = {
            room: (80 + COLUMN * COLUMNS.get(room, MIDDLE), MARGIN // 2 + ROW // 2 + ROW * row)
            for room, row in self.rows.items()
        }
        self.drawn: list[tuple[str, str, list[Point]]] = []
        for room, used in sorted(arrows(graph), key=lambda pair: (self.rows[pair[1]] - self.rows[pair[0]], pair)):
            self.drawn.append(
                (room, used, min(self._ways(room, used), key=lambda way, pair=(room, used): self._cost(way, *pair)))
            )  # type: ignore[misc]

    def _ways(self, room: str, used: str) -> Iterator[list[Point]]:
        """The ways for an arrow: down; out at the side and down; down and in at the side; by a lane between the
        columns."""
        (x, y), (to_x, to_y) = self.centre[room], self.centre[used]
        half, low = BOX_WIDTH // 2, BOX_HEIGHT // 2
        for out in (0, -35, 35):
            yield [(x + out, y + low), (x + out, to_y - low)]
        if x != to_x:
            side, to_side = (half, -half) if to_x > x else (-half, half)
            yield [(x + side, y), (to_x, y), (to_x, to_y - low)]
            for out in (0, -35, 35):
                yield [(x + out, y + low), (x + out, to_y), (to_x + to_side, to_y)]
        for lane in LANES:
            yield [
                (x + (half if lane > x else -half), y),
                (lane, y),
                (lane, to_y),
                (to_x + (half if lane > to_x else -half), to_y),
            ]

    def _cost(self, way: list[Point], room: str, used: str) -> float:
        """How bad a way is: through a box, missing its end, upon or across another arrow, with bends, long."""
        strokes = list(itertools.pairwise(way))
        (to_x, to_y) = self.centre[used]
        end_x, end_y = way[-1]
        cost = 1e6 * (abs(end_x - to_x) > BOX_WIDTH // 2 or abs(end_y - to_y) > BOX_HEIGHT // 2)
        cost += 1e5 * sum(
            self._hits(stroke, other) for stroke in strokes for other in self.centre if other not in (room, used)
        )
        for other_room, other_used, other_way in self.drawn:
            for stroke, other in itertools.product(strokes, itertools.pairwise(other_way)):
                together = room == other_room or used == other_used
                cost += (0 if together else 1e4 if _along(stroke, other) else 150) * _meet(stroke, other)
        return cost + 60 * len(strokes) + sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in strokes) / 4

    def _hits(self, stroke: tuple[Point, Point], room: str) -> bool:
        x, y = self.centre[room]
        box = ((x - BOX_WIDTH // 2 - 3, y - BOX_HEIGHT // 2 - 3), (x + BOX_WIDTH // 2 + 3, y + BOX_HEIGHT // 2 + 3))
        return _meet(stroke, box)

    def svg(self) -> str:
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="rooms" role="img" viewBox="0 0 {self.width} '
            f'{self.height}" width="{self.width}" '
            f'height="{self.height}" aria-label="The rooms of app/, from the top down, and what each imports">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="rooms-head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto">'
            '<path d="M0 0 8 4 0 8z"/></marker></defs>',
        ]
        for room, used, way in self.drawn:
            path = "M" + " ".join(f"{x} {y}" for x, y in way)
            lines.append(
                f'<path class="arrow" data-from="{room}" data-to="{used}" marker-end="url(#rooms-head)" d="{path}"/>'
            )
        for room in sorted(self.centre, key=lambda room: (self.rows[room], room)):
            x, y = self.centre[room]
            uses = f"imports {', '.join(sorted(self.graph[room]))}" if self.graph[room] else "imports no other room"
            box = (
                f'<rect x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" width="{BOX_WIDTH}" '
                f'height="{BOX_HEIGHT}" rx="6"/>'
            )
            shown = room.rpartition(".")[2]
            lines.append(
                f'<g data-room="{room}"><title>{room} {uses}</title>{box}<text x="{x}" y="{y + 5}">{shown}</text></g>'
            )
        return "\n".join([*lines, "</svg>", ""])


def _meet(a: tuple[Point, Point], b: tuple[Point, Point]) -> bool:
    """Whether two level or upright strokes (or the boxes between their ends) have a point in common."""
    return all(
        max(min(a[0][i], a[1][i]), min(b[0][i], b[1][i])) <= min(max(a[0][i], a[1][i]), max(b[0][i], b[1][i]))
        for i in (0, 1)
    )


def _along(a: tuple[Point, Point], b: tuple[Point, Point]) -> bool:
    return (a[0][0] == a[1][0]) == (b[0][0] == b[1][0])


def drawing() -> str:
    """docs/assets/rooms.svg."""
    return Drawing(imports()).svg()


def on_page_content(html: str, **_: Any) -> str:
    """Called by mkdocs for each page: the picture stands in the page itself, so that its text can be selected and it
    follows the site's colours."""
    svg = (ROOT / "docs" / FILE).read_text(encoding="utf-8")
    return re.sub(rf'<img [^>]*src="[^"]*{re.escape(FILE)}"[^>]*>', lambda _: svg, html)
