"""Runs as folders and in the original's format; two published halves as a model to start from."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir

from fiber.conversion import recipe
from fiber.conversion.converting import convert
from fiber.conversion.from_run import PATCH_PROJECTION
from fiber.conversion.recipe import composed
from fiber.inference import programs
from fiber.inference.model_loading import load_model
from fiber.models.config import FusionConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError

from ..checkpoints.published_halves import roberta, swin_release, timm_layout
from .demo_runs import write_run
from .golden import CONFIGS, assert_same, converting, write_tokenizer, written


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
    expected = dict(before.model.state_dict())
    if isinstance(before.model, GroundedDetector):  # which now reads BGR, and sees what it saw
        assert (before.model.config.channel_order, after.model.config.channel_order) == ("rgb", "bgr")
        expected[PATCH_PROJECTION] = expected[PATCH_PROJECTION].flip(1)
        pixels = torch.randn(1, 3, 64, 64)
        seen, again = (one.model.encode_image(pixels).state for one in (before, after))
        assert torch.allclose(seen, again, rtol=1e-4, atol=1e-3)
    assert_same(dict(after.model.state_dict()), expected)
    assert after.description.kind == before.description.kind
    assert sizes(after.description) == sizes(before.description)


def sizes(description: Any) -> dict[str, Any]:
    """What tensors tell, with the numbers that the original's configuration tells."""
    values = asdict(description.backbone)
    for part, untold in (("image", ("drop_path", "shrink_window")), ("text", ("dropout",))):
        values[part] = {key: value for key, value in values[part].items() if key not in untold}
    values["image"] = {key: list(v) if isinstance(v, list | tuple) else v for key, v in values["image"].items()}
    return {key: value for key, value in values.items() if key not in ("initializer_std", "query_norm")}


def test_a_run_is_exported_as_a_folder_and_so_is_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", "stage=coarse", "task=nlvr2")
    expected = load_model(run)
    convert(converting(f"input={run}", f"output={tmp_path / 'first'}"))
    monkeypatch.chdir(tmp_path / "first")
    for source in (run / "checkpoints" / "best.ckpt", Path("model.safetensors"), Path("../first")):
        output = tmp_path / f"{source.stem}_again"
        convert(converting(f"input={source}", f"output={output}"))
        exported = load_model(output)
        assert_same(dict(exported.model.state_dict()), dict(expected.model.state_dict()))
        assert exported.description == expected.description


def test_weights_away_from_their_run_and_sharded_ones_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "stage=coarse", "task=nlvr2")
    lone = tmp_path / "epoch_3.ckpt"
    (run / "checkpoints" / "best.ckpt").rename(lone)
    with pytest.raises(UserError, match=r"input=.*epoch_3\.ckpt holds weights of a run, but .*config\.yaml is missing"):
        convert(converting(f"input={lone}", f"output={tmp_path / 'model'}"))
    sharded = run / "checkpoints" / "last.ckpt"
    sharded.mkdir()
    (sharded / "meta.pt").touch()
    for source in (run, sharded):
        with pytest.raises(UserError, match=r"input=.*last\.ckpt is sharded .* give input=.*last_whole\.ckpt"):
            convert(converting(f"input={source}", f"output={tmp_path / 'model'}"))


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
    assert set(report.untrained) == {name.partition(".")[0] for name in state if not name.startswith("backbone.")}
    torch.manual_seed(7)
    changes = (f"output={tmp_path / 'again'}", f"image={tmp_path / 'swin.bin'}", f"text={tmp_path / 'roberta'}")
    convert(converting(*told, *changes))
    assert_same(dict(load_model(tmp_path / "again").model.state_dict()), dict(state))  # also what was drawn at random
    with pytest.raises(UserError, match="give input=FILE_OR_RUN, or image=SWIN_FILE and text=ROBERTA_FILE"):
        convert(converting(f"image={tmp_path / 'swin.bin'}", f"output={tmp_path / 'more'}"))


def test_programs_are_made_at_the_sizes_of_models_that_embed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the programs compute is tested beside their exporters."""
    monkeypatch.setattr(programs, "exported", lambda module, inputs, dynamic: [tuple(one.shape) for one in inputs])
    monkeypatch.setattr(torch.export, "save", lambda shapes, file: Path(file).write_text(str(shapes)))
    run = write_run(tmp_path / "run", "stage=coarse", "task=retrieval")
    convert(converting(f"input={run}", f"output={tmp_path / 'programs'}", "to=programs"))
    files = {file.name: file for file in (tmp_path / "programs").iterdir()}
    assert set(files) == {"image_encoder.pt2", "text_encoder.pt2", "tokenizer.json"}
    assert files["image_encoder.pt2"].read_text() == "[(2, 3, 64, 64)]"
    with pytest.raises(UserError, match=r"image_width=64 is for detectors, input=.*run is none"):
        convert(converting(f"input={run}", f"output={tmp_path / 'none'}", "to=programs", "image_width=64"))
    other = write_run(tmp_path / "other", "stage=coarse", "task=nlvr2")
    with pytest.raises(UserError, match=r"is a model for visual reasoning: programs are made of models that embed"):
        convert(converting(f"input={other}", f"output={tmp_path / 'none'}", "to=programs"))


def test_a_recipe_is_composed_inside_of_a_script_that_hydra_runs() -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        assert composed(["stage=coarse", "task=vqa"]).task.name == "vqa"
        assert compose("convert").to == "fiber"  # Hydra still is the script's


def test_a_recipe_needs_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recipe, "CONFIGS", tmp_path / "configs")
    with pytest.raises(UserError, match=r"configs is missing, .* run scripts/convert_checkpoint\.py in a checkout"):
        composed([])
