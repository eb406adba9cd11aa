"""Loss of answers."""

import torch
import torch.nn.functional as F

from fiber.objectives.question_answering import question_answering_loss


def test_loss_is_summed_over_answers_and_averaged_over_questions() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    probability = logits.sigmoid()
    expected = -(targets * probability.log() + (1 - targets) * (1 - probability).log()).sum(dim=1).mean()
    torch.testing.assert_close(question_answering_loss(logits, targets), expected)
    original = F.binary_cross_entropy_with_logits(logits, targets) * 5
    torch.testing.assert_close(question_answering_loss(logits, targets), original)


def test_half_precision_is_left_before_the_loss() -> None:
    logits, targets = torch.full((1, 3000), 8.0), torch.ones(1, 3000)
    exact = question_answering_loss(logits, targets)
    torch.testing.assert_close(question_answering_loss(logits.bfloat16(), targets.bfloat16()), exact)
