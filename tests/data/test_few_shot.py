"""Few-shot subsets: the original's choice, seeds, and what a subset says of itself."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from fiber.data.few_shot import few_shot_subset, select_few_shot
from fiber.data.readers.odinw import OdinwDetection
from fiber.data.records import LabeledBox
from fiber.utils.errors import UserError

from .box_readers import MemoryObjects

IMAGES = [{0}, {0, 1}, {1}, {0}, {2}]
"""Category sets {1}, {1, 2}, {2}, {1}, {3} of the images 1 to 5."""


@pytest.mark.parametrize(("shots", "expected"), [(1, [1, 2, 5]), (2, [1, 2, 3, 5]), (3, [1, 2, 3, 4, 5])])
def test_the_original_takes_the_first_images_that_serve(shots: int, expected: list[int]) -> None:
    chosen = select_few_shot(IMAGES, shots, num_classes=3, seed=None)
    assert [index + 1 for index in chosen] == expected


def test_every_class_has_its_shots_whatever_the_seed() -> None:
    rng = np.random.default_rng(0)
    images = [set(rng.choice(6, size=rng.integers(0, 4), replace=False).tolist()) for _ in range(80)]
    subsets = [select_few_shot(images, 5, num_classes=6, seed=seed) for seed in range(8)]
    for chosen in subsets:
        assert chosen == sorted(set(chosen))
        assert all(sum(c in images[index] for index in chosen) >= 5 for c in range(6))
        assert all(images[index] for index in chosen)  # an image without objects shows no class
    assert len({tuple(chosen) for chosen in subsets}) == 8
    assert subsets[3] == select_few_shot(images, 5, num_classes=6, seed=3)


@pytest.mark.parametrize("seed", [None, 3, 30, 300])
def test_fewer_shots_of_one_seed_are_part_of_more(seed: int | None) -> None:
    rng = np.random.default_rng(1)
    images = [set(rng.choice(9, size=rng.integers(1, 5), replace=False).tolist()) for _ in range(120)]
    nested = [set(select_few_shot(images, shots, num_classes=9, seed=seed)) for shots in (1, 3, 5, 10)]
    assert all(fewer < more for fewer, more in itertools.pairwise(nested))


@pytest.mark.parametrize("shots", [0, -1])
def test_less_than_one_shot_is_refused(shots: int) -> None:
    with pytest.raises(UserError, match=rf"data\.shots={shots}: give 1 or more images per class, or null"):
        select_few_shot(IMAGES, shots, num_classes=3, seed=None)


def test_a_subset_tells_its_images_and_objects_and_the_classes_that_no_image_shows() -> None:
    shoe, crowd = LabeledBox((0, 0, 5, 5), 0), LabeledBox((0, 0, 9, 9), 2, is_crowd=True)
    reader = MemoryObjects([], [shoe, shoe], [shoe], [crowd, shoe])
    subset = few_shot_subset(reader, shots=1, seed=None)
    assert (subset.indices, subset.image_ids) == ((1, 3), ("1", "3"))
    assert json.loads(subset.to_json()) == {
        "reader": "memory",
        "shots": 1,
        "seed": None,
        "indices": [1, 3],
        "image_ids": ["1", "3"],
        "num_objects": {"left_shoe": 3, "right_shoe": 0, "dog": 1},
        "absent_classes": ["right_shoe"],
    }
    assert subset.warnings() == [
        "few-shot subset of memory: 1 of 3 classes are shown by no image: right_shoe",
    ]


def test_a_subset_may_be_cut_short() -> None:
    shoe, dog = LabeledBox((0, 0, 5, 5), 0), LabeledBox((0, 0, 9, 9), 2)
    reader = MemoryObjects([], [shoe], [dog], [shoe, dog])
    subset = few_shot_subset(reader, shots=2, seed=None, max_images=2)
    assert (subset.indices, subset.image_ids) == ((1, 2), ("1", "2"))
    assert subset.num_objects == {"left_shoe": 1, "right_shoe": 0, "dog": 1}


def test_raccoons_are_chosen_by_image(shared: Path) -> None:
    reader = OdinwDetection(str(shared / "data/mini/odinw"), dataset="Raccoon", split="train")
    first = few_shot_subset(reader, shots=3, seed=None)
    assert (first.indices, first.warnings()) == ((0, 1, 2), [])
    assert first.image_ids == tuple(reader.image_id(index) for index in range(3))
    assert first.num_objects == {"raccoon": sum(len(reader.objects(index)) for index in range(3))}
    seeded = few_shot_subset(reader, shots=3, seed=3)
    assert len(seeded.indices) == 3 and seeded.indices != first.indices
    assert few_shot_subset(reader, shots=99, seed=3).indices == tuple(range(14))
