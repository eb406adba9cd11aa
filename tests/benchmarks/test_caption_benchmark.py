"""The caption benchmark compares searches that write the same."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from fiber.benchmarks.captions import BufferDecoder, CaptionSearch, CaptionSettings
from fiber.benchmarks.running import run_benchmark
from fiber.models.config import FusionConfig
from fiber.utils.errors import UserError

CONFIGS = Path(__file__).parents[2] / "configs"


@torch.no_grad()
def test_a_buffer_decoded_anew_gives_the_logits_of_its_tokens(tiny_config: FusionConfig) -> None:
    settings = CaptionSettings(
        model=tiny_config,
        image_size=64,
        batch_size=2,
        num_beams=3,
        num_tokens=6,
        buffer_length=8,
        device="cpu",
        autocast=False,
    )
    search = CaptionSearch(settings)
    decoder = BufferDecoder(search.model, search.image, length=6)
    tokens = torch.randint(4, 49, (2, 3, 3), generator=torch.Generator().manual_seed(0))
    kept = torch.tensor([[1, 0, 2], [2, 2, 0]])
    decoder.step(torch.zeros(2, 3, dtype=torch.long))
    decoder.step(tokens[..., 0])
    decoder.select(kept)
    logits = decoder.step(tokens[..., 1])
    first = tokens[..., 0].gather(1, kept)
    ids = torch.stack([torch.zeros_like(first), first, tokens[..., 1]], dim=-1).flatten(0, 1)
    memory = search.model.backbone.project_image(search.model.image_adapters(search.image))
    torch.testing.assert_close(logits, search.model.token_logits(ids, memory)[:, -1].view_as(logits))
    assert search.cached().tokens.tolist() == search.anew().tokens.tolist()


def run(overrides: list[str], folder: Path) -> None:
    options = ["model=tiny", "parts=[captions]", "image_size=64", "vocab_size=300", "repeats=2", "batch_size=3"]
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        run_benchmark(compose("benchmark", [*options, f"output={folder / 'all.json'}", *overrides]))


def test_captions_are_timed_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([], tmp_path)
    printed = capsys.readouterr().out
    assert "the same caption for 3 of 3 images" in printed
    assert "cached" in printed and "anew at every step, buffer of 50" in printed
    with pytest.raises(UserError, match="caption_tokens=60: give at most caption_buffer=50"):
        run(["caption_tokens=60"], tmp_path)
