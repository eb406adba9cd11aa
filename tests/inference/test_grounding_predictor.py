"""A tiny detector on prompts, in any company.

Axes: B images, H W pixels.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from fiber.detection.postprocessing import Detections, PostProcessingConfig
from fiber.detection.prompt_chunks import PromptChunk, chunk_classes
from fiber.detection.prompts import Prompt
from fiber.inference.grounding_predictor import GroundingPredictor, Pair, joined, joined_prompts
from fiber.models.grounded_detector import GroundedDetector

CLASSES = ("dog", "cat", "red ball", "beach", "two men", "hat", "bus", "left shoe")
SIZES = [(64, 64), (40, 55)]


class Pieces(NamedTuple):
    ids: list[int]
    offsets: list[tuple[int, int]]


class WordTokenizer:
    """Every word and mark is a token."""

    pad_id = 1

    def encode_batch(self, texts: Sequence[str]) -> list[Pieces]:
        words = [list(re.finditer(r"\w+|[^\w\s]", text)) for text in texts]
        return [
            Pieces([4 + sum(map(ord, word.group())) % 45 for word in row], [word.span() for word in row])
            for row in words
        ]

    def pad(self, token_ids: Sequence[Sequence[int]], length: int) -> Tensor:
        rows = [[0, *tokens[: length - 2], 2] for tokens in token_ids]
        return torch.tensor([row + [self.pad_id] * (length - len(row)) for row in rows])


@pytest.fixture
def detector(tiny_detector: GroundedDetector) -> GroundedDetector:
    """Words and boxes vary over its cells."""
    torch.nn.init.zeros_(tiny_detector.head.prior_bias)
    torch.nn.init.normal_(tiny_detector.head.box.weight, std=0.3)
    torch.nn.init.normal_(tiny_detector.head.centerness.weight, std=0.3)
    return tiny_detector


@pytest.fixture
def pixels() -> Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def predictor(detector: GroundedDetector, **options: int) -> GroundingPredictor:
    config = PostProcessingConfig(score_threshold=0.0, max_candidates=30, max_detections=4)
    return GroundingPredictor(detector, WordTokenizer(), config, **options)


def chunks(max_classes: int) -> list[PromptChunk]:
    return chunk_classes(
        CLASSES,
        count_tokens=lambda text: len(WordTokenizer().encode_batch([text])[0].ids),
        token_budget=12,
        max_classes=max_classes,
    )


def assert_equal(found: Detections, expected: Detections) -> None:
    assert found.labels.tolist() == expected.labels.tolist()
    torch.testing.assert_close(found.boxes, expected.boxes)
    torch.testing.assert_close(found.scores, expected.scores)


def test_prompts_together_find_what_each_finds_alone(detector: GroundedDetector, pixels: Tensor) -> None:
    """Also where they differ in length."""
    expected = []
    for row, size in enumerate(SIZES):
        parts = []
        for chunk in chunks(3):
            (one,) = predictor(detector).ground(pixels[row : row + 1], [size], [chunk.prompt])
            parts.append(one._replace(labels=one.labels + chunk.classes.start))
        expected.append(joined(parts))
    for prompts_per_pass in (1, 2):
        together = predictor(detector, prompts_per_pass=prompts_per_pass)
        found = together.detect(pixels, SIZES, together.encode_classes(chunks(3)))
        for one, other in zip(found, expected, strict=True):
            assert_equal(one, other)


def test_labels_are_places_in_the_whole_list(detector: GroundedDetector, pixels: Tensor) -> None:
    asking = predictor(detector)
    encoded = asking.encode_classes(chunks(3))
    assert encoded.classes == (range(3), range(3, 6), range(6, 8))
    found = asking.detect(pixels, SIZES, encoded)
    assert all(set(one.labels.tolist()) == set(range(8)) for one in found)


def test_prompts_do_not_compete_for_the_limit_and_the_best_comes_first(
    detector: GroundedDetector, pixels: Tensor
) -> None:
    asking = predictor(detector)
    for one in asking.detect(pixels, SIZES, asking.encode_classes(chunks(3))):
        assert len(one.scores) == 3 * 4
        assert one.scores.tolist() == sorted(one.scores.tolist(), reverse=True)
        by_chunk = one.labels // 3
        assert torch.bincount(by_chunk).tolist() == [4] * 3


def test_images_with_their_own_prompts_do_not_mix(detector: GroundedDetector, pixels: Tensor) -> None:
    prompts = [Prompt("two men on a beach", (((0, 7),), ((13, 18),))), Prompt("a hat", (((0, 5),),))]
    asking = predictor(detector)
    together = asking.ground(pixels, SIZES, prompts)
    for row in range(2):
        (alone,) = asking.ground(pixels[row : row + 1], SIZES[row : row + 1], prompts[row : row + 1])
        assert_equal(together[row], alone)
    assert set(together[0].labels.tolist()) == {0, 1} and set(together[1].labels.tolist()) == {0}
    # Boxes end where each image does, by the last of its pixels, which the original's arithmetic clips to.
    for one, (height, width) in zip(together, SIZES, strict=True):
        assert one.boxes[:, 0::2].max() <= width and one.boxes[:, 1::2].max() <= height


def test_encoded_images_and_prompts_are_paired_at_will(detector: GroundedDetector, pixels: Tensor) -> None:
    prompts = [Prompt("two men on a beach", (((0, 7),), ((13, 18),))), Prompt("a hat", (((0, 5),),))]
    asking = predictor(detector)
    encoded = joined_prompts([asking.encode_prompts([prompt]) for prompt in prompts])
    assert encoded.lengths == (7, 4) and encoded.trunk.mask.sum(dim=1).tolist() == [7, 4]
    images = asking.encode_image(pixels)
    for pairs in ([Pair(1, 0), Pair(0, 1), Pair(1, 1)], [Pair(1, 1), Pair(1, 1)]):
        for (row, column), found in zip(pairs, asking.find(images, SIZES, encoded, pairs), strict=True):
            (alone,) = asking.ground(pixels[row : row + 1], [SIZES[row]], [prompts[column]])
            assert_equal(found, alone)


def test_another_text_finds_something_else(detector: GroundedDetector, pixels: Tensor) -> None:
    asking = predictor(detector)
    one, other = (asking.ground(pixels[:1], SIZES[:1], [Prompt(text, (((0, 3),),))])[0] for text in ("dog", "bus"))
    assert abs(one.scores[0] - other.scores[0]) > 1e-4


def test_what_lies_beyond_the_budget_is_cut_and_never_found(detector: GroundedDetector, pixels: Tensor) -> None:
    words = " ".join("abcdefghijklmno")  # 15 tokens where 10 fit
    prompt = Prompt(words, (((0, 3),), ((18, 19),), ((18, 23),), ((20, 21),), ((28, 29),)))
    encoded = predictor(detector).encode_prompts([prompt, Prompt("a", (((0, 1),),))])
    assert encoded.positions == (((1, 2), (10,), (), (), ()), ((1,),))
    assert encoded.trunk.mask.sum(dim=1).tolist() == [12, 3]
    (found,) = predictor(detector).ground(pixels[:1], SIZES[:1], [prompt])
    assert set(found.labels.tolist()) == {0, 1}


def test_texts_are_as_long_as_the_longest(detector: GroundedDetector) -> None:
    encoded = predictor(detector).encode_prompts([Prompt("a red ball", (((0, 10),),)), Prompt("", ())])
    assert encoded.trunk.mask.tolist() == [[True] * 5, [True, True, False, False, False]]
    assert encoded.positions == (((1, 2, 3),), ())


def test_joined_detections_keep_boxes_and_labels_with_their_scores() -> None:
    parts = [
        Detections(torch.arange(8.0).view(2, 4), torch.tensor([0.9, 0.2]), torch.tensor([4, 5])),
        Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64)),
        Detections(torch.arange(8.0, 16.0).view(2, 4), torch.tensor([0.95, 0.2]), torch.tensor([6, 7])),
    ]
    whole = joined(parts)
    assert whole.labels.tolist() == [6, 4, 5, 7]  # of equals the earlier prompt's first
    assert whole.boxes[:, 0].tolist() == [8, 0, 4, 12]
    torch.testing.assert_close(whole.scores, torch.tensor([0.95, 0.9, 0.2, 0.2]))
