"""Runs as folders and in the original's format; two published halves as a model to start from."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fiber.checkpoints.model_kinds import build_model
from fiber.checkpoints.run_description import describe_run
from fiber.conversion.converting import convert
from fiber.conversion.recipe import CONFIGS
from fiber.inference.model_loading import load_model
from fiber.models.config import FusionConfig
from fiber.utils.errors import UserError

from ..checkpoints.published_halves import roberta, swin_release, timm_layout
from .golden import assert_same, converting, write_tokenizer, written


def write_run(folder: Path, *overrides: str) -> Path:
    """What a run of the demo leaves, with random weights."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("train", overrides=["experiment=demo", f"run_dir={folder}", *overrides])
    write_tokenizer(folder / "tokenizer", 40)
    torch.manual_seed(0)
    model = build_model(describe_run(config, vocab_size=40))
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    (folder / "checkpoints").mkdir()
    state = {f"model.{name}": torch.randn_like(value) for name, value in model.state_dict().items()}
    torch.save({"state_dict": state}, folder / "checkpoints" / "best.ckpt")
    return folder


@pytest.mark.parametrize(
    ("overrides", "output", "key"),
    [
        (["stage=coarse", "task=retrieval"], "retrieval.ckpt", "state_dict"),
        (["stage=fine", "detector.prompt_offsets=false"], "detector.pth", "model"),
    ],
)
def test_a_run_goes_to_the_original_and_comes_back(overrides: list[str], output: str, key: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", *overrides)
    with pytest.raises(UserError, match=r"code does not compute this model, which has depths \(1, 1, 2, 1\)"):
        convert(converting(f"input={run}", f"output={tmp_path / output}", "to=reference"))
    force = "allow_surprising=true"
    convert(converting(f"input={run}", f"output={tmp_path / output}", "to=reference", force))
    content = written(tmp_path / output)
    assert "cls_logits" in str(content[key].keys()) or "rank_output.weight" in content[key]
    words = f"tokenizer.path={run / 'tokenizer'}"
    convert(converting(f"input={tmp_path / output}", f"output={tmp_path / 'model'}", "text_heads=4", words))
    before, after = load_model(run), load_model(tmp_path / "model")
    assert_same(dict(after.model.state_dict()), dict(before.model.state_dict()))
    assert after.description.kind == before.description.kind
    assert sizes(after.description) == sizes(before.description)


def sizes(description: Any) -> dict[str, Any]:
    """What tensors tell, with the numbers that the original's configuration tells."""
    values = asdict(description.backbone)
    for part, untold in (("image", ("drop_path", "shrink_window")), ("text", ("dropout",))):
        values[part] = {key: value for key, value in values[part].items() if key not in untold}
    values["image"] = {key: list(v) if isinstance(v, list | tuple) else v for key, v in values["image"].items()}
    return {key: value for key, value in values.items() if key not in ("initializer_std", "query_norm")}


def test_a_run_is_exported_as_a_folder_and_takes_no_options_of_foreign_files(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "stage=coarse", "task=nlvr2")
    with pytest.raises(UserError, match=r"text_heads=4 is for files of others: input=.*run tells it"):
        convert(converting(f"input={run}", f"output={tmp_path / 'model'}", "text_heads=4"))
    for source in (run, run / "checkpoints" / "best.ckpt"):
        convert(converting(f"input={source}", f"output={tmp_path / source.stem}_model"))
        exported = load_model(tmp_path / f"{source.stem}_model")
        assert_same(dict(exported.model.state_dict()), dict(load_model(run).model.state_dict()))
        assert exported.description == load_model(run).description


def test_two_published_halves_become_a_model_to_train(tiny_config: FusionConfig, tmp_path: Path) -> None:
    image, text = swin_release(tiny_config), roberta(tiny_config)
    torch.save(timm_layout(image), tmp_path / "swin.bin")
    (tmp_path / "roberta").mkdir()
    torch.save({f"roberta.{name}": value for name, value in text.items()}, tmp_path / "roberta" / "pytorch_model.bin")
    words = write_tokenizer(tmp_path / "words", tiny_config.text.vocab_size)
    told = (f"tokenizer.path={words}", "text_heads=2", "num_fusion_layers=3", f"output={tmp_path / 'model'}")
    report = convert(converting(f"image={tmp_path / 'swin.bin'}", f"text={tmp_path / 'roberta'}", *told))
    loaded = load_model(tmp_path / "model")
    assert loaded.description.kind == "pretraining"
    state = loaded.model.state_dict()
    merge = "layers.1.downsample.reduction.weight"
    assert torch.equal(state["backbone.image.merges.1.reduction.weight"], image[merge])
    assert torch.equal(state["backbone.text.embedding.word.weight"], text["embeddings.word_embeddings.weight"])
    assert {*report.loaded, *report.fresh} == set(state)
    assert "backbone.image.blocks.5.cross_attention.gate" in report.fresh
    with pytest.raises(UserError, match="give input=FILE_OR_RUN, or image=SWIN_FILE and text=ROBERTA_FILE"):
        convert(converting(f"image={tmp_path / 'swin.bin'}", f"output={tmp_path / 'more'}"))


def test_programs_are_made_of_models_that_embed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "stage=coarse", "task=retrieval")
    convert(converting(f"input={run}", f"output={tmp_path / 'programs'}", "to=programs"))
    names = sorted(file.name for file in (tmp_path / "programs").iterdir())
    assert names == ["image_encoder.pt2", "text_encoder.pt2", "tokenizer.json"]
    other = write_run(tmp_path / "other", "stage=coarse", "task=nlvr2")
    with pytest.raises(UserError, match=r"is a model for visual reasoning: programs are made of models that embed"):
        convert(converting(f"input={other}", f"output={tmp_path / 'none'}", "to=programs"))
    with pytest.raises(UserError, match="image_width=64 is for to=programs"):
        convert(converting(f"input={run}", f"output={tmp_path / 'none'}", "image_width=64"))
