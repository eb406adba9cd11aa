"""Pages lead to what exists: links, commands, and the keys of their tables."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from .commands import PAGES, ROOT, Command, commands

MIGRATION = (ROOT / "docs/migration.md").read_text()
OWN_FOLDER = "my_configs"
"""Stands for the reader's folder; what is written there is tried by the tests of its page."""
ALL = [found for page in PAGES for found in commands(page.read_text()) if OWN_FOLDER not in found.arguments]
TASKS = (
    *(f"stage=coarse task={task}" for task in ("pretrain", "vqa", "retrieval", "caption")),
    *(f"stage=fine task={task}" for task in ("pretrain", "odinw")),
)


def anchors(page: str) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


def test_pages_hold_commands() -> None:
    assert len(ALL) > 30 and {found.script for found in ALL} >= {"train.py", "evaluate.py", "convert_checkpoint.py"}


@pytest.mark.parametrize("command", ALL, ids=str)
def test_a_command_composes(command: Command) -> None:
    assert command.composed()


def keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """All of a configuration, with dots."""
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


def known_keys(command: Command) -> set[str]:
    """Of the configuration of a command."""
    return set(keys(OmegaConf.to_container(command.composed(), resolve=False)))


def test_every_key_of_the_tables_of_options_exists() -> None:
    known = {"recipe", "precision", "debug"}  # groups without a key of their own
    for task in TASKS:
        known |= known_keys(Command("train.py", tuple(task.split())))
    known |= known_keys(Command("evaluate.py", ()))
    tables = re.findall(r"\| original \| here \| remark \|\n\|.*\n((?:\|.*\n)+)", MIGRATION)
    cells = [row.split("|")[2] for table in tables for row in table.splitlines()]
    named = [key.split("=")[0].split(" ")[0] for cell in cells for key in re.findall(r"`([^`]*)`", cell)]
    options = [key for key in named if not key.startswith("scripts/") and key != "randaugment"]
    assert len(tables) == 2 and len(options) > 60
    assert sorted(set(options) - known) == []
