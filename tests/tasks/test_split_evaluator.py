"""Every sample of a split counts once, whoever judges it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from fiber.tasks import split_evaluator
from fiber.tasks.coarse.sheet_evaluator import SheetEvaluator
from fiber.tasks.coarse.sheets import SheetLine, SheetRow
from fiber.utils.errors import UserError


class Batch(NamedTuple):
    sample: Tensor


class Squares(SheetEvaluator[Batch, int]):
    """The result of a sample is its square."""

    monitored = "square/mean"

    def judge(self, model: nn.Module, batch: Batch) -> Mapping[int, int]:
        assert not torch.is_grad_enabled()
        return {index: index**2 for index in batch.sample.tolist()}

    def summarize(self, results: Sequence[int]) -> dict[str, float]:
        return {"square/mean": sum(results) / len(results)}

    def draw(self, batch: Batch, results: Sequence[int]) -> list[SheetRow]:
        return [SheetRow((), (SheetLine(str(result)),)) for result in results]

    def result_files(self, results: Sequence[int]) -> dict[str, str]:
        return {"squares.txt": " ".join(map(str, results))}


def judged(*samples: int, size: int) -> Squares:
    evaluator = Squares("numbers", num_samples=size)
    for first in range(0, len(samples), 2):
        evaluator.add(nn.Identity(), Batch(torch.tensor(samples[first : first + 2])), number=0)
    return evaluator


def test_results_come_in_the_order_of_the_split() -> None:
    evaluator = judged(4, 0, 2, 1, 3, size=5)
    result = evaluator.finish()
    assert result.metrics == {"square/mean": 6.0}
    assert result.files == {"squares.txt": "0 1 4 9 16"}
    assert [row.lines[0].text for row in evaluator.sheet()] == ["16", "0"]


def test_the_results_of_all_processes_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    other = judged(1, 3, size=5).results
    others = iter((other, None))  # the results, and what they are summed up to
    monkeypatch.setattr(split_evaluator, "gather_objects", lambda mine: [mine, next(others)])
    assert judged(0, 4, 2, size=5).finish().files == {"squares.txt": "0 1 4 9 16"}


def test_a_second_split_starts_anew() -> None:
    evaluator = judged(0, 1, size=2)
    evaluator.finish()
    evaluator.add(nn.Identity(), Batch(torch.tensor([1, 0])), number=0)
    assert evaluator.finish().files == {"squares.txt": "0 1"}


def test_nothing_judged_is_an_error() -> None:
    with pytest.raises(UserError, match="numbers: nothing was evaluated"):
        judged(size=3).finish()


@pytest.mark.parametrize("samples", [(0, 1), (0, 1, 1, 2), (0, 1, 2, 3)])
def test_a_sample_missing_doubled_or_unknown_never_passes(samples: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError, match="judged"):
        judged(*samples, size=3).finish()
