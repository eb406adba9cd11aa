"""The README's way from a clone to drawn predictions, command by command, with training cut to a step."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from .conftest import ROOT
from .scripts import run_script

README = (ROOT / "README.md").read_text()
SHORT = {
    "stage=coarse": (
        "data.train.0.num_samples=32",
        "data.val.num_samples=16",
        "trainer.batch_size=16",
        "optimization.batch_size=16",
    ),
    "stage=fine": ("data.train.0.num_samples=32", "data.train.1.num_samples=32", "data.max_val_samples=8"),
}


def blocks(heading: str, language: str) -> list[str]:
    """Of a section, in order."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def calls(block: str) -> list[list[str]]:
    """Words after each `scripts/`."""
    lines = block.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    starts = [next(place for place, word in enumerate(line) if word.startswith("scripts/")) for line in words]
    return [line[start:] for line, start in zip(words, starts, strict=True)]


def run(call: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A script as the command line calls it, in this process."""
    script, *arguments = call
    if script == "scripts/train.py":
        arguments += ["debug=fast", "logger=csv", *SHORT[arguments[0]]]
    assert run_script([script, *arguments], monkeypatch) == 0


def test_the_first_commands_end_in_drawings_that_python_makes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.chdir(tmp_path)
    first, second = blocks("From a clone to a drawn prediction", "bash")
    assert first.startswith("pip install -e '.[dev]' && python scripts/train.py")
    drawing = tmp_path / "outputs/predictions/shapes.png"
    for block in (first, second):
        train, predict = calls(block)
        run(train, monkeypatch)
        run(predict, monkeypatch)
        with Image.open(drawing) as picture:
            assert picture.width >= 480
        drawing.unlink()
    (example,) = blocks("Ask a model", "python")
    capsys.readouterr()
    exec(example, {})
    assert "'classes': ['circle', 'cross']" in capsys.readouterr().out
    assert (tmp_path / "found.png").is_file()


@pytest.mark.slow
def test_the_backbone_is_used_as_shown(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = blocks("As a library", "python")
    exec(example, {})
    assert capsys.readouterr().out == "torch.Size([3, 12, 12, 1024]) torch.Size([3, 16, 768])\n"
