"""Readers to batches of the fine stage."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tokenizers.pre_tokenizers import ByteLevel

from fiber.data.data_module import TrainingDataModule
from fiber.data.grounding_batch import EvaluationBatch, GroundingBatch
from fiber.data.grounding_data_module import FineDataConfig, build_grounding_data, has_fixed_prompt, prompts_of
from fiber.data.grounding_transforms import GroundingTransformConfig
from fiber.data.readers.task_readers import BoxReader
from fiber.data.records import LabeledBox
from fiber.data.shapes.detection import ShapesDetection
from fiber.data.shapes.phrases import ShapesPhrases
from fiber.detection.prompt_sampling import NegativeSampling
from fiber.utils.errors import UserError

from .box_readers import BEACH, BEACH_SCENE, MemoryCaptions, MemoryObjects, word_tokenizer

TOKENIZER = word_tokenizer("left shoe. right shoe. dog")
BOX = LabeledBox((10.0, 20.0, 40.0, 60.0), 2)


def data(
    *train: BoxReader, val: Sequence[BoxReader] = (), weights: Sequence[float] | None = None, **settings: object
) -> TrainingDataModule:
    options: dict[str, object] = {
        "batch_size": 2,
        "text_budget": 64,
        "transform": GroundingTransformConfig(short_sides=(64,), flip_probability=1.0),
        "val_short_side": 160,
    }
    config = FineDataConfig(**{**options, **settings})  # type: ignore[arg-type]
    return build_grounding_data(config, train=train, val=val, tokenizer=TOKENIZER, weights=weights)


def training_batches(module: TrainingDataModule) -> list[GroundingBatch]:
    return list(module.train_dataloader())


def test_captions_and_detection_data_share_batches() -> None:
    module = data(MemoryCaptions(*[BEACH_SCENE] * 3), MemoryObjects(*[[BOX]] * 3), batch_size=6, all_classes=True)
    (batch,) = training_batches(module)
    texts = sorted(TOKENIZER.decode(ids.tolist()) for ids in batch.text_ids)
    assert texts[:3] == [BEACH] * 3
    assert all(sorted(text.split(". ")) == ["dog", "left shoe", "right shoe"] for text in texts[3:])
    assert sorted(batch.num_boxes) == [1, 1, 1, 3, 3, 3]
    named = [TOKENIZER.decode(ids[row].tolist()) for ids, row in named_tokens(batch)]
    assert sorted(set(named)) == ["Two men", "a red ball", "dog"]


def named_tokens(batch: GroundingBatch) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Text and positive tokens of every box."""
    rows = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor(batch.num_boxes))
    return list(zip(batch.text_ids[rows], batch.positive_map, strict=True))


def test_training_flips_and_resizes_as_configured_and_validation_does_neither() -> None:
    scenes = MemoryCaptions(*[BEACH_SCENE] * 2)
    module = data(scenes, val=[scenes])
    (batch,) = training_batches(module)
    assert batch.sizes.tolist() == [[64, 80]] * 2
    assert batch.boxes[0].tolist() == [64, 0, 80, 32]  # of (0, 0, 20, 40) in 100 x 80
    assert batch.image[0, :, :64, 0].min() == 255
    (seen,) = list(module.val_dataloader()[0])[:1]
    assert isinstance(seen, EvaluationBatch)
    assert seen.sizes.tolist() == [[160, 200]]
    assert seen.image[0, :, :160, 0].max() == 0


def test_every_validation_set_has_a_loader_of_its_kind_in_order() -> None:
    captions, objects = MemoryCaptions(BEACH_SCENE, BEACH_SCENE), MemoryObjects([BOX], [], [BOX])
    loaders = data(captions, val=[objects, captions], val_batch_size=2, max_val_samples=2).val_dataloader()
    first, second = ([batch for batch in loader] for loader in loaders)
    assert [batch.image_index for batch in first] == [(0, 1)] == [batch.image_index for batch in second]
    assert first[0].prompts == (None, None) and second[0].prompts[0].text == BEACH
    assert [len(truths) for truths in first[0].truths] == [1, 0]


def test_batches_hold_images_of_one_shape_across_data_sets() -> None:
    wide, high = MemoryCaptions(*[BEACH_SCENE] * 8), MemoryCaptions(*[BEACH_SCENE] * 7, size=(80, 100))
    batches = training_batches(data(wide, high, batch_size=2))
    shapes = [{tuple(size) for size in batch.sizes.tolist()} for batch in batches]
    assert all(len(sizes) == 1 for sizes in shapes)
    assert sorted(sizes.pop() for sizes in shapes) == [(64, 80)] * 4 + [(80, 64)] * 3


def test_only_the_first_samples_of_every_set_are_used() -> None:
    module = data(MemoryCaptions(*[BEACH_SCENE] * 5), MemoryObjects(*[[BOX]] * 5), max_train_samples=2, batch_size=4)
    (batch,) = training_batches(module)
    assert sorted(batch.num_boxes) == [1, 1, 3, 3]


