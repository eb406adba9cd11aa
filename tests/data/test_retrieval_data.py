"""Pairs to match, and galleries to rank."""

from collections import Counter
from collections.abc import Sequence

import pytest
import torch

from fiber.data.batch import SampleKey
from fiber.data.batch_sampler import TrainingBatchSampler
from fiber.data.matching_pairs import MatchingPairs
from fiber.data.mixture import Mixture
from fiber.data.pair_dataset import PairDataset
from fiber.data.readers.base import CaptionReader
from fiber.data.retrieval_batch import MatchingSample
from fiber.data.retrieval_collate import RetrievalCollator, collate_gallery
from fiber.data.retrieval_gallery import GalleryImages, GalleryTexts
from fiber.data.tokenization import TextTokenizer, train_tokenizer
from fiber.data.transforms import ResizeTransform
from fiber.utils.errors import UserError

from .caption_memory import CaptionMemory


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return train_tokenizer(["image caption 0 1 2 3 4 5 6 7 8 9"], 400)


def matching(reader: CaptionReader, *, random_negatives: bool = True, max_samples: int | None = None) -> MatchingPairs:
    pairs = PairDataset(reader, transform=ResizeTransform(32), seed=0, training=True, max_samples=max_samples)
    return MatchingPairs(pairs, random_negatives=random_negatives)


def image_of(sample: MatchingSample) -> int:
    return int(sample.image[0, 0, 0])


def captioned_image(sample: MatchingSample) -> int:
    return int(sample.caption.split()[1])


@pytest.mark.parametrize("world_size", [1, 3])
def test_half_of_every_global_batch_matches(world_size: int) -> None:
    samples = Mixture([matching(CaptionMemory([2] * 20))])
    samplers = [
        TrainingBatchSampler(samples, batch_size=4, seed=0, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_epoch(1)
    batches = [[key for part in parts for key in part] for parts in zip(*samplers, strict=True)]
    assert len(batches) == 40 // (4 * world_size)
    for keys in batches:
        matches = [samples[key].matches for key in keys]
        assert sum(matches) == len(keys) / 2


def test_a_pair_matches_if_and_only_if_the_caption_is_the_image_s_own() -> None:
    pairs = matching(CaptionMemory([1, 3, 2]))
    for sample in range(len(pairs)):
        for draw in range(40):
            found = pairs[SampleKey(sample, draw)]
            assert found.matches == (draw % 2 == 0) == (image_of(found) == captioned_image(found))


def test_captions_that_do_not_match_are_drawn_evenly_from_all_others() -> None:
    pairs = matching(CaptionMemory([1, 3, 2, 1]))
    drawn = Counter(pairs[SampleKey(2, draw)].caption for draw in range(1, 4001, 2))  # of image 1
    expected = ["image 0 caption 0", "image 2 caption 0", "image 2 caption 1", "image 3 caption 0"]
    assert sorted(drawn) == expected
    assert all(400 < number < 600 for number in drawn.values())


def test_a_part_of_the_pairs_gives_captions_of_that_part_alone() -> None:
    pairs = matching(CaptionMemory([2, 3, 2]), max_samples=3)  # one caption of image 1
    assert {pairs[SampleKey(0, draw)].caption for draw in range(1, 40, 2)} == {"image 1 caption 0"}
    assert {captioned_image(pairs[SampleKey(2, draw)]) for draw in range(1, 40, 2)} == {0}


def test_without_random_negatives_all_pairs_match() -> None:
    pairs = matching(CaptionMemory([2, 2]), random_negatives=False)
    samples = [pairs[SampleKey(index, 3)] for index in range(4)]
    assert all(sample.matches and image_of(sample) == captioned_image(sample) for sample in samples)


def test_a_broken_image_is_replaced_and_named() -> None:
    pairs = matching(CaptionMemory([1] * 9, broken=[4]))
    for draw in range(20):
        found = pairs[SampleKey(4, draw)]
        assert found.broken[0] == "memory/4"
        assert found.matches == (image_of(found) == captioned_image(found))


def test_one_image_alone_is_refused() -> None:
    with pytest.raises(UserError, match="memory: a single image has no caption that does not match"):
        matching(CaptionMemory([5]))
    matching(CaptionMemory([5]), random_negatives=False)


def test_pairs_are_collated(tokenizer: TextTokenizer) -> None:
    pairs = matching(CaptionMemory([1] * 9, broken=[1]))
    samples = [pairs[SampleKey(index, 10 + index)] for index in range(4)]
    batch = RetrievalCollator(tokenizer, max_text_length=12)(samples)
    assert len(batch) == 4 and batch.first_draw == 10
    assert batch.image.dtype == torch.uint8
    assert batch.image[:, 0, 0, 0].tolist() == [image_of(sample) for sample in samples]
    assert batch.matches.tolist() == [True, False, True, False]
    assert batch.sample.tolist() == [0, 1, 2, 3] and batch.draw.tolist() == [10, 11, 12, 13]
    assert [tokenizer.decode(row) for row in batch.text_ids.tolist()] == [sample.caption for sample in samples]
    assert batch.text_mask.sum(dim=1).tolist() == [tokenizer.count(sample.caption) + 2 for sample in samples]
    assert set(batch.broken) == {"memory/1"}


def texts(counts: Sequence[int], tokenizer: TextTokenizer, repeated: Sequence[int] = ()) -> GalleryTexts:
    return GalleryTexts.read(CaptionMemory(counts, repeated=repeated), tokenizer, max_text_length=12)


def test_a_gallery_holds_every_caption_in_order(tokenizer: TextTokenizer) -> None:
    gallery = texts([2, 6, 1], tokenizer)
    assert gallery.captions[:3] == ("image 0 caption 0", "image 0 caption 1", "image 1 caption 0")
    assert gallery.image.tolist() == [0] * 2 + [1] * 6 + [2]
    assert gallery.text_ids == ["id0#0", "id0#1", *(f"id1#{number}" for number in range(6)), "id2#0"]
    assert gallery.standard.tolist() == [0, 1, 2, 3, 4, 5, 6, 8]  # without the sixth of the second image
    assert gallery.distinct.tolist() == list(range(9))
    assert tokenizer.decode(gallery.token_ids[7].tolist()) == "image 1 caption 5"


def test_a_caption_published_twice_counts_among_the_first_five(tokenizer: TextTokenizer) -> None:
    gallery = texts([2, 6], tokenizer, repeated=[0, 1])
    assert gallery.captions[:3] == ("image 0 caption 0", "image 0 caption 0", "image 0 caption 1")
    assert gallery.text_ids == [*(f"id0#{number}" for number in range(3)), *(f"id1#{number}" for number in range(7))]
    assert [gallery.captions[index][-1] for index in gallery.standard.tolist()] == list("00100123")
    assert [gallery.captions[index][-1] for index in gallery.distinct.tolist()] == list("01012345")


def test_an_empty_gallery_is_named(tokenizer: TextTokenizer) -> None:
    with pytest.raises(UserError, match="memory: the split holds no image"):
        texts([], tokenizer)


def test_gallery_images_come_once_each_and_none_may_be_broken() -> None:
    images = GalleryImages(CaptionMemory([2, 3, 1], broken=[2]), transform=ResizeTransform(32))
    batch = collate_gallery([images[SampleKey(index, index)] for index in range(2)])
    assert batch.sample.tolist() == [0, 1] and batch.image[:, 0, 0, 0].tolist() == [0, 1]
    with pytest.raises(UserError, match="cannot evaluate without memory/2"):
        images[SampleKey(2, 2)]
