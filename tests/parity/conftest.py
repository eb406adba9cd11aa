"""`pytest tests/parity --golden DIR`: which fixtures are compared, and the report at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .comparison import is_coarse

DEFAULT = Path(__file__).parent / "golden"
CIDER_FILE = "cider_d.json"
REPORT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        action="append",
        type=Path,
        help="fixture directory, folder of them, or file of CIDEr-D scores; may be repeated (default: our own)",
    )


def golden_paths(config: pytest.Config) -> list[Path]:
    return config.getoption("--golden") or [DEFAULT]


def find_files(config: pytest.Config, name: str) -> list[Path]:
    """Files of that name in the given directories and in the folders of each."""
    return sorted(path for root in golden_paths(config) for path in (*root.glob(name), *root.glob(f"*/{name}")))


def cider_files(config: pytest.Config) -> list[Path]:
    """Files given by name, and those in the given directories."""
    return [*(path for path in golden_paths(config) if path.is_file()), *find_files(config, CIDER_FILE)]


def fixture_directories(config: pytest.Config) -> list[Path]:
    found = [meta.parent for meta in find_files(config, "meta.json")]
    if not found and not cider_files(config):
        wanted = f"a directory with meta.json, or {CIDER_FILE}"
        raise pytest.UsageError(f"--golden {golden_paths(config)[0]} holds no fixture ({wanted})")
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`coarse_golden` and `fine_golden` stand for the directories of one stage, `cider_golden` for files of scores."""
    for stage, wanted in (("coarse_golden", True), ("fine_golden", False)):
        if stage in metafunc.fixturenames:
            directories = [path for path in fixture_directories(metafunc.config) if is_coarse(path) == wanted]
            metafunc.parametrize(stage, directories, ids=[path.name for path in directories])
    if "cider_golden" in metafunc.fixturenames:
        files = cider_files(metafunc.config)
        metafunc.parametrize("cider_golden", files, ids=[path.parent.name for path in files])


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines printed at the end of the session."""
    yield request.config.stash.setdefault(REPORT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(REPORT, []):
        terminalreporter.write_line(line)
