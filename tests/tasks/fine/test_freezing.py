"""What a recipe leaves as it was."""

from dataclasses import replace
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from fiber.models.config import FusionConfig
from fiber.models.fusion_backbone import FusionBackbone
from fiber.tasks.fine.freezing import freeze_image_stages, freeze_others, frozen_image_modules


@pytest.fixture
def backbone(tiny_config: FusionConfig) -> FusionBackbone:
    image = replace(tiny_config.image, depths=(2, 1, 3, 1), drop_path=0.4)
    return FusionBackbone(replace(tiny_config, image=image))


def frozen(backbone: FusionBackbone) -> set[str]:
    """Beginnings of the names of what is not trained."""
    names = [name for name, parameter in backbone.named_parameters() if not parameter.requires_grad]
    return {".".join(name.split(".")[: 2 if "patch" in name else 3]) for name in names}


@pytest.mark.parametrize(
    ("num_stages", "expected"),
    [
        (None, set()),
        (0, {"image.patch_embedding"}),
        (1, {"image.patch_embedding", "image.blocks.0", "image.blocks.1", "image.merges.0"}),
        (
            2,
            {"image.patch_embedding", "image.merges.0", "image.merges.1"} | {f"image.blocks.{i}" for i in range(3)},
        ),
    ],
)
def test_patches_and_whole_stages_are_frozen(
    backbone: FusionBackbone, num_stages: int | None, expected: set[str]
) -> None:
    freeze_image_stages(backbone, num_stages)
    assert frozen(backbone) == expected
    for name, parameter in backbone.named_parameters():
        if any(name.startswith(f"{part}.") for part in expected):
            assert not parameter.requires_grad, name
    still = {id(module) for part in frozen_image_modules(backbone, num_stages) for module in part.modules()}
    for module in backbone.modules():
        assert module.training == (id(module) not in still)


def test_a_frozen_stage_has_no_chance_in_it(backbone: FusionBackbone) -> None:
    freeze_image_stages(backbone, 1)
    x = torch.randn(8, 8, 8, 8)
    block = backbone.image.blocks[1]  # whose stochastic depth is not 0
    assert torch.equal(block(x), block(x))
    block.train()
    assert not torch.equal(block(x), block(x))


def test_a_module_is_at_rest_only_if_nothing_in_it_is_trained() -> None:
    first, second, plain = nn.Sequential(nn.Linear(2, 2), nn.Dropout()), nn.Sequential(nn.Linear(2, 2)), nn.Dropout()
    inner = nn.Sequential(first, second)
    model = nn.Sequential(inner, plain)
    bias = first[0].bias
    assert isinstance(bias, nn.Parameter)
    freeze_others(model, [bias])
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == ["0.0.0.bias"]
    assert all(module.training for module in (model, inner, *first.modules(), plain))
    assert not any(module.training for module in second.modules())


class Task(pl.LightningModule):
    """Trains a little with a validation in between, as the fine stage does."""

    def __init__(self, backbone: FusionBackbone) -> None:
        super().__init__()
        self.backbone = backbone
        freeze_image_stages(backbone, 1)
        self.modes: list[tuple[bool, bool]] = []

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        blocks = self.backbone.image.blocks
        self.modes.append((blocks[1].training, blocks[2].training))
        return self.backbone.encode_image(batch).state.square().mean()

    def validation_step(self, batch: Tensor, batch_index: int) -> None:
        assert not self.backbone.training

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=0.1)


@pytest.mark.filterwarnings("ignore")
def test_frozen_parts_stay_as_they_were_through_training_and_validation(
    backbone: FusionBackbone, tmp_path: Path
) -> None:
    task = Task(backbone)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    data = DataLoader(torch.randn(6, 3, 32, 32), batch_size=2)  # type: ignore[arg-type]
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(task, data, data)
    assert task.modes == [(False, True)] * 6
    parts = frozen(backbone)
    for name, value in backbone.state_dict().items():
        if any(name.startswith(f"{part}.") for part in parts):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(backbone.image.merges[1].reduction.weight, before["image.merges.1.reduction.weight"])
