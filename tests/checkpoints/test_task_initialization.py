"""Task models from coarse checkpoints in both formats."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fiber.checkpoints.initialization import find_checkpoint_file
from fiber.checkpoints.original_coarse import (
    captioning_names,
    pretraining_names,
    question_answering_names,
    retrieval_names,
    to_original,
    visual_reasoning_names,
)
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.checkpoints.task_initialization import initialize_task
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.models.visual_reasoning_model import FiberForVisualReasoning
from fiber.utils.errors import UserError

State = dict[str, Tensor]
TASKS: dict[str, tuple[Callable[[FusionConfig], nn.Module], Any]] = {
    "retrieval": (FiberForRetrieval, retrieval_names),
    "vqa": (lambda config: FiberForQuestionAnswering(config, num_answers=7), question_answering_names),
    "nlvr2": (FiberForVisualReasoning, visual_reasoning_names),
    "caption": (FiberForCaptioning, captioning_names),
}


@pytest.fixture
def pretrained(tiny_config: FusionConfig) -> FiberForPretraining:
    torch.manual_seed(1)
    model = FiberForPretraining(tiny_config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    return model


def own_format(model: FiberForPretraining) -> State:
    return {f"model.{name}": value for name, value in model.state_dict().items()}


def original_format(model: FiberForPretraining) -> State:
    return to_original(model.state_dict(), pretraining_names(model.config)) | {"rank_output.weight": torch.zeros(1, 32)}


def save(state: State, folder: Path) -> Path:
    path = folder / "coarse.ckpt"
    torch.save({"state_dict": state}, path)
    return path


@pytest.mark.parametrize("layout", [own_format, original_format])
@pytest.mark.parametrize("task", TASKS)
def test_a_task_starts_with_everything_it_shares_with_pretraining(
    tiny_config: FusionConfig,
    pretrained: FiberForPretraining,
    layout: Callable[[FiberForPretraining], State],
    task: str,
    tmp_path: Path,
) -> None:
    build, names = TASKS[task]
    model = build(tiny_config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = layout(pretrained)
    report = initialize_task(model, names(tiny_config), save(state, tmp_path), window_size=4)
    theirs = pretrained.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, theirs[name] if name in theirs else before[name]), name
    assert set(report.loaded) == before.keys() & theirs.keys()
    assert set(report.fresh) == before.keys() - theirs.keys()
    assert {*report.loaded, *report.fresh} == set(before)
    assert ("rank_output.weight" in report.unused) == (layout is original_format)


def test_every_tensor_of_a_model_has_a_name_in_the_original(tiny_config: FusionConfig) -> None:
    for build, names in TASKS.values():
        assert {name.ours for name in names(tiny_config)} == set(build(tiny_config).state_dict())


def test_a_head_of_another_size_is_fresh_as_a_whole(tiny_config: FusionConfig, tmp_path: Path) -> None:
    trained = FiberForVisualReasoning(tiny_config)
    path = save({f"model.{name}": value + 1 for name, value in trained.state_dict().items()}, tmp_path)
    model = FiberForQuestionAnswering(tiny_config, num_answers=7)
    before = {name: value.clone() for name, value in model.classifier.state_dict().items()}
    report = initialize_task(model, question_answering_names(tiny_config), path, window_size=4)
    assert all(torch.equal(value, before[name]) for name, value in model.classifier.state_dict().items())
    assert torch.equal(model.backbone.image.norm.weight, trained.backbone.image.norm.weight + 1)
    assert set(report.fresh) == {f"classifier.{name}" for name in before}
    again = FiberForVisualReasoning(tiny_config)
    initialize_task(again, visual_reasoning_names(tiny_config), path, window_size=4)
    assert torch.equal(again.classifier.layers[0].weight, trained.classifier.layers[0].weight + 1)


def test_a_sharded_checkpoint_is_refused_with_the_command_that_joins_it(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints" / "best.ckpt"
    folder.mkdir(parents=True)
    (folder / "meta.pt").touch()
    for given in (tmp_path, folder):
        with pytest.raises(UserError, match=r"init_from=.*best.ckpt is sharded .*dcp_to_torch .*best_whole.ckpt"):
            find_checkpoint_file(str(given))


def test_position_biases_follow_the_image_size(
    tiny_config: FusionConfig, pretrained: FiberForPretraining, tmp_path: Path
) -> None:
    model = FiberForRetrieval(tiny_config.with_window(6))
    path = save(own_format(pretrained), tmp_path)
    report = initialize_task(model, retrieval_names(tiny_config), path, window_size=6)
    name = "backbone.image.blocks.2.attention.relative_position_bias"
    assert torch.equal(model.state_dict()[name], resize_position_bias(pretrained.state_dict()[name], 6))
    assert len(report.resized) == tiny_config.image.num_blocks


def test_a_checkpoint_without_the_backbone_is_refused(tiny_config: FusionConfig, tmp_path: Path) -> None:
    path = save({"model.matching_head.classifier.bias": torch.zeros(2)}, tmp_path)
    with pytest.raises(UserError, match=r"coarse.ckpt lacks \d+ tensors of this model's backbone"):
        initialize_task(FiberForRetrieval(tiny_config), retrieval_names(tiny_config), path, window_size=4)


def test_a_checkpoint_of_another_vocabulary_is_refused(tiny_config: FusionConfig, tmp_path: Path) -> None:
    trained = FiberForRetrieval(tiny_config.with_vocabulary(60))
    path = save({f"model.{name}": value for name, value in trained.state_dict().items()}, tmp_path)
    with pytest.raises(UserError, match=r"word.weight is \(60, 16\), this model's is \(50, 16\).*tokenizer.path"):
        initialize_task(FiberForRetrieval(tiny_config), retrieval_names(tiny_config), path, window_size=4)


def test_a_run_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no checkpoint: give the directory of a run"):
        find_checkpoint_file(str(tmp_path))
