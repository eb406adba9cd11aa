"""Judging statements, without a trained model."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from fiber.data.records import Statement
from fiber.data.statement_batch import StatementBatch
from fiber.tasks.coarse.nlvr2.evaluator import Nlvr2Evaluator


class Brighter(nn.Module):
    """Says that a statement is true where the left image is the brighter one."""

    def forward(self, pixels: Tensor, token_ids: Tensor, mask: Tensor) -> Tensor:
        left, right = pixels.mean(dim=(2, 3, 4)).unbind(1)
        return torch.stack([right, left], dim=1)


def batch(samples: Sequence[int], statements: Sequence[Statement], said: Sequence[bool]) -> StatementBatch:
    """Statements of which `Brighter` will say what `said` says."""
    shades = torch.tensor([[200, 100] if truth else [100, 200] for truth in said], dtype=torch.uint8)
    return StatementBatch(
        image=shades[:, :, None, None, None].expand(-1, 2, 3, 4, 4),
        text_ids=torch.zeros(len(samples), 2, dtype=torch.long),
        text_mask=torch.ones(len(samples), 2, dtype=torch.bool),
        is_true=torch.tensor([statement.is_true for statement in statements]),
        sample=torch.tensor(samples),
        statements=tuple(statements),
        broken=(),
    )


def judged(identifiers: Sequence[str]) -> Nlvr2Evaluator:
    """Three statements, of which the third is judged wrongly, and first."""
    first, second, third = (
        Statement(f"text {identifier}", is_true, identifier)
        for identifier, is_true in zip(identifiers, (True, False, False), strict=True)
    )
    evaluator = Nlvr2Evaluator("pairs", num_samples=3)
    evaluator.add(Brighter(), batch([2, 1], [third, second], [True, False]), number=0)
    evaluator.add(Brighter(), batch([0], [first], [True]), number=0)
    return evaluator


def test_identifiers_of_nlvr2_give_accuracy_and_consistency() -> None:
    metrics, files = judged(["dev-1-0-0", "dev-1-1-1", "dev-1-1-0"]).finish()
    assert metrics == pytest.approx({"nlvr2/accuracy": 2 / 3, "nlvr2/consistency": 1 / 2})
    assert files == {"predictions.csv": "dev-1-0-0,True\ndev-1-1-1,False\ndev-1-1-0,True\n"}


def test_other_identifiers_give_accuracy_alone() -> None:
    assert judged(["val-0", "val-1", "val-2"]).finish().metrics == pytest.approx({"nlvr2/accuracy": 2 / 3})


def test_the_picture_tells_right_from_wrong() -> None:
    rows = judged(["a", "b", "c"]).sheet()
    assert [[(line.text, line.verdict) for line in row.lines] for row in rows] == [
        [("text c", None), ("judged true", False)],
        [("text b", None), ("judged false", True)],
    ]
    assert [image.shape for image in rows[0].images] == [(3, 4, 4), (3, 4, 4)]
    assert [int(image[0, 0, 0]) for image in rows[0].images] == [200, 100]
