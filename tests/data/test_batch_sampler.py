"""Which pairs every process sees, and when."""

from collections.abc import Iterable
from itertools import chain, pairwise, zip_longest

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from fiber.data.batch import PairSample, SampleKey
from fiber.data.batch_sampler import EvaluationBatchSampler, TrainingBatchSampler, batch_by_group
from fiber.data.mixture import Mixture
from fiber.utils.errors import UserError


class Keys(Dataset[PairSample]):
    """Samples that know nothing but their keys."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, key: SampleKey) -> PairSample:
        return PairSample(torch.zeros(0), "", 0, key, ())


def mixture(*sizes: int, weights: list[float] | None = None) -> Mixture:
    return Mixture([Keys(size) for size in sizes], weights=weights)


def test_the_number_of_processes_does_not_change_the_global_batches() -> None:
    source = mixture(23)
    whole = list(TrainingBatchSampler(source, batch_size=6, seed=1))
    halves = [list(TrainingBatchSampler(source, batch_size=3, seed=1, rank=rank, world_size=2)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*halves, strict=True)] == whole


def test_an_epoch_draws_every_pair_at_most_once_and_numbers_the_draws() -> None:
    sampler = TrainingBatchSampler(mixture(23), batch_size=5, seed=1)
    keys = list(chain(*sampler))
    assert len({key.sample for key in keys}) == len(keys) == 20
    assert [key.draw for key in keys] == list(range(20))
    sampler.set_epoch(1)
    again = list(chain(*sampler))
    assert [key.draw for key in again] == list(range(20, 40))
    assert [key.sample for key in again] != [key.sample for key in keys]


def test_a_resumed_epoch_yields_the_rest_and_keeps_its_length() -> None:
    sampler = TrainingBatchSampler(mixture(20), batch_size=4, seed=1)
    whole = list(sampler)
    sampler.start_batch = 3
    assert len(sampler) == 5
    assert list(sampler) == whole[3:]
    assert list(sampler) == whole  # the next epoch is whole again


def test_weights_set_the_share_of_draws_and_no_pass_repeats() -> None:
    order = mixture(1000, 100, weights=[1, 1]).epoch_order(seed=0, epoch=0)
    small = order[order >= 1000]
    assert abs(len(small) / len(order) - 0.5) < 0.05
    assert len(set(small[:100].tolist())) == 100
    large = order[order < 1000]
    assert len(set(large.tolist())) == len(large)


def test_evaluation_sees_every_pair_once_over_all_processes() -> None:
    parts = [EvaluationBatchSampler(11, batch_size=2, rank=rank, world_size=3) for rank in range(3)]
    seen = sorted(key.sample for part in parts for batch in part for key in batch)
    assert seen == list(range(11))


def test_evaluation_gives_every_process_as_many_batches() -> None:
    parts = [EvaluationBatchSampler(70, batch_size=32, rank=rank, world_size=2) for rank in range(2)]
    assert [[len(batch) for batch in part] for part in parts] == [[17, 17], [18, 18]]
    assert [len(batch) for batch in EvaluationBatchSampler(512, batch_size=32)] == [32] * 16


def indices(sampler: Iterable[list[SampleKey]]) -> list[list[int]]:
    return [[key.sample for key in batch] for batch in sampler]


EVALUATIONS = [
    (size, batch_size, world_size)
    for size in (1, 2, 3, 5, 11, 12, 70)
    for batch_size in (1, 2, 4, 32)
    for world_size in (1, 2, 3, 5)
    if size >= world_size
]


@pytest.mark.parametrize(
    ("size", "batch_size", "world_size"), [one for one in EVALUATIONS if -(-one[0] // one[1]) >= one[2]]
)
def test_batches_are_the_same_whatever_the_number_of_processes(size: int, batch_size: int, world_size: int) -> None:
    whole = indices(EvaluationBatchSampler(size, batch_size=batch_size, even=False))
    assert list(chain(*whole)) == list(range(size))
    assert all(1 <= len(batch) <= batch_size for batch in whole)
    options = {"batch_size": batch_size, "world_size": world_size, "even": False}
    parts = [EvaluationBatchSampler(size, rank=rank, **options) for rank in range(world_size)]  # type: ignore[arg-type]
    assert [len(part) for part in parts] == [len(indices(part)) for part in parts]
    assert [batch for turn in zip_longest(*map(indices, parts)) for batch in turn if batch is not None] == whole


@pytest.mark.parametrize(("size", "batch_size", "world_size"), EVALUATIONS)
def test_no_process_is_without_a_batch(size: int, batch_size: int, world_size: int) -> None:
    options = {"batch_size": batch_size, "world_size": world_size, "even": False}
    parts = [indices(EvaluationBatchSampler(size, rank=rank, **options)) for rank in range(world_size)]  # type: ignore[arg-type]
    assert all(part and all(part) for part in parts)
    assert sorted(chain(*chain(*parts))) == list(range(size))


@pytest.mark.parametrize(("size", "batch_size", "world_size"), EVALUATIONS)
def test_processes_that_go_in_step_get_as_many_batches_and_none_without_samples(
    size: int, batch_size: int, world_size: int
) -> None:
    options = {"batch_size": batch_size, "world_size": world_size, "even": True}
    parts = [indices(EvaluationBatchSampler(size, rank=rank, **options)) for rank in range(world_size)]  # type: ignore[arg-type]
    assert len({len(part) for part in parts}) == 1
    sizes = [len(batch) for part in parts for batch in part]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1
    assert sorted(chain(*chain(*parts))) == list(range(size))


def test_samples_that_do_not_divide_one_by_one_share_a_batch() -> None:
    parts = [indices(EvaluationBatchSampler(5, batch_size=1, rank=rank, world_size=2)) for rank in range(2)]
    assert parts == [[[0], [2]], [[1], [3, 4]]]


def test_an_epoch_has_whole_optimiser_steps_of_accumulated_batches() -> None:
    source = mixture(23)
    every = [[key.sample for key in batch] for batch in TrainingBatchSampler(source, batch_size=3, seed=1)]
    whole = TrainingBatchSampler(source, batch_size=3, seed=1, accumulate=2)
    assert (len(every), len(whole)) == (7, 6)
    assert indices(whole) == every[:6]
    whole.set_epoch(1)
    assert [key.draw for key in chain(*whole)] == list(range(18, 36))
    halves = [
        list(TrainingBatchSampler(source, batch_size=3, seed=1, rank=rank, world_size=2, accumulate=3))
        for rank in (0, 1)
    ]
    assert [len(half) for half in halves] == [3, 3]
    assert [one for turn in zip(*halves, strict=True) for one in indices(turn)] == every[:6]


def test_fewer_samples_than_an_accumulated_step_are_refused() -> None:
    with pytest.raises(UserError, match="hold 23 samples, fewer than one step of 24"):
        TrainingBatchSampler(mixture(23), batch_size=3, seed=0, world_size=2, accumulate=4)


def test_fewer_pairs_than_a_batch_are_refused() -> None:
    with pytest.raises(UserError, match=r"hold 7 samples, fewer than one step of 8: lower optimization\.batch_size"):
        TrainingBatchSampler(mixture(7), batch_size=4, seed=0, world_size=2)


def test_batches_hold_one_group_in_the_order_in_which_they_fill_and_leftovers_come_last() -> None:
    order = np.array([6, 2, 5, 0, 3, 1, 4])
    groups = np.array([1, 0, 0, 0, 0, 1, 1])  # of the samples in this order
    # The original has [6, 1], [2, 5], [0, 3], by their first samples, and drops 4.
    assert batch_by_group(order, groups, 2).tolist() == [2, 5, 0, 3, 6, 1, 4]
    assert batch_by_group(order, groups, 3).tolist() == [2, 5, 0, 6, 1, 4, 3]
    assert batch_by_group(order, groups, 5).tolist() == order.tolist()  # no group fills a batch


def grouped(groups: list[int], **options: int) -> TrainingBatchSampler:
    return TrainingBatchSampler(mixture(len(groups)), seed=1, groups=np.array(groups), **options)


GROUPS = [0] * 13 + [1] * 8
"""Batches of four: three wide, two high, and a sample is left."""


def test_groups_lose_no_more_samples_than_there_would_be_without() -> None:
    sampler = grouped(GROUPS, batch_size=4)
    for epoch in range(4):
        sampler.set_epoch(epoch)
        batches = [[key.sample for key in batch] for batch in sampler]
        assert [len(batch) for batch in batches] == [4] * len(sampler) == [4] * 5
        assert len(set(chain(*batches))) == 20
        kinds = [{GROUPS[sample] for sample in batch} for batch in batches]
        assert sorted(map(len, kinds)) == [1] * 5
    tight = grouped([0] * 6 + [1] * 6, batch_size=4)
    kinds = [{int(key.sample >= 6) for key in batch} for batch in tight]
    assert list(map(len, kinds)) == [1, 1, 2]  # what no group fills is trained on all the same


def test_wide_and_high_batches_take_turns() -> None:
    sampler = grouped([0, 1] * 40, batch_size=2)
    kinds = [batch[0].sample % 2 for batch in sampler]
    assert sum(one != other for one, other in pairwise(kinds)) > 10


def test_groups_fill_global_batches_so_that_all_processes_see_one_group_at_a_time() -> None:
    whole = list(grouped(GROUPS, batch_size=4))
    halves = [list(grouped(GROUPS, batch_size=2, rank=rank, world_size=2)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*halves, strict=True)] == whole


def test_a_resumed_epoch_of_groups_yields_the_rest() -> None:
    sampler = grouped(GROUPS, batch_size=4)
    sampler.set_epoch(2)
    whole = list(sampler)
    resumed = grouped(GROUPS, batch_size=4)
    resumed.set_epoch(2)
    resumed.start_batch = 2
    assert list(resumed) == whole[2:]
    assert [key.draw for key in chain(*whole)] == list(range(40, 60))


class Recorder(pl.LightningModule):
    """Notes the draws of every batch it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.draws: list[list[int]] = []

    def training_step(self, batch: list[PairSample], index: int) -> torch.Tensor:
        self.draws.append([sample.key.draw for sample in batch])
        return self.weight.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def test_lightning_moves_the_sampler_from_epoch_to_epoch() -> None:
    source = mixture(8)
    loader = DataLoader(source, batch_sampler=TrainingBatchSampler(source, batch_size=4, seed=0), collate_fn=list)
    recorder = Recorder()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(max_epochs=3, accelerator="cpu", use_distributed_sampler=False, **options).fit(recorder, loader)
    assert list(chain(*recorder.draws)) == list(range(24))
