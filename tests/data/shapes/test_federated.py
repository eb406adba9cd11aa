"""Classes of coloured shapes are as common as they say, and every image says what it was checked for."""

from collections import Counter, defaultdict

import pytest

from fiber.data.shapes.federated import FederatedScene, ShapesFederated

NUM_SAMPLES = 1500


@pytest.fixture(scope="module")
def reader() -> ShapesFederated:
    return ShapesFederated("train", num_samples=NUM_SAMPLES, image_size=64)


@pytest.fixture(scope="module")
def samples(reader: ShapesFederated) -> list[FederatedScene]:
    return [reader.sample(index) for index in range(NUM_SAMPLES)]


def test_classes_have_names_numbers_with_gaps_and_frequencies(reader: ShapesFederated) -> None:
    assert len(reader.classes) == len(set(reader.classes)) == 32
    assert reader.classes[:5] == ("red circle", "red square", "red triangle", "red cross", "green circle")
    assert list(reader.category_ids[:3]) == [2, 5, 8]
    assert reader.frequencies[:5] == ("f", "c", "r", "f", "c")
    assert Counter(reader.frequencies) == {"f": 11, "c": 11, "r": 10}


def test_every_class_of_a_frequency_is_more_common_than_those_of_the_next(
    reader: ShapesFederated, samples: list[FederatedScene]
) -> None:
    images = Counter(one for sample in samples for one in set(sample.classes))
    by_frequency = defaultdict(list)
    for class_index, frequency in enumerate(reader.frequencies):
        by_frequency[frequency].append(images[class_index])
    assert min(by_frequency["f"]) > max(by_frequency["c"])
    assert min(by_frequency["c"]) > max(by_frequency["r"])
    assert sum(by_frequency["r"]) > 50


def test_classes_are_those_of_the_looks(reader: ShapesFederated, samples: list[FederatedScene]) -> None:
    for sample in samples[:100]:
        for item, class_index in zip(sample.scene.objects, sample.classes, strict=True):
            assert reader.classes[class_index] == f"{item.look.color.word} {item.look.shape}"
        assert 1 <= len(sample.classes) <= 4


def test_boxes_are_of_checked_classes_and_complete_unless_the_image_says_otherwise(
    reader: ShapesFederated, samples: list[FederatedScene]
) -> None:
    unchecked = 0
    for index, sample in enumerate(samples[:500]):
        boxed = Counter(one.class_index for one in reader.objects(index))
        shown = Counter(sample.classes)
        negatives, partial = set(reader.negative_classes(index)), set(reader.not_exhaustive_classes(index))
        assert not negatives & set(shown) and 4 <= len(negatives) <= 8
        assert partial <= set(boxed)
        assert all(boxed[one] == (1 if one in partial else shown[one]) for one in boxed)
        assert all(shown[one] == 2 for one in partial)
        unchecked += len(set(shown) - set(boxed))
    assert unchecked > 50
    assert sum(len(sample.not_exhaustive_classes) for sample in samples[:500]) > 50


def test_boxes_are_those_of_the_objects_in_every_style(samples: list[FederatedScene]) -> None:
    solid = ShapesFederated("train", num_samples=20, image_size=64)
    drawn = ShapesFederated("train", num_samples=20, image_size=64, style="sketch")
    for index in range(20):
        sample = samples[index]
        assert [one.box for one in solid.objects(index)] == [
            sample.scene.objects[place].pixel_box(64) for place in sample.boxed
        ]
        assert [one.box for one in drawn.objects(index)] == [
            drawn.sketch(index).pixel_boxes(64)[place] for place in sample.boxed
        ]


def test_splits_share_no_scene() -> None:
    scenes = [
        ShapesFederated(split, num_samples=30, image_size=64).scene(index)
        for split in ("train", "val", "test")
        for index in range(30)
    ]
    assert len(set(scenes)) == len(scenes)
