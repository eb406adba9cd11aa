"""Recall against counting by hand."""

from functools import partial

import pytest
import torch

from fiber.evaluation import retrieval
from fiber.evaluation.retrieval import (
    RANKS,
    ROWS_PER_BLOCK,
    ScoreTable,
    best_images,
    best_texts,
    retrieval_recall,
    table_recall,
    text_ranks,
)

from ..processes import run_as_processes


def recall_by_sorting(scores: torch.Tensor, text_image: torch.Tensor, k: int) -> tuple[float, float]:
    texts = [any(text_image[t] == i for t in row.argsort(descending=True)[:k]) for i, row in enumerate(scores)]
    images = [text_image[t] in column.argsort(descending=True)[:k] for t, column in enumerate(scores.T)]
    return sum(texts) / len(texts), sum(images) / len(images)


def make_scores(num_images: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random scores with three texts per image, in no order."""
    generator = torch.Generator().manual_seed(0)
    text_image = torch.arange(num_images).repeat_interleave(3)[torch.randperm(3 * num_images, generator=generator)]
    own = text_image == torch.arange(num_images)[:, None]
    return torch.randn(num_images, 3 * num_images, generator=generator) + 2 * own, text_image


@pytest.mark.parametrize("num_images", [20, ROWS_PER_BLOCK + 5])
def test_recall_equals_sorting_with_several_texts_per_image(num_images: int) -> None:
    scores, text_image = make_scores(num_images)
    recall = retrieval_recall(scores, text_image)
    for position, k in enumerate(RANKS):
        image_to_text, text_to_image = recall_by_sorting(scores, text_image, k)
        assert recall.image_to_text[position] == pytest.approx(image_to_text)
        assert recall.text_to_image[position] == pytest.approx(text_to_image)
    assert 0.1 < recall.text_to_image[0] < 0.9


def test_recall_of_perfect_scores_is_one() -> None:
    recall = retrieval_recall(torch.eye(12), torch.arange(12))
    assert recall.named()["mean_recall_1"] == 1.0


def test_a_collapsed_model_recalls_nothing() -> None:
    recall = retrieval_recall(torch.ones(12, 12), torch.arange(12))
    assert recall.image_to_text == (0.0, 0.0, 0.0)
    assert recall.text_to_image == (0.0, 0.0, 0.0)


def test_an_image_without_text_is_not_counted() -> None:
    scores = torch.tensor([[3.0, 1.0], [0.0, 2.0], [9.0, 9.0]])
    recall = retrieval_recall(scores, torch.tensor([0, 1]))
    assert recall.image_to_text[0] == 1.0  # of two images
    assert recall.text_to_image[0] == 0.0  # the third comes before both


def test_texts_of_one_image_that_tie_count_for_it() -> None:
    scores = torch.tensor([[2.0, 2.0, 1.0], [0.0, 0.0, 1.0]])
    table = ScoreTable(torch.arange(2), torch.tensor([0, 0, 1]), lambda rows: scores[rows])
    assert text_ranks(table).tolist() == [0, 0]


def part_of(scores: torch.Tensor, text_image: torch.Tensor, images: torch.Tensor) -> ScoreTable:
    own = scores[images]
    return ScoreTable(images, text_image, lambda rows: own[rows])


def test_processes_that_share_the_images_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, text_image = make_scores(21)
    whole = part_of(scores, text_image, torch.arange(21))
    parts = [part_of(scores, text_image, torch.arange(rank, 21, 2)) for rank in range(2)]
    expected = retrieval_recall(scores, text_image)
    assert table_recall(whole, whole) == expected
    images = best_images(whole, 4)
    recalls = run_as_processes([partial(table_recall, part, part) for part in parts], monkeypatch, retrieval)
    assert recalls == [expected, expected]
    for found in run_as_processes([partial(best_images, part, 4) for part in parts], monkeypatch, retrieval):
        assert torch.equal(found.indices, images.indices)
        assert torch.equal(found.scores, images.scores)


def test_the_best_are_those_of_sorting() -> None:
    scores, text_image = make_scores(ROWS_PER_BLOCK + 5)
    table = part_of(scores, text_image, torch.arange(len(scores)))
    assert torch.equal(best_texts(table, 3).indices, scores.argsort(dim=1, descending=True)[:, :3])
    assert torch.equal(best_images(table, 3).indices, scores.argsort(dim=0, descending=True)[:3].T)
    assert best_texts(table, 10**6).indices.shape == scores.shape  # all, where there are fewer
