"""Models of the original's coarse stage: there and back, and what they compute on the way."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fiber.checkpoints.model_description import CoarseDescription
from fiber.checkpoints.model_kinds import build_model, original_names
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.run_description import describe_run
from fiber.checkpoints.task_initialization import initialize_task
from fiber.conversion import origin
from fiber.conversion.converting import convert
from fiber.conversion.key_report import DropReason, KeyReport
from fiber.conversion.original_description import DescriptionOptions, describe_original
from fiber.conversion.original_sizes import NamedTensors
from fiber.inference.model_loading import LoadedModel, load_model
from fiber.tasks.evaluation_request import STAGES
from fiber.utils.errors import UserError

from ..parity.comparison import OUTPUT_TOLERANCE, Tensors, largest_difference, read_doubled, read_meta
from .golden import OWN, WITHOUT, assert_same, converting, lightning_file, task_state, write_tokenizer, written

KINDS = {
    "vqa": "question_answering",
    "nlvr2": "visual_reasoning",
    "caption": "captioning",
    "pretrain": "pretraining",
    "itc": "retrieval",
    "itm": "retrieval",
}


def convert_golden(folder: Path, source: Path, output: Path, *overrides: str) -> KeyReport:
    """Convert with what the golden sizes need to be told."""
    sizes = read_meta(folder)["config"]
    tokenizer = write_tokenizer(output.parent / "words", sizes["vocab_size"])
    answers = output.parent / "answers.json"
    answers.write_text(json.dumps([f"answer {number}" for number in range(sizes["vqa_labels"])]))
    told = [f"answers={answers}"] if "vqa" in source.name else []
    return convert(
        converting(
            f"input={source}",
            f"output={output}",
            f"tokenizer.path={tokenizer}",
            f"text_heads={sizes['text_heads']}",
            *told,
            *overrides,
        )
    )


@torch.no_grad()
def outputs(loaded: LoadedModel, task: str, io: Tensors) -> Tensors:
    """What the model computes of the golden inputs, by entry."""
    model: Any = loaded.model.double()
    ids, mask = io["in/text_ids"], io["in/text_masks"].bool()
    if task == "vqa":
        return {"out/vqa_logits": model(io["in/image"], ids, mask)}
    if task == "nlvr2":
        return {"out/nlvr2_logits": model(torch.stack([io["in/image"], io["in/image2"]], dim=1), ids, mask)}
    if task == "caption":
        return {"out/caption/logits": model.token_logits(ids, model.read_image(io["in/image"]), mask=mask)}
    image, text = model.backbone.encode_image(io["in/image"]), model.backbone.encode_text(ids, mask)
    found = {
        "out/itc/image_embed": model.embed_image(image),
        "out/itc/text_embed": model.embed_text(text),
        "out/itm_logits": model.match(image, text),
    }
    if task == "itc":
        assert torch.equal(found.pop("out/itm_logits"), torch.zeros(len(ids), 2))  # not trained: as likely as not
    if task == "pretrain":
        masked = model.backbone.encode_text(io["in/mlm_ids"], mask)
        features = model.cross_modal_head(model.backbone.fuse(image, masked))
        found["out/mlm_logits"] = model.masked_language_modeling_head(features.text)
    return found


@pytest.mark.parametrize(("place", "task"), [*(("shared", task) for task in WITHOUT), ("own", "pretrain")])
def test_a_model_of_every_task_predicts_as_the_original_and_comes_back_as_it_was(
    request: pytest.FixtureRequest, place: str, task: str, tmp_path: Path
) -> None:
    golden = OWN if place == "own" else request.getfixturevalue("shared") / "golden" / "coarse_small"
    state = task_state(golden, task)
    source = lightning_file(state, tmp_path / f"fiber_{task}.ckpt", max_text_len=9)
    report = convert_golden(golden, source, tmp_path / "model")

    loaded = load_model(tmp_path / "model")
    sizes = read_meta(golden)["config"]
    description = loaded.description
    assert isinstance(description, CoarseDescription)
    assert (description.kind, description.image_size) == (KINDS[task], sizes["image_size"])
    assert description.max_text_length == 9
    assert description.num_answers == (sizes["vqa_labels"] if task == "vqa" else None)
    io = read_doubled(golden / "io.safetensors")
    for name, value in outputs(loaded, task, io).items():
        assert largest_difference(value, io[name]) <= OUTPUT_TOLERANCE, name

    accounted = [*report.loaded, *(name for names in report.dropped.values() for name in names)]
    assert sorted(accounted) == sorted(state)
    assert len(report.dropped.get(DropReason.QUEUE, ())) == (7 if task in ("pretrain", "itc") else 0)
    assert "optimizer_states" in report.parts and report.skipped == (f"{__package__}.golden.LightningCallback",)
    fresh = {"itc": {"itm_score.fc.weight", "itm_score.fc.bias"}, "itm": {"temp"}}
    assert set(report.fresh) == fresh.get(task, set())
    record = json.loads((tmp_path / "model" / "conversion.json").read_text())
    untrained = {"itc": ["matching_head"], "itm": ["temperature"]}.get(task, [])
    assert record["report"]["untrained"] == untrained and list(description.untrained) == untrained
    assert ("head for matching is not trained" in (tmp_path / "model" / "README.md").read_text()) == (task == "itc")

    convert(converting(f"input={tmp_path / 'model'}", f"output={tmp_path / 'back.ckpt'}", "to=reference"))
    back = written(tmp_path / "back.ckpt")
    assert_same(back["state_dict"], state)
    assert back["hyper_parameters"]["config"]["max_text_len"] == 9


def test_without_what_only_the_original_uses_a_file_has_the_same_names_with_initial_values(tmp_path: Path) -> None:
    state = task_state(OWN, "itm")
    source = lightning_file(state, tmp_path / "itm.ckpt")
    convert_golden(OWN, source, tmp_path / "model", "keep_extra=false")
    assert not (tmp_path / "model" / "original_extra.safetensors").exists()
    convert(converting(f"input={tmp_path / 'model'}", f"output={tmp_path / 'back.ckpt'}", "to=reference"))
    back = written(tmp_path / "back.ckpt")["state_dict"]
    assert set(back) == set(state)
    other = {name for name, value in state.items() if not torch.equal(back[name], value)}
    assert torch.equal(back["rank_output.weight"], state["itm_score.fc.weight"][1:])
    unused = ("pooler.dense", "alpha_t2i", "crossattention_t2i.output.LayerNorm", "rank_output")
    assert other and all(any(part in name for part in unused) for name in other)
    norm = next(name for name in other if name.endswith("crossattention_t2i.output.LayerNorm.weight"))
    assert torch.equal(back[norm], torch.ones(len(back[norm])))


def test_the_type_and_name_of_every_tensor_come_back(shared: Path, tmp_path: Path) -> None:
    golden = shared / "golden" / "coarse_small"
    masks = ("vit_model.layers.0.blocks.1.attn_mask", "vit_model.layers.1.blocks.1.attn_mask")
    state = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 and name != masks[0] else value
        for name, value in task_state(golden, "pretrain").items()
    }
    state |= {"temp": state["temp"].bfloat16(), "itm_score.fc.bias": state["itm_score.fc.bias"].double()}
    query = "text_transformer.encoder.layer.0.attention.self.query.weight"
    state |= {query: state[query].float(), "other/depth.weight": torch.ones(2)}
    assert state[masks[0]].dtype == torch.float32 and state[masks[1]].dtype == torch.float16
    source = lightning_file(state, tmp_path / "mixed.ckpt")
    convert_golden(golden, source, tmp_path / "model", "allow_surprising=true")
    convert(converting(f"input={tmp_path / 'model'}", f"output={tmp_path / 'back.ckpt'}", "to=reference"))
    assert_same(written(tmp_path / "back.ckpt")["state_dict"], state)


def test_large_queues_are_left_out_and_extras_of_a_folder_where_they_are_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state = task_state(OWN, "pretrain")
    monkeypatch.setattr(origin, "LARGEST_QUEUE", state["image_queue"].nbytes)
    convert_golden(OWN, lightning_file(state, tmp_path / "pretrain.ckpt"), tmp_path / "model")
    assert "to=reference will not give back image_input_queue" in caplog.text
    convert(converting(f"input={tmp_path / 'model'}", f"output={tmp_path / 'back.ckpt'}", "to=reference"))
    back = written(tmp_path / "back.ckpt")["state_dict"]
    assert set(state) - set(back) == {"image_input_queue"} and torch.equal(back["image_queue"], state["image_queue"])
    bare = ("keep_extra=false", f"output={tmp_path / 'bare.ckpt'}")
    convert(converting(f"input={tmp_path / 'model'}", "to=reference", *bare))
    back = written(tmp_path / "bare.ckpt")["state_dict"]
    assert len(set(state) - set(back)) == 7 and set(back) < set(state)


@pytest.mark.parametrize(
    ("told", "sizes"),
    [
        ({"image_size": 64, "max_text_len": 9}, (64, 9)),
        ({"image_size": 128, "max_text_len": 16}, (64, 16)),
        ({"image_size": 0, "max_text_len": 2}, (64, 16)),
        ({"image_size": -32, "max_text_len": -4}, (64, 16)),
        ({"image_size": 32_000_000, "max_text_len": 17}, (64, 16)),
        ({"image_size": True, "max_text_len": True}, (64, 16)),
        ({"image_size": "x", "max_text_len": 9.0}, (64, 16)),
    ],
)
def test_what_a_file_tells_of_itself_holds_where_its_tensors_allow_it(
    told: dict[str, Any], sizes: tuple[int, int]
) -> None:
    tensors = NamedTensors(task_state(OWN, "itm"), "input=a.ckpt")
    description = describe_original(tensors, told, DescriptionOptions(text_heads=4))
    assert isinstance(description, CoarseDescription)
    assert (description.image_size, description.max_text_length) == sizes
    assert description.backbone.image.window_size == 2


def test_position_biases_are_brought_to_another_image_size(shared: Path, tmp_path: Path) -> None:
    golden = shared / "golden" / "coarse_small"
    sizes, io = read_meta(golden)["config"], read_doubled(golden / "io.safetensors")
    state = task_state(golden, "pretrain")
    source = lightning_file(state, tmp_path / "pretrain.ckpt")
    size = sizes["resized_image_size"]
    report = convert_golden(golden, source, tmp_path / "model", f"image_size={size}")
    assert len(report.resized) == sum(sizes["depths"])
    loaded = load_model(tmp_path / "model")
    model: Any = loaded.model.double()
    image = io["in/resized_image"]
    text = model.backbone.encode_text(io["in/text_ids"][: len(image)], io["in/text_masks"][: len(image)].bool())
    pooled = model.cross_modal_head(model.backbone.fuse(model.backbone.encode_image(image), text)).pooled
    assert largest_difference(pooled, io["out/resized/cls_feats"]) <= 1e-5  # the tables are rounded to float32

    convert(converting(f"input={tmp_path / 'model'}", f"output={tmp_path / 'back.ckpt'}", "to=reference"))
    back = written(tmp_path / "back.ckpt")["state_dict"]
    assert set(back) == set(state)
    table = "vit_model.layers.2.blocks.1.attn.relative_position_bias_table"
    assert torch.equal(back[table], resize_position_bias(state[table], size // 32))
    assert back["vit_model.layers.0.blocks.1.attn_mask"].shape == (64, (size // 32) ** 2, (size // 32) ** 2)
    kept = {name: value for name, value in state.items() if "relative_position" not in name and "attn_mask" not in name}
    assert_same({name: back[name] for name in kept}, kept)


def test_training_from_the_folder_begins_as_from_the_original_file(tmp_path: Path) -> None:
    source = lightning_file(task_state(OWN, "vqa"), tmp_path / "vqa.ckpt")
    convert_golden(OWN, source, tmp_path / "model")
    description = load_model(tmp_path / "model").description
    assert isinstance(description, CoarseDescription)
    states = []
    for path in (source, tmp_path / "model" / "model.safetensors"):
        torch.manual_seed(0)
        model = build_model(description)
        window = description.backbone.image.window_size
        initialize_task(model, tuple(original_names(description)), path, window_size=window)
        states.append(model.state_dict())
    assert_same(states[1], states[0])


def test_the_recipe_describes_the_model_to_evaluation_and_training(tmp_path: Path) -> None:
    source = lightning_file(task_state(OWN, "nlvr2"), tmp_path / "nlvr2.ckpt")
    convert_golden(OWN, source, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.recipe.task.name == "nlvr2" and loaded.recipe.stage.name in STAGES
    described = describe_run(loaded.recipe, vocab_size=loaded.tokenizer.vocab_size)
    assert isinstance(described, CoarseDescription) and isinstance(loaded.description, CoarseDescription)
    build_model(described).load_state_dict(loaded.model.state_dict())
    assert (described.kind, described.image_size) == (loaded.description.kind, loaded.description.image_size)
    assert described.backbone.image.window_size == loaded.description.backbone.image.window_size


def test_heads_of_several_tasks_need_a_choice(tmp_path: Path) -> None:
    torch.save({"state_dict": task_state(OWN, "vqa") | task_state(OWN, "nlvr2")}, tmp_path / "both.ckpt")
    with pytest.raises(UserError, match="has heads of vqa and nlvr2: choose with task=vqa"):
        convert_golden(OWN, tmp_path / "both.ckpt", tmp_path / "model")
    report = convert_golden(OWN, tmp_path / "both.ckpt", tmp_path / "model", "task=nlvr2")
    assert "vqa_classifier.3.weight" in report.dropped[DropReason.OTHER_HEAD]


def test_a_copy_of_gold_training_is_left_out_and_a_backbone_alone_gets_fresh_heads(tmp_path: Path) -> None:
    state = task_state(OWN, "caption")
    copied = state | {f"copy_module.{name}": value for name, value in state.items()}
    report = convert_golden(OWN, lightning_file(copied, tmp_path / "gold.ckpt"), tmp_path / "model")
    assert len(report.dropped[DropReason.GOLD_COPY]) == len(state)
    assert set(report.loaded) | {name for names in report.dropped.values() for name in names} == set(copied)

    backbone = {name: value for name, value in state.items() if name.startswith(("vit_model.", "text_transformer."))}
    torch.save({f"module.{name}": value for name, value in backbone.items()}, tmp_path / "init.pt")
    report = convert_golden(OWN, tmp_path / "init.pt", tmp_path / "start")
    assert load_model(tmp_path / "start").description.kind == "pretraining"
    assert "itm_score.fc.weight" in report.fresh and not any(name.startswith("vit_model") for name in report.fresh)
    torch.manual_seed(7)
    convert_golden(OWN, tmp_path / "init.pt", tmp_path / "again")
    first, second = (load_model(tmp_path / name).model.state_dict() for name in ("start", "again"))
    assert_same(dict(second), dict(first))  # also the heads that were drawn at random
    convert(converting(f"input={tmp_path / 'start'}", f"output={tmp_path / 'back.pth'}", "to=reference"))
    assert_same(written(tmp_path / "back.pth"), {f"module.{name}": value for name, value in backbone.items()})
