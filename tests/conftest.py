"""What every test may use: a real Whisper checkpoint of 7 MB, and ffmpeg. And the order of the tests."""

import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests import kinds, ordering

ordering.limit_threads()

# Taken out of the environment: the programs that tests start refuse settings that they do not know.
WEIGHTS = pytest.StashKey[str]()
_given_weights = os.environ.pop("AUTODUBBER_TEST_WEIGHTS", "")

# the voice that nobody named is one that needs no download of 92 MB
os.environ["AUTODUBBER_VOICE_DOWNLOAD"] = "0"

FIXTURES = Path(__file__).with_name("fixtures")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-durations", action="store_true", help=f"write {ordering.TABLE.name} again when every test has passed"
    )
    parser.addoption(
        "--quick", action="store_true", help="leave out what starts a server, a browser or FFmpeg, and what is slow"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[WEIGHTS] = getattr(config, "workerinput", {}).get("weights", _given_weights)
    if config.getoption("--write-durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ordering.Durations())
    for name, meaning in kinds.MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if config.getoption("--quick"):
        kinds.forbid_programs()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist: before a worker is started."""
    node.workerinput["weights"] = _given_weights


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for name in kinds.marks_of(item):
            item.add_marker(name)
    if not config.stash[WEIGHTS]:
        real = [item for item in items if item.get_closest_marker("real")]
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in set(real)]
    if config.getoption("--quick"):
        seconds = ordering.durations(ordering.TABLE.read_text())
        slow = {file for file, took in seconds.items() if took > kinds.SLOW_FILE_S}
        left_out = [
            item
            for item in items
            if item.nodeid.partition("::")[0] in slow or any(map(item.get_closest_marker, kinds.MARKERS))
        ]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    if not hasattr(config, "workerinput"):  # one after another, the order is of no use
        return
    files = [item.nodeid.partition("::")[0] for item in items]
    rank = {
        file: at
        for at, file in enumerate(ordering.longest_first(files, ordering.durations(ordering.TABLE.read_text())))
    }
    items.sort(key=lambda item: rank[item.nodeid.partition("::")[0]])


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ordering.ByGroup:
    return ordering.ByGroup(config, log)


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """A command that a test runs in this process makes it private; the next test starts as this one did."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def whisper_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained multilingual checkpoint that knows 32 sentences (tests/fixtures/clips)."""
    path = tmp_path_factory.mktemp("model") / "micro.pt"
    path.write_bytes(lzma.decompress((FIXTURES / "whisper-micro.pt.xz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def weights(pytestconfig: pytest.Config) -> Path:
    """The folder of real model weights, for tests marked `real`."""
    return Path(pytestconfig.stash[WEIGHTS])


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """The path of the ffmpeg program."""
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture
def own_children() -> Callable[[], list[psutil.Process]]:
    """The processes that this test has started and that run: servers of other tests may be running too."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [
        child
        for child in psutil.Process().children(recursive=True)
        if child not in before and child.status() != psutil.STATUS_ZOMBIE
    ]
