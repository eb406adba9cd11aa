"""What every training task offers to the run around it."""

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.trainer.states import TrainerFn
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from fiber.data.tokenization import TextTokenizer
from fiber.models.fusion_backbone import FusionBackbone
from fiber.tasks.optimizer import OptimizationConfig, RecipeSchedule, configure_optimizer


class TrainingTask(pl.LightningModule):
    """A model with its objective, its validation and its sample predictions.

    Args:
        model: the network, which knows nothing of training.
        optimization: optimiser, groups and schedule.
        tokenizer: of the model's texts.
    """

    def __init__(self, model: nn.Module, *, optimization: OptimizationConfig, tokenizer: TextTokenizer) -> None:
        super().__init__()
        self.model = model
        self.optimization = optimization
        self.tokenizer = tokenizer
        self.metrics: dict[str, float] = {}
        """Of the last validation."""
        self.validated_step = -1

    @property
    @abstractmethod
    def backbone(self) -> FusionBackbone:
        """The fused backbone inside the model."""

    @property
    @abstractmethod
    def monitored(self) -> str:
        """The metric by which the best model is chosen; more is better."""

    @property
    def needs_negatives(self) -> bool:
        """Whether samples of a micro-batch are contrasted with each other."""
        return False

    @abstractmethod
    def shard(self, mesh: DeviceMesh) -> None:
        """Shard the model over the processes of `mesh`, in place."""

    @abstractmethod
    def draw_predictions(self) -> Image.Image | None:
        """A few predictions of the last validation for people to look at; None before the first."""

    def configure_model(self) -> None:
        """Shard the model where the strategy asks for it; Lightning calls this before every fit and validation."""
        if self.device_mesh is not None and not isinstance(self.backbone, FSDPModule):
            # Lightning's own mesh takes the devices of a node for tensor parallelism; all of them hold data here.
            self.shard(init_device_mesh(self.trainer.strategy.root_device.type, (self.trainer.world_size,)))

    def configure_optimizers(self) -> Any:
        return configure_optimizer(self.model, self.optimization)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients together.

        Lightning's own refuses fused optimisers in mixed precision, because of a gradient scaler that bfloat16 lacks.
        """
        if gradient_clip_val is not None:
            clip_grad_norm_([value for group in optimizer.param_groups for value in group["params"]], gradient_clip_val)

    def on_train_start(self) -> None:
        # The checkpoint of a run that its plateau has ended, given to be resumed: there is nothing left to do.
        self.stop_if_exhausted()

    @property
    def schedule(self) -> RecipeSchedule:
        """Of the fit in progress."""
        schedule = self.lr_schedulers()
        assert isinstance(schedule, RecipeSchedule)
        return schedule

    def record_metrics(self, metrics: dict[str, float]) -> None:
        """Keep and log what a validation found; the same on every process.

        Within a fit the schedule learns of the monitored metric, and ends the run where it has stopped improving.
        """
        self.metrics = metrics
        self.validated_step = self.trainer.global_step
        # Every process holds the same values already; reducing them tells Lightning so.
        self.log_dict(metrics, sync_dist=True)
        if self.trainer.state.fn == TrainerFn.FITTING:
            self.schedule.observe(metrics[self.monitored])
            self.stop_if_exhausted()

    def stop_if_exhausted(self) -> None:
        """End the fit before its last step where the schedule says so; the same on every process."""
        if self.schedule.exhausted:
            self.trainer.should_stop = True
