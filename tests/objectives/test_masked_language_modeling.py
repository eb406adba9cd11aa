"""Token loss and accuracy."""

import torch
import torch.nn.functional as F

from fiber.objectives.masked_language_modeling import token_accuracy, token_loss


def test_loss_is_the_mean_over_selected_tokens() -> None:
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, -100, 4], [-100, -100, 0]])
    expected = torch.stack([F.cross_entropy(logits[i, j], labels[i, j]) for i, j in ((0, 0), (0, 2), (1, 2))]).mean()
    torch.testing.assert_close(token_loss(logits, labels), expected)


def test_a_batch_without_selected_tokens_costs_nothing() -> None:
    logits = torch.randn(2, 3, 5, requires_grad=True)
    loss = token_loss(logits, torch.full((2, 3), -100))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and torch.equal(logits.grad, torch.zeros_like(logits))


def test_accuracy_counts_selected_tokens_only() -> None:
    logits = F.one_hot(torch.tensor([[0, 1, 2, 3]]), 5).float()
    right, selected = token_accuracy(logits, torch.tensor([[0, 4, -100, 3]]))
    assert (right.item(), selected.item()) == (2, 3)
