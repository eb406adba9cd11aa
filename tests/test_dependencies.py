"""Packages depend on each other in one direction."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW: dict[str, set[str]] = {
    "utils": set(),
    "models": set(),
    "detection": {"models"},
    "data": {"detection"},
    "generation": {"models"},
    "objectives": {"models", "detection", "generation"},
    "evaluation": {"models", "objectives", "data"},
    "checkpoints": {"models", "generation", "data"},
    "inference": {"models", "detection", "generation", "data", "evaluation", "checkpoints"},
    "conversion": {"models", "data", "checkpoints", "inference"},
    "tasks": {"models", "detection", "generation", "data", "objectives", "evaluation", "checkpoints", "inference"},
    "preparation": {"data", "evaluation", "tasks"},
    "benchmarks": {
        "models",
        "detection",
        "generation",
        "data",
        "objectives",
        "evaluation",
        "checkpoints",
        "inference",
        "tasks",
    },
    "planning": {"models", "generation", "data", "objectives", "checkpoints", "tasks", "benchmarks"},
}
"""What each may import besides itself and `utils`."""


def imported_packages(file: Path) -> Iterator[str]:
    """Packages of the library that a file names in its imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name.split(".")[1] for name in names if name.startswith("fiber."))


def test_every_package_has_its_place() -> None:
    assert {file.parent.name for file in (ROOT / "fiber").glob("*/__init__.py")} == set(BELOW)


@pytest.mark.parametrize("package", BELOW)
def test_a_package_imports_only_what_is_below_it(package: str) -> None:
    files = list((ROOT / "fiber" / package).rglob("*.py"))
    assert files
    allowed = {package, "utils"} | BELOW[package]
    above = {str(file.relative_to(ROOT)): found - allowed for file in files if (found := set(imported_packages(file)))}
    assert {file: names for file, names in above.items() if names} == {}
