"""Re-ranking against its definition, list by list."""

import pytest
import torch
from torch import Tensor

from fiber.evaluation.reranking import candidate_floors, candidates, reranked
from fiber.evaluation.retrieval import ScoreTable, image_ranks, text_ranks

NUM_IMAGES, NUM_TEXTS = 12, 24


@pytest.fixture
def scores() -> tuple[Tensor, Tensor, Tensor]:
    """Contrastive and matching scores that agree by half, and the image of each text."""
    generator = torch.Generator().manual_seed(0)
    text_image = torch.arange(NUM_TEXTS) % NUM_IMAGES
    own = (text_image == torch.arange(NUM_IMAGES)[:, None]) * 1.0
    noise = torch.randn(2, NUM_IMAGES, NUM_TEXTS, generator=generator)
    return own + noise[0], 8 * (own + noise[1]), text_image


def table(scores: Tensor, text_image: Tensor) -> ScoreTable:
    return ScoreTable(torch.arange(NUM_IMAGES), text_image, lambda rows: scores[rows])


def reranked_order(contrastive: Tensor, matching: Tensor, k: int) -> list[int]:
    """The k best by the one, sorted by the other; then the rest."""
    order = contrastive.argsort(descending=True).tolist()
    return sorted(order[:k], key=lambda index: -matching[index].item()) + order[k:]


@pytest.mark.parametrize("top_k", [1, 4, 12, 100])
def test_order_is_that_of_sorting_twice(scores: tuple[Tensor, Tensor, Tensor], top_k: int) -> None:
    contrastive, matching, text_image = scores
    by_embedding = table(contrastive, text_image)
    floors = candidate_floors(by_embedding, top_k)
    texts, images = reranked(by_embedding, lambda rows: matching[rows], floors)
    everything = slice(0, NUM_IMAGES)
    for image, row in enumerate(texts.rows(everything)):
        expected = reranked_order(contrastive[image], matching[image], top_k)
        assert row.argsort(descending=True).tolist() == expected
        assert text_ranks(texts)[image] == min(expected.index(text) for text in (image, image + NUM_IMAGES))
    for text, column in enumerate(images.rows(everything).T):
        expected = reranked_order(contrastive[:, text], matching[:, text], top_k)
        assert column.argsort(descending=True).tolist() == expected
        assert image_ranks(images)[text] == expected.index(int(text_image[text]))


def test_matching_scores_of_others_are_of_no_account(scores: tuple[Tensor, Tensor, Tensor]) -> None:
    contrastive, matching, text_image = scores
    by_embedding = table(contrastive, text_image)
    floors = candidate_floors(by_embedding, 3)
    partly = torch.full_like(matching, -torch.inf)
    for image in range(NUM_IMAGES):
        wanted = candidates(by_embedding, floors, image)
        partly[image, wanted] = matching[image, wanted]
    assert partly.isinf().sum() > NUM_IMAGES * NUM_TEXTS / 3
    for whole, part in zip(
        reranked(by_embedding, lambda rows: matching[rows], floors),
        reranked(by_embedding, lambda rows: partly[rows], floors),
        strict=True,
    ):
        assert torch.equal(whole.rows(slice(0, NUM_IMAGES)), part.rows(slice(0, NUM_IMAGES)))


def test_those_that_share_the_last_place_stay_below() -> None:
    contrastive = torch.tensor([[3.0, 2.0, 2.0, 1.0]])
    by_embedding = ScoreTable(torch.arange(1), torch.zeros(4, dtype=torch.int64), lambda rows: contrastive[rows])
    floors = candidate_floors(by_embedding, 2)
    assert (contrastive > floors.of_images).tolist() == [[True, False, False, False]]
    equal = ScoreTable(torch.arange(2), torch.zeros(3, dtype=torch.int64), lambda rows: torch.ones(2, 3)[rows])
    assert len(candidates(equal, candidate_floors(equal, 1), 0)) == 1  # there is always one
