"""The documents say what the program does: generated pages are current, and every dependency has its reason."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from app.cli import parser
from app.settings import variables

ROOT = Path(__file__).resolve().parents[2]
PAGES = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text().splitlines()
    return {normal(line.split("==")[0]): line for line in lines if line and not line.startswith("#")}


def direct() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {normal(re.split(r"[<>=;\[ ]", text)[0]) for text in project["dependencies"]}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_variable_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "environment.md").read_text()
    assert all(f"`{variable.name}`" in text for variable in variables())


def test_every_locked_package_has_exactly_one_version() -> None:
    for file in ("requirements.lock", "requirements-dev.lock"):
        for line in locked(file).values():
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.]+( ; [^#]+?)?(  # for [a-z0-9-]+)?", line), line


def test_every_dependency_is_bounded_above_and_locked_within_its_bounds() -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = locked("requirements.lock")
    for text in project["dependencies"]:
        requirement = Requirement(text)
        assert any(spec.operator in ("<", "==", "<=") for spec in requirement.specifier), text
        version = pins[normal(requirement.name)].split("==")[1].split(" ")[0]
        assert requirement.specifier.contains(version), (text, version)


# Used by name or as data, not by an import statement.
BY_NAME = {"espeakng-loader": "app/speech/espeak.py finds its library", "faster-whisper": "app/speech/vad.py takes its Silero model"}


def imported(folder: str) -> set[str]:
    """The distributions that the Python files of a folder import, ours left out."""
    homes = metadata.packages_distributions()
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    third = names - sys.stdlib_module_names - {"app", "tests", "bench"}
    return {normal(home) for name in third for home in homes.get(name, [name])} - {"autodubber"}


def test_what_the_program_imports_is_exactly_what_it_declares() -> None:
    assert imported("app") == direct() - set(BY_NAME)


def test_what_tests_and_benches_import_is_locked() -> None:
    assert (imported("tests") | imported("bench")) <= set(locked("requirements.lock")) | set(locked("requirements-dev.lock"))


def test_nothing_of_cuda_and_no_triton_is_locked() -> None:
    assert not [name for name in locked("requirements.lock") if name == "triton" or name.startswith(("nvidia", "cuda"))]


def test_architecture_gives_the_reason_of_every_direct_dependency() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().lower()
    dev = {name for name, line in locked("requirements-dev.lock").items() if "# for" not in line}
    missing = [name for name in sorted(direct() | dev) if f"| {name} |" not in text]
    assert not missing


def test_the_readme_names_every_command_and_option_that_exists() -> None:
    text = (ROOT / "README.md").read_text()
    commands = next(action for action in parser()._actions if action.choices and action.dest == "command").choices
    assert commands is not None
    for name in commands:
        assert f"autodubber {name}" in text, name
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", " ".join(line for line in text.splitlines() if "autodubber dub" in line)):
        assert option in commands["dub"].format_help(), option
