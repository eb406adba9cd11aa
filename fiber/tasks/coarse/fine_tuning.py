"""Fine-tuning of the coarse backbone for a task, as a Lightning module."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sized
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from fiber.data.tokenization import TextTokenizer
from fiber.models.fusion_backbone import FusionBackbone
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.sharding import shard_task_model
from fiber.tasks.split_evaluator import Evaluator
from fiber.tasks.task import TrainingTask
from fiber.utils.distributed import mean_over_processes


class FineTuning(TrainingTask):
    """A task with its losses; the evaluator judges a split.

    Logs `train/loss` and every single loss per step, and what the evaluator finds under `val/`.

    Args:
        model: the network, with its backbone under the name `backbone`.
        optimization: optimiser, groups and schedule.
        tokenizer: of the texts.
        evaluator: of the split that is validated on.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        optimization: OptimizationConfig,
        tokenizer: TextTokenizer,
        evaluator: Evaluator,
    ) -> None:
        super().__init__(model, optimization=optimization, tokenizer=tokenizer)
        self.evaluator = evaluator
        for module in self.idle_modules():
            module.requires_grad_(False)

    @abstractmethod
    def losses(self, batch: Any) -> Mapping[str, Tensor]:
        """Scalars by name (`vqa`); training minimises their sum."""

    def idle_modules(self) -> Iterator[nn.Module]:
        """Parts of the model that the losses never reach; they are left out of training.

        Those of the fused pass alone, unless a task says otherwise.
        """
        yield from idle_in_fused_pass(self.backbone)

    @property
    def backbone(self) -> FusionBackbone:
        backbone = self.model.backbone
        assert isinstance(backbone, FusionBackbone)
        return backbone

    @property
    def monitored(self) -> str:
        return f"val/{self.evaluator.monitored}"

    def shard(self, mesh: DeviceMesh) -> None:
        shard_task_model(self.model, mesh)

    def draw_predictions(self) -> Image.Image | None:
        return self.evaluator.picture()

    def training_step(self, batch: Sized, batch_index: int) -> Tensor:
        losses = self.losses(batch)
        total = torch.stack(list(losses.values())).sum()
        parts = mean_over_processes(torch.stack([total, *losses.values()]))
        names = ("train/loss", *(f"train/{name}_loss" for name in losses))
        self.log_dict(dict(zip(names, parts, strict=True)), batch_size=len(batch), prog_bar=True)
        return total

    def validation_step(self, batch: Any, batch_index: int, dataloader_idx: int = 0) -> None:
        self.evaluator.add(self.model, batch, number=dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        result = self.evaluator.finish(files=False)
        self.record_metrics({f"val/{name}": value for name, value in result.metrics.items()})


def idle_in_fused_pass(backbone: FusionBackbone) -> Iterator[nn.Module]:
    """What `fuse` never uses: the final norms of image and, in the coarse stage, text."""
    yield backbone.image.norm
    if not backbone.config.fused_text_final_norm:
        last = backbone.text.layers[-1]
        assert isinstance(last.output_norm, nn.Module)
        yield last.output_norm
