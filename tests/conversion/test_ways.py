"""Options that would change nothing are refused."""

from pathlib import Path

import pytest
import torch

from fiber.conversion.converting import convert
from fiber.utils.errors import UserError

from .demo_runs import write_run
from .golden import OWN, converting, task_state


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a file of the original and two halves that are never read."""
    folder = tmp_path_factory.mktemp("inputs")
    write_run(folder / "run", "stage=coarse", "task=retrieval")
    torch.save(task_state(OWN, "itm"), folder / "original.ckpt")
    for name in ("swin.pth", "roberta.bin"):
        (folder / name).touch()
    return folder


HALVES = ("image=swin.pth", "text=roberta.bin")
RUN, AS_ORIGINAL, AS_PROGRAMS = ("input=run",), ("input=run", "to=reference"), ("input=run", "to=programs")
ORIGINAL, ORIGINAL_AGAIN = ("input=original.ckpt",), ("input=original.ckpt", "to=reference")


@pytest.mark.parametrize(
    ("given", "unused"),
    [
        (HALVES, ("task=vqa", "weights=raw", "keep_extra=false", "answers=a.json", "allow_surprising=true")),
        (RUN, ("weights=raw", "num_fusion_layers=2", "tokenizer.path=words", "query_norm=false", "image_height=64")),
        (AS_ORIGINAL, ("text_heads=4", "image_size=0", "max_text_length=9", "answers=a.json", "tokenizer.path=words")),
        (AS_PROGRAMS, ("task=retrieval", "keep_extra=false", "image_size=96")),
        (ORIGINAL, ("num_fusion_layers=6", "image_width=64")),
        (ORIGINAL_AGAIN, ("answers=a.json", "tokenizer.path=words")),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    given: tuple[str, ...], unused: tuple[str, ...], inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    for option in unused:
        with pytest.raises(UserError, match=rf"(?i){option} changes nothing with .*, only with .*\. Leave it out\."):
            convert(converting(*given, "output=made.pth", option))
        assert not Path("made.pth").exists()
