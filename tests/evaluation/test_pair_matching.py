"""Matching over cached trunks against whole passes, pair by pair."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from fiber.evaluation.pair_matching import match_all, match_some
from fiber.evaluation.text_trunks import TextTrunks
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.models.trunks import ImageTrunk

NUM_IMAGES, NUM_TEXTS = 4, 11


def make_texts() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(9) < torch.randint(3, 10, (NUM_TEXTS, 1), generator=generator)
    return torch.where(mask, torch.randint(4, 49, mask.shape, generator=generator), 1), mask


def make_pixels(dtype: torch.dtype) -> Tensor:
    return torch.randn(NUM_IMAGES, 3, 64, 64, generator=torch.Generator().manual_seed(1)).to(dtype)


def trunks(model: FiberForRetrieval, *, budget: int = 2**30) -> TextTrunks:
    texts = TextTrunks(model.backbone, *make_texts(), chunk_size=4, budget=budget)
    for _ in texts.encode_all():
        pass
    return texts


def encoded(model: FiberForRetrieval, dtype: torch.dtype = torch.float32) -> list[ImageTrunk]:
    return [model.backbone.encode_image(pixels) for pixels in torch.split(make_pixels(dtype), 1)]


def whole_passes(model: FiberForRetrieval, dtype: torch.dtype) -> Tensor:
    """Scores of every pair from pixels and padded tokens, one pair at a time."""
    pixels, (ids, mask) = make_pixels(dtype), make_texts()
    scores = torch.empty(NUM_IMAGES, NUM_TEXTS, dtype=dtype)
    for image in range(NUM_IMAGES):
        for text in range(NUM_TEXTS):
            fused = model.backbone.fuse(
                model.backbone.encode_image(pixels[image : image + 1]),
                model.backbone.encode_text(ids[text : text + 1], mask[text : text + 1]),
            )
            logits = model.matching_head(model.cross_modal_head(fused).pooled)[0]
            scores[image, text] = logits[1] - logits[0]
    return scores


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@torch.no_grad()
def test_cached_trunks_rank_as_whole_passes_do(retrieval_model: FiberForRetrieval, dtype: torch.dtype) -> None:
    model = retrieval_model.to(dtype)
    expected = whole_passes(model, dtype)
    scores = torch.empty(NUM_IMAGES, NUM_TEXTS, dtype=dtype)
    match_all(model, encoded(model, dtype), trunks(model), scores, lambda _: None)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-5)
    assert expected.std() > 0.01
    for axis in (0, 1):
        assert torch.equal(scores.argsort(dim=axis), expected.argsort(dim=axis))


@torch.no_grad()
def test_texts_beyond_the_budget_are_encoded_again_with_the_same_scores(
    retrieval_model: FiberForRetrieval, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, calls = encoded(retrieval_model), list[int]()
    encode = retrieval_model.backbone.encode_text
    cached, anew = trunks(retrieval_model), trunks(retrieval_model, budget=100)
    monkeypatch.setattr(
        retrieval_model.backbone, "encode_text", lambda ids, mask: (calls.append(len(ids)), encode(ids, mask))[1]
    )
    scores = torch.empty(2, NUM_IMAGES, NUM_TEXTS)
    match_all(retrieval_model, images, cached, scores[0], lambda _: None)
    assert calls == []
    match_all(retrieval_model, images, anew, scores[1], lambda _: None)
    assert calls == [4, 4, 3]  # once for all images
    assert torch.equal(scores[0], scores[1])


@torch.no_grad()
def test_the_budget_counts_real_tokens_only(retrieval_model: FiberForRetrieval) -> None:
    _, mask = make_texts()
    needed = int(mask.sum()) * 16 * 4  # width and bytes
    assert trunks(retrieval_model, budget=needed).packed is not None
    assert trunks(retrieval_model, budget=needed - 1).packed is None


@torch.no_grad()
def test_any_texts_are_selected_from_the_cache(retrieval_model: FiberForRetrieval) -> None:
    index = torch.tensor([7, 0, 7, 3])
    cached, anew = trunks(retrieval_model).select(index), trunks(retrieval_model, budget=0).select(index)
    assert torch.equal(cached.mask, anew.mask)
    torch.testing.assert_close(cached.state, anew.state * anew.mask[..., None], rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_score_depends_on_no_other_image(retrieval_model: FiberForRetrieval) -> None:
    images, texts = encoded(retrieval_model), trunks(retrieval_model)
    together, alone = torch.empty(2, NUM_IMAGES, NUM_TEXTS)
    match_all(retrieval_model, images, texts, together, lambda _: None)
    for row in range(NUM_IMAGES):
        match_all(retrieval_model, images[row : row + 1], texts, alone[row : row + 1], lambda _: None)
    assert torch.equal(together, alone)


@torch.no_grad()
def test_only_wanted_pairs_are_matched_and_all_of_them(retrieval_model: FiberForRetrieval) -> None:
    images, texts, counted = encoded(retrieval_model), trunks(retrieval_model), list[int]()
    every = torch.empty(NUM_IMAGES, NUM_TEXTS)
    match_all(retrieval_model, images, texts, every, lambda _: None)
    wanted: Sequence[Tensor] = [torch.tensor(index) for index in ([3], [0, 10, 5, 1, 2, 8], [7, 6], [9])]
    some = torch.full((NUM_IMAGES, NUM_TEXTS), torch.nan)
    match_some(retrieval_model, images, texts, wanted, some, counted.append)
    for row, index in enumerate(wanted):
        assert some[row].isfinite().nonzero().squeeze(1).tolist() == sorted(index.tolist())
        torch.testing.assert_close(some[row, index], every[row, index], rtol=0, atol=1e-5)
    assert sum(counted) == 10
