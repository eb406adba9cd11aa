"""Captioning as a Lightning module."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from fiber.data.caption_batch import CaptionBatch
from fiber.data.normalization import normalize_pixels
from fiber.models.captioning_model import FiberForCaptioning
from fiber.objectives.caption_reward import CaptionRewardObjective
from fiber.objectives.captioning import CaptionInputs, CaptionObjective
from fiber.tasks.coarse.fine_tuning import FineTuning
from fiber.utils.errors import UserError

OBJECTIVE_KEY = "caption_objective"


class CaptionFineTuning(FineTuning):
    """Captions learned by likelihood, GOLD or CIDEr-D.

    Args:
        model: the network.
        objective: how the losses are computed.
        arguments: of `FineTuning`.
    """

    model: FiberForCaptioning

    def __init__(self, model: FiberForCaptioning, *, objective: CaptionObjective, **arguments: Any) -> None:
        super().__init__(model, **arguments)
        self.objective = objective

    def idle_modules(self) -> Iterator[nn.Module]:
        """Captions do not pass through the layers that fuse pairs."""
        yield from self.model.idle_modules()

    def shard(self, mesh: DeviceMesh) -> None:
        raise UserError(
            "trainer=fsdp: captions are written token by token, on every process until its own have ended, and sharded "
            "weights would have to be gathered together. Give trainer=ddp."
        )

    def losses(self, batch: CaptionBatch) -> dict[str, Tensor]:
        inputs = CaptionInputs(
            normalize_pixels(batch.image), batch.text_ids, batch.text_mask, batch.references, batch.draw
        )
        losses = self.objective.losses(self.model, inputs, step=self.global_step)
        if isinstance(self.objective, CaptionRewardObjective):
            self.log("train/reward", self.objective.mean_reward, batch_size=len(batch), sync_dist=True)
        return losses

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = self.objective.state()
        if state is not None:
            checkpoint[OBJECTIVE_KEY] = state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if OBJECTIVE_KEY in checkpoint:
            self.objective.restore(checkpoint[OBJECTIVE_KEY])
