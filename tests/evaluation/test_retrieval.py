"""Recall against counting by hand."""

import pytest
import torch

from fiber.evaluation.retrieval import RANKS, retrieval_recall


def recall_by_sorting(scores: torch.Tensor, text_image: torch.Tensor, k: int) -> tuple[float, float]:
    texts = [any(text_image[t] == i for t in row.argsort(descending=True)[:k]) for i, row in enumerate(scores)]
    images = [text_image[t] in column.argsort(descending=True)[:k] for t, column in enumerate(scores.T)]
    return sum(texts) / len(texts), sum(images) / len(images)


def test_recall_equals_sorting_with_several_texts_per_image() -> None:
    generator = torch.Generator().manual_seed(0)
    text_image = torch.arange(20).repeat_interleave(3)[torch.randperm(60, generator=generator)]
    scores = torch.randn(20, 60, generator=generator)
    recall = retrieval_recall(scores, text_image)
    for position, k in enumerate(RANKS):
        image_to_text, text_to_image = recall_by_sorting(scores, text_image, k)
        assert recall.image_to_text[position] == pytest.approx(image_to_text)
        assert recall.text_to_image[position] == pytest.approx(text_to_image)


def test_recall_of_perfect_scores_is_one() -> None:
    recall = retrieval_recall(torch.eye(12), torch.arange(12))
    assert recall.named()["mean_recall_1"] == 1.0


def test_a_collapsed_model_recalls_nothing() -> None:
    recall = retrieval_recall(torch.ones(12, 12), torch.arange(12))
    assert recall.image_to_text == (0.0, 0.0, 0.0)
    assert recall.text_to_image == (0.0, 0.0, 0.0)
