"""The page about data names every data file, and the paths that these read."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from fiber.data.readers.odinw import DATASETS

from .composing import CONFIGS, options

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
REFER_DATASETS = ("refcoco", "refcoco+", "refcocog")


def blocks(language: str) -> list[str]:
    """Lines of all code blocks of a language."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [line for block in found for line in block.splitlines()]


def expanded(path: str) -> Iterator[str]:
    """Every path that `{a,b}` stands for."""
    parts = [part.split(",") for part in re.split(r"\{([^}]*)\}", path)]
    assert all(len(part) == 1 for part in parts[::2])
    return map("".join, product(*parts))


def layout() -> set[str]:
    """Paths of the page, below `data_dir`."""
    lines = (line.partition("  #")[0].strip().rstrip("/") for line in blocks("text"))
    return {path for line in lines for path in expanded(line)}


def configured() -> set[str]:
    """Paths of the data files, below `data_dir`."""
    texts = [path.read_text(encoding="utf-8") for path in (CONFIGS / "data").glob("*.yaml")]
    found = {match for text in texts for match in re.findall(r"\$\{data_dir\}/([^\s\"\],]+)", text)}
    return {path.replace("${data.dataset}", dataset) for path in found for dataset in REFER_DATASETS}


def is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


@pytest.mark.parametrize("name", options("data"))
def test_every_data_file_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_every_path_of_the_page_is_read_and_every_path_that_is_read_is_on_the_page() -> None:
    page, files = layout(), configured()
    assert len(page) > 60 and len(files) > 40
    assert [path for path in page if not any(is_within(path, file) or is_within(file, path) for file in files)] == []
    assert [file for file in files if not any(is_within(path, file) or is_within(file, path) for path in page)] == []


def test_folders_of_odinw_are_those_that_are_read() -> None:
    assert {path for path in layout() if path.startswith("odinw/")} == {
        f"odinw/{one.folder}" for one in DATASETS.values()
    }


def test_commands_name_data_files_that_exist_and_links_lead_to_headings() -> None:
    names = [name for line in blocks("bash") for name in re.findall(r"\bdata=(\S+)", line)]
    assert names and set(names) <= set(options("data"))
    text = PAGE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^## (.*)$", text, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= headings
