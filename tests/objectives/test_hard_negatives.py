"""How hard negatives are drawn."""

import torch

from fiber.objectives.contrastive import Similarities
from fiber.objectives.hard_negatives import draw_negatives, row_uniforms, sample_hard_negatives


def test_hard_negatives_never_pick_the_positive() -> None:
    similarity = torch.full((1000, 8), -3.0)
    positive = torch.arange(1000) % 8
    similarity[torch.arange(1000), positive] = 1000.0  # leaves the others no weight at all
    drawn = sample_hard_negatives(similarity, positive, torch.rand(1000, dtype=torch.float64))
    assert not (drawn == positive).any()
    assert drawn.bincount(minlength=8).min() > 50


def test_hard_negatives_follow_the_softmax() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    num_draws = 200_000
    uniform = torch.rand(num_draws, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = sample_hard_negatives(logits.expand(num_draws, -1), torch.full((num_draws,), 2), uniform)
    weights = logits.softmax(0)
    weights[2] = 0
    share = drawn.bincount(minlength=4) / num_draws
    torch.testing.assert_close(share, weights / weights.sum(), atol=0.005, rtol=0)


def test_excluded_candidates_are_never_drawn() -> None:
    similarity = torch.randn(500, 6)
    similarity[:, 4:] = -torch.inf
    drawn = sample_hard_negatives(similarity, torch.zeros(500, dtype=torch.long), torch.rand(500).double())
    assert set(drawn.tolist()) == {1, 2, 3}


def test_the_only_candidate_is_kept_where_there_is_no_other() -> None:
    drawn = sample_hard_negatives(torch.tensor([[1.0, -torch.inf]]), torch.tensor([0]), torch.tensor([0.5]).double())
    assert drawn.tolist() == [0]


def test_draws_depend_on_the_place_in_the_global_batch_alone() -> None:
    whole = row_uniforms(6, seed=3, step=5, rank=0, world_size=1)
    parts = [row_uniforms(2, seed=3, step=5, rank=rank, world_size=3) for rank in range(3)]
    torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.equal(whole, row_uniforms(6, seed=3, step=6, rank=0, world_size=1))
    assert not torch.equal(whole, row_uniforms(6, seed=4, step=5, rank=0, world_size=1))


def test_negative_images_resemble_the_text_and_negative_texts_the_image() -> None:
    like_image, like_text = torch.zeros(2, 4), torch.zeros(2, 4)
    like_image[:, 2], like_text[:, 3] = 50.0, 50.0
    similarity = Similarities(image_to_text=like_image, text_to_image=like_text)
    negatives = draw_negatives(similarity, torch.arange(2), seed=0, step=0)
    assert negatives.text_index.tolist() == [2, 2]
    assert negatives.image_index.tolist() == [3, 3]
