"""Lightning's trainer for a run."""

import logging
import warnings
from pathlib import Path

import hydra
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import EMAWeightAveraging, LearningRateMonitor
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy
from pytorch_lightning.strategies import Strategy as LightningStrategy

from fiber.checkpoints.run_folder import LAST, checkpoint_folder
from fiber.tasks.accumulation import accumulation_steps
from fiber.tasks.callbacks.best_checkpoint import BestCheckpoint
from fiber.tasks.callbacks.broken_image_monitor import BrokenImageMonitor
from fiber.tasks.callbacks.defect_monitor import DefectMonitor
from fiber.tasks.callbacks.evaluation_progress import EvaluationProgress
from fiber.tasks.callbacks.finite_loss import FiniteLoss
from fiber.tasks.callbacks.last_checkpoint import LastCheckpoint
from fiber.tasks.callbacks.prediction_pictures import PredictionPictures
from fiber.tasks.callbacks.progress import TrainingProgress
from fiber.tasks.optimizer import OptimizationConfig
from fiber.tasks.trainer_config import Strategy, TrainerConfig
from fiber.utils.errors import UserError

PREDICTIONS = "predictions.png"
"""Sample predictions of the last validation, in a run's directory."""


def build_trainer(
    config: DictConfig,
    settings: TrainerConfig,
    optimization: OptimizationConfig,
    progress: TrainingProgress,
    *,
    monitored: str,
    num_samples: int,
    needs_negatives: bool,
) -> pl.Trainer:
    """Trainer with the recipe's batch made up by accumulation.

    Args:
        config: composed from `configs/train.yaml`.
        settings: the part of it that depends on the hardware.
        optimization: the recipe.
        progress: what a person watching sees.
        monitored: the metric by which the best model is kept.
        num_samples: of an epoch.
        needs_negatives: samples of a micro-batch are contrasted with each other.

    Raises:
        UserError: the recipe's batch cannot be made up, or weights are to be averaged and sharded.
    """
    if settings.strategy is Strategy.FSDP and optimization.ema_decay is not None:
        raise UserError(
            f"optimization.ema_decay={optimization.ema_decay} averages whole weights, trainer=fsdp has only parts of "
            "them: give optimization.ema_decay=null, or trainer=ddp."
        )
    silence_lightning()
    run_dir = Path(config.run_dir)
    trainer = pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=strategy(settings),
        precision=precision(settings),  # type: ignore[arg-type]
        max_steps=optimization.max_steps,
        logger=[build_logger(logger) for logger in config.logger.values()],
        callbacks=callbacks(
            run_dir, settings, optimization, progress, monitored=monitored, max_broken=config.data.max_broken
        ),
        gradient_clip_val=optimization.gradient_clip,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=settings.log_every,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run_dir,
        profiler=config.get("profiler"),
    )
    trainer.accumulate_grad_batches = accumulation_steps(
        batch_size=optimization.batch_size,
        device_batch_size=settings.batch_size,
        world_size=trainer.world_size,
        needs_negatives=needs_negatives,
    )
    epoch = max(1, num_samples // optimization.batch_size)
    val_every = min(settings.val_every or epoch, optimization.max_steps)
    trainer.val_check_interval = val_every * trainer.accumulate_grad_batches  # Lightning counts micro-batches
    return trainer


def build_evaluation_trainer(settings: TrainerConfig) -> pl.Trainer:
    """Trainer that judges.

    Raises:
        UserError: weights are to be sharded.
    """
    if settings.strategy is Strategy.FSDP:
        raise UserError("trainer=fsdp: every process judges with the whole model; give trainer=ddp.")
    silence_lightning()
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=strategy(settings),
        precision=precision(settings),  # type: ignore[arg-type]
        logger=False,
        callbacks=[EvaluationProgress()],
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def silence_lightning() -> None:
    """Leave out what a run says better itself, and warnings about matters that are taken care of."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*LeafSpec.*deprecated.*",  # inside Lightning
        ".*dataloader is not resumable.*",  # the sampler starts where the run stopped
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*exists and is not empty.*",  # a resumed run's checkpoints
        ".*in eval mode at the start of training.*",  # what a recipe freezes
        ".*WeightAveraging callback with a model that overrides.*",  # averaging and sharding exclude each other here
    ):
        warnings.filterwarnings("ignore", message)


def strategy(settings: TrainerConfig) -> str | LightningStrategy:
    """How processes share the work."""
    if settings.strategy is Strategy.FSDP:
        return ModelParallelStrategy()
    if settings.strategy is Strategy.DDP:
        return DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)
    return "auto"


def precision(settings: TrainerConfig) -> str:
    """Lightning's name of the precision."""
    if settings.precision != "auto":
        return settings.precision
    on_gpu = settings.accelerator != "cpu" and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu else "32-true"


def build_logger(config: DictConfig) -> Logger:
    """A logger from its `_target_`."""
    logger: Logger = hydra.utils.instantiate(config)
    return logger


def callbacks(
    run_dir: Path,
    settings: TrainerConfig,
    optimization: OptimizationConfig,
    progress: TrainingProgress,
    *,
    monitored: str,
    max_broken: float,
) -> list[pl.Callback]:
    """Best and last checkpoint, pictures, progress, watch on broken images, averaged weights."""
    folder = checkpoint_folder(run_dir)
    built: list[pl.Callback] = [
        progress,
        BrokenImageMonitor(max_share=max_broken),
        DefectMonitor(),
        FiniteLoss(every=settings.log_every),
        LearningRateMonitor(logging_interval="step"),
        PredictionPictures(run_dir / PREDICTIONS),
        # Before the last checkpoint, which holds the best value.
        BestCheckpoint(folder, monitored=monitored),
        LastCheckpoint(folder / LAST, every=settings.checkpoint_every),
    ]
    if optimization.ema_decay is not None:
        built.append(EMAWeightAveraging(decay=optimization.ema_decay))
    return built
