"""`pytest tests/parity --golden DIR`: which fixtures are compared, and the report at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .comparison import is_coarse

DEFAULT = Path(__file__).parent / "golden"
REPORT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden",
        action="append",
        type=Path,
        help="fixture directory, or a folder of them; may be repeated (default: the project's own)",
    )


def fixture_directories(config: pytest.Config) -> list[Path]:
    roots: list[Path] = config.getoption("--golden") or [DEFAULT]
    found = [meta.parent for root in roots for meta in (*root.glob("meta.json"), *root.glob("*/meta.json"))]
    if not found:
        raise pytest.UsageError(f"--golden {roots[0]} holds no fixture (a directory with meta.json)")
    return sorted(found)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`coarse_golden` and `fine_golden` stand for the directories of one stage."""
    for stage, wanted in (("coarse_golden", True), ("fine_golden", False)):
        if stage in metafunc.fixturenames:
            directories = [path for path in fixture_directories(metafunc.config) if is_coarse(path) == wanted]
            metafunc.parametrize(stage, directories, ids=[path.name for path in directories])


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines printed at the end of the session."""
    yield request.config.stash.setdefault(REPORT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(REPORT, []):
        terminalreporter.write_line(line)