@pytest.mark.parametrize("key", ["max_train_samples", "max_val_samples"])
def test_at_least_one_sample_is_used(key: str) -> None:
    with pytest.raises(UserError, match=rf"data\.{key}=0: give 1 or more, or null for all"):
        data(MemoryObjects([BOX]), **{key: 0})  # type: ignore[arg-type]


def test_weights_reach_the_mixture() -> None:
    module = data(MemoryCaptions(*[BEACH_SCENE] * 40), MemoryObjects(*[[BOX]] * 40), weights=[1e-9, 1.0], batch_size=8)
    assert {count for batch in training_batches(module) for count in batch.num_boxes} == {1}


def test_negatives_are_sampled_within_the_text_budget() -> None:
    negatives = NegativeSampling(one_negative=0.0, no_negatives=1.0, all_negatives=0.0)
    (batch,) = training_batches(data(MemoryObjects([BOX], []), negatives=negatives))
    assert sorted(TOKENIZER.decode(ids.tolist()) for ids in batch.text_ids) == ["", "dog"]
    everything = NegativeSampling(one_negative=0.0, no_negatives=0.0, all_negatives=1.0)
    (batch,) = training_batches(data(MemoryObjects([BOX], [BOX]), negatives=everything, text_budget=8))
    assert batch.text_mask.sum(dim=1).max() <= 8 and batch.num_boxes == (1, 1)
    assert batch.defects == ()


def test_all_classes_that_exceed_the_budget_are_refused() -> None:
    with pytest.raises(UserError, match="the prompt of all 3 classes needs 9 of 8 tokens"):
        data(MemoryObjects([BOX]), all_classes=True, text_budget=8)


@pytest.mark.parametrize(
    ("shuffle", "text_budget", "everything"), [(True, 10, False), (True, 11, True), (False, 10, True)]
)
def test_all_classes_are_asked_for_if_they_fit_in_every_order_that_may_come(
    shuffle: bool, text_budget: int, everything: bool
) -> None:
    tokenizer = word_tokenizer("left shoe. right shoe. dog")
    tokenizer.tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # as RoBERTa's
    assert tokenizer.count("left shoe. right shoe. dog") == 8
    assert tokenizer.count("right shoe. dog. left shoe") == 9  # `right` is longer where it opens the text
    negatives = NegativeSampling(one_negative=0.0, no_negatives=1.0, all_negatives=0.0, shuffle=shuffle)
    config = FineDataConfig(batch_size=1, text_budget=text_budget, all_classes=None, negatives=negatives)
    sampled = prompts_of(MemoryObjects([BOX]), config, tokenizer).sample([2], np.random.default_rng(0))
    assert sorted(sampled.classes) == ([0, 1, 2] if everything else [2])


def test_classes_that_do_not_fit_at_all_are_sampled() -> None:
    (batch,) = training_batches(data(MemoryObjects([BOX], [BOX]), all_classes=None, text_budget=6))
    assert {TOKENIZER.decode(ids.tolist()) for ids in batch.text_ids} == {"dog"}


@pytest.mark.parametrize(
    ("options", "fixed"),
    [
        ({"all_classes": True, "negatives": NegativeSampling(shuffle=False)}, True),
        ({"all_classes": None, "negatives": NegativeSampling(shuffle=False)}, True),
        ({"all_classes": True}, False),
        ({"all_classes": None, "negatives": NegativeSampling(shuffle=False), "text_budget": 8}, False),
        ({"negatives": NegativeSampling(shuffle=False)}, False),
    ],
)
def test_only_all_classes_in_their_order_are_the_same_prompt_for_every_image(
    options: dict[str, object], fixed: bool
) -> None:
    config = FineDataConfig(**{"batch_size": 1, "text_budget": 64, **options})  # type: ignore[arg-type]
    assert has_fixed_prompt(prompts_of(MemoryObjects([BOX]), config, TOKENIZER)) == fixed


def test_resuming_in_the_middle_of_an_epoch_gives_the_same_batches() -> None:
    def module() -> TrainingDataModule:
        readers = [
            kind(split="train", num_samples=8, image_size=64, seed=0) for kind in (ShapesPhrases, ShapesDetection)
        ]
        transform = GroundingTransformConfig(short_sides=(48, 64))
        return data(*readers, transform=transform, batch_size=4)

    whole = module()
    whole.resume_at(epoch=3, batch=0)
    resumed = module()
    resumed.resume_at(epoch=3, batch=2)
    expected, rest = training_batches(whole), training_batches(resumed)
    assert (len(expected), len(rest)) == (4, 2)
    for one, other in zip(expected[2:], rest, strict=True):
        assert one.image.equal(other.image) and one.boxes.equal(other.boxes) and one.text_ids.equal(other.text_ids)
    assert not expected[0].image.equal(expected[2].image)
