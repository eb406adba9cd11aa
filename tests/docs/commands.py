"""Commands of the pages, and their configurations composed as the scripts do."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGS = {
    "train.py": ("", "train"),
    "evaluate.py": ("", "evaluate"),
    "prepare_data.py": ("", "prepare_data"),
    "benchmark.py": ("", "benchmark"),
    "plan.py": ("", "plan"),
    "predict.py": ("predict", "predict"),
    "convert_checkpoint.py": ("convert", "convert"),
}
"""Folder and name of every script's configuration."""
LISTS = re.compile(r"\[[^\]]*\]")
SHORTHAND = re.compile(r"`([^`]*)` stands for `([^`]*)`")


class Command(NamedTuple):
    """One call of a script."""

    script: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.script, *self.arguments))

    def composed(self) -> DictConfig:
        """Its configuration.

        Raises:
            HydraException: a group, an option or a key that does not exist.
        """
        folder, name = CONFIGS[self.script]
        values = list(self.arguments)
        if "--config-dir" in values:
            place = values.index("--config-dir")
            values[place : place + 2] = [f"hydra.searchpath=[file://{ROOT / values[place + 1]}]"]
        if self.script == "prepare_data.py":
            values[0] = f"command={values[0]}"
        # Brackets of a text and blanks are the scripts' business, which quote them before hydra sees them.
        values = ["text=words" if value.startswith("text=") else value for value in values]
        with initialize_config_dir(str(ROOT / "configs" / folder), version_base="1.3"):
            return compose(name, overrides=values)


def commands(page: str) -> list[Command]:
    """All of a page, in its blocks and within its lines, each once."""
    shorthands = dict(SHORTHAND.findall(page))
    blocks = re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`([^`\n]*)`", text)
    for short, whole in shorthands.items():
        lines += [f"{whole} {rest}" for rest in re.findall(rf"\b{short} `([^`]*)`", text)]
    lines = [line for written in lines for line in expanded(written, variables(blocks))]
    return list(dict.fromkeys(found for line in lines for found in parse(line)))


def variables(blocks: Sequence[str]) -> dict[str, list[str]]:
    """Values of the shell's variables: one of an assignment, all of a loop."""
    text = "\n".join(blocks).replace("\\\n", " ")
    assigned = {name: [value] for name, value in re.findall(r'^(\w+)="([^"]*)"$', text, flags=re.MULTILINE)}
    looped = {name: values.split() for name, values in re.findall(r"^for (\w+) in ([^;]*);", text, flags=re.MULTILINE)}
    return assigned | looped


def expanded(line: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for every value of the variables in it."""
    if re.match(r'\w+="', line):  # an assignment
        return []
    lines = [line]
    for name, options in values.items():
        lines = [re.sub(rf"\${name}\b", lambda _, option=option: option, one) for one in lines for option in options]
    return list(dict.fromkeys(lines))


def parse(line: str) -> Iterator[Command]:
    """The calls of scripts that a line makes."""
    words = shlex.split(line, comments=True)
    for place, word in enumerate(words):
        if word.startswith("scripts/") and place > 0:
            rest = words[place + 1 :]
            end = next((place for place, other in enumerate(rest) if other in ("&&", "|", ";")), len(rest))
            yield Command(word.removeprefix("scripts/"), tuple(rest[:end]))
