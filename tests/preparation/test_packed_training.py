"""Training from shards is training from the data set that they were packed from."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from fiber.data.readers.packed_index import ShardLimits
from fiber.preparation.packing import pack_shards
from fiber.tasks.training import prepare

from ..tasks.composing import composed

STEPS = 3
FAST = ("optimization.batch_size=2", "trainer.batch_size=2", f"optimization.max_steps={STEPS}")
CAPTIONS = ("data=coco", "data.train.0.split=train")
QUESTIONS = (
    "data=coarse_vqa",
    "data.val.question_file=${data_dir}/vqav2/v2_OpenEnded_mscoco_minival_questions.json",
    "data.val.annotation_file=${data_dir}/vqav2/v2_mscoco_minival_annotations.json",
)
STATEMENTS = ("data=coarse_nlvr2", "data.train.0.annotation_file=${data_dir}/nlvr2/data/dev.json")


class Recorder(pl.Callback):
    """Content and loss of every training batch."""

    def __init__(self) -> None:
        self.batches: list[list[torch.Tensor]] = []
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append([tensor.clone() for tensor in tensors(batch)])
        self.losses.append(outputs["loss"].item())


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors of a batch."""
    if isinstance(value, torch.Tensor):
        yield value
    elif dataclasses.is_dataclass(value):
        yield from tensors(vars(value))
    elif isinstance(value, Mapping):
        yield from tensors(tuple(value.values()))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from tensors(item)


def trained(config: DictConfig) -> Recorder:
    """The first steps of a run."""
    run, recorder = prepare(config), Recorder()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=STEPS,
        limit_val_batches=0,
        callbacks=[recorder],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(run.task, run.data_module)
    return recorder


@pytest.mark.parametrize(
    ("task", "folder", "packed"),
    [
        (["task=pretrain"], CAPTIONS, ["data=packed"]),
        (["task=vqa", "data.min_answer_count=4"], QUESTIONS, ["data=packed_questions", "trainer.num_workers=2"]),
        (["task=nlvr2"], STATEMENTS, ["data=packed"]),
        (
            ["stage=fine", "task=coco", "transform.short_sides=[64]"],
            ["data=fine_coco", "data.all_classes=false"],
            ["data=packed_boxes"],
        ),
    ],
    ids=["captions", "questions-by-workers", "statements", "objects"],
)
def test_a_run_from_shards_is_the_run_from_the_folder(
    shared: Path, tmp_path: Path, task: list[str], folder: Sequence[str], packed: list[str]
) -> None:
    run = tmp_path / "run"
    config = composed([*FAST, *task, *folder, f"data_dir={shared / 'data/mini'}"], run)
    for split, reader in (("train", config.data.train[0]), ("val", config.data.val)):
        pack_shards(instantiate(reader), tmp_path / split, limits=ShardLimits(25, None))
    expected = trained(config)
    found = trained(composed([*FAST, *task, *packed, f"data_dir={tmp_path}"], run))
    assert found.losses == expected.losses and len(set(found.losses)) == STEPS
    for batch, same in zip(expected.batches, found.batches, strict=True):
        assert len(batch) >= 3 and all(map(torch.equal, batch, same))
