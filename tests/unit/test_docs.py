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

from app.cli.main import parser
from app.config.environment import load
from app.config.settings import variables
from app.domain.catalogue import catalogue
from app.domain.dub_options import GROUP_OF
from app.domain.segment import Segment

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
BY_NAME = {
    "espeakng-loader": "app/speech/espeak/voice.py finds its library",
}


IN_THE_IMAGE = {"supervisor": "app/server/supervisor.py is the image's first process"}


def home(module: str, among: list[str]) -> str:
    """The distribution of a module in a package that several share (opentelemetry)."""
    path = module.replace(".", "/")
    owners = [
        name
        for name in among
        if {f"{path}.py", f"{path}/__init__.py"} & {str(file) for file in metadata.files(name) or ()}
    ]
    assert len(owners) == 1, (module, among)
    return owners[0]


def imported(folder: str) -> set[str]:
    """The distributions that the Python files of a folder import, ours left out."""
    homes = metadata.packages_distributions()
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
    found = set()
    for name in names:
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names | {"app", "tests", "bench"}:
            among = homes.get(top, [top])
            found.add(normal(among[0] if len(among) == 1 else home(name, among)))
    return found - {"autodubber"}


def test_what_the_program_imports_is_exactly_what_it_declares() -> None:
    assert imported("app") == (direct() - set(BY_NAME)) | set(IN_THE_IMAGE)


def test_what_tests_and_benches_import_is_locked() -> None:
    assert (imported("tests") | imported("bench")) <= set(locked("requirements.lock")) | set(
        locked("requirements-dev.lock")
    )


def test_nothing_of_cuda_and_no_triton_is_locked() -> None:
    assert not [name for name in locked("requirements.lock") if name == "triton" or name.startswith(("nvidia", "cuda"))]


def test_every_file_that_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = sorted(set(re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.py)`", text)))
    files = [
        f"/{path.relative_to(ROOT)}"
        for path in (*ROOT.joinpath("app").rglob("*.py"), *ROOT.joinpath("tests").rglob("*.py"))
    ]
    assert len(named) > 30
    assert [name for name in named if not any(file.endswith(f"/{name}") for file in files)] == []


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
    for option in re.findall(
        r"(?<![\w-])--[a-z][a-z-]+", " ".join(line for line in text.splitlines() if "autodubber dub" in line)
    ):
        assert option in commands["dub"].format_help(), option


DOCS = sorted((ROOT / "docs").glob("*.md"))
CODE_LIKE = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [*DOCS, ROOT / "README.md"], ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = {v.name for v in variables()} | {f"{v.name}_FILE" for v in variables() if v.secret}
    named = set(
        re.findall(r"\b(?:AUTODUBBER|ELEVENLABS)_[A-Z0-9_]*[A-Z0-9]\b(?![*…])", page.read_text(encoding="utf-8"))
    )
    assert not named - known


def test_the_examples_of_the_reference_are_settings_that_are_taken() -> None:
    examples = "\n".join(re.findall(r"```sh\n(.*?)```", text_of("docs/environment.md"), re.DOTALL))
    assigned = [line.split("#")[0].strip().partition("=") for line in examples.splitlines()]
    assert len(assigned) > 15
    load({name: value for name, _, value in assigned if not name.endswith("_FILE")})
    files = {name for name, _, _ in assigned if name.endswith("_FILE")} - {"AUTODUBBER_LOG_FILE"}
    assert files <= {f"{v.name}_FILE" for v in variables() if v.secret}


def test_every_setting_has_its_subject() -> None:
    assert "## Further" not in text_of("docs/environment.md"), "name the new field in SUBJECTS of docs/generate.py"


def test_troubleshooting_quotes_errors_as_the_program_says_them() -> None:
    text, known = text_of("docs/troubleshooting.md"), catalogue()
    fields = set(GROUP_OF) | set(Segment.__struct_fields__) | {"client_max_body_size"}
    assert set(CODE_LIKE.findall(text)) - fields <= set(known)
    quoted = re.findall(r'`([a-z_]+)`: "([^"]+)"', text)
    assert len(quoted) >= 5
    assert [code for code, message in quoted if known[code].message != message] == []


def test_what_the_start_says_is_quoted_as_the_program_says_it() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))
    for said in re.findall(r'^### "([^"]+)"', text_of("docs/troubleshooting.md"), re.MULTILINE):
        piece = max(re.split(r"/data|\d[\d.]*|AUTODUBBER_…|…", said), key=len).strip()
        assert piece in source or piece == "database is locked", said  # SQLite's own words


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    rules = text_of("deploy/monitoring/rules.yml")
    alerts = re.findall(r"^\s*- alert: (\w+)$", rules, re.MULTILINE)
    entries = re.findall(r"^### (AutoDubber\w+)$", text_of("docs/operations.md"), re.MULTILINE)
    assert alerts and sorted(alerts) == sorted(entries)


def test_every_page_is_in_the_navigation() -> None:
    nav = text_of("mkdocs.yml").split("\nnav:\n")[1]
    assert {page.name for page in DOCS} == set(re.findall(r"([\w-]+\.md)", nav))
