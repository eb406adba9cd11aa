"""Corruption for masked language modelling."""

import numpy as np

from fiber.data.masking import mask_tokens

MASK, VOCABULARY = 999, 1000


def masked(seed: int, length: int = 50_000, probability: float = 0.15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = np.full(length, 5, dtype=np.int64)
    maskable = np.arange(length) % 2 == 0
    text = mask_tokens(
        ids, maskable, np.random.default_rng(seed), probability=probability, mask_id=MASK, vocab_size=VOCABULARY
    )
    return maskable, text.ids, text.labels


def test_shares_of_selected_masked_random_and_kept_tokens() -> None:
    maskable, ids, labels = masked(0)
    selected = labels != -100
    assert not selected[~maskable].any()
    assert abs(selected[maskable].mean() - 0.15) < 0.01
    assert (labels[selected] == 5).all()
    assert (ids[~selected] == 5).all()
    assert abs((ids[selected] == MASK).mean() - 0.8) < 0.02
    assert abs((ids[selected] == 5).mean() - 0.1) < 0.02
    random = ids[selected & (ids != 5) & (ids != MASK)]
    assert len(np.unique(random)) > 200 and random.max() < VOCABULARY


def test_the_generator_decides_everything() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(masked(1), masked(1), strict=True))
    assert not np.array_equal(masked(1)[2], masked(2)[2])


def test_nothing_is_selected_at_probability_zero() -> None:
    _, ids, labels = masked(0, probability=0.0)
    assert (labels == -100).all() and (ids == 5).all()
