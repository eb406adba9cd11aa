"""Referring expressions in the shapes world name one object, which the image alone does not tell."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.expressions import ByAttributes, ByPlace, ByRelation, BySize, Comparison, Expression, Extreme
from fiber.data.shapes.referring import EXPRESSIONS, Kind, ReferredScene, ShapesReferring
from fiber.data.shapes.scene import Object, relation
from fiber.data.tokenization import train_tokenizer
from fiber.utils.errors import UserError

NUM_SAMPLES = 1000


@pytest.fixture(scope="module")
def samples() -> list[ReferredScene]:
    reader = ShapesReferring("train", num_samples=NUM_SAMPLES, image_size=128)
    return [reader.sample(index) for index in range(NUM_SAMPLES)]


def true_of(expression: Expression, objects: Sequence[Object]) -> list[int]:
    """Judge an expression by its form and the scene alone."""
    said = expression.described
    alike = [
        place
        for place, item in enumerate(objects)
        if item.look.shape is said.shape
        and (said.color is None or item.look.color is said.color)
        and (said.size is None or item.look.size is said.size)
    ]
    if isinstance(expression, ByPlace):
        pick, coordinate = {
            Extreme.LEFTMOST: (min, "x"),
            Extreme.RIGHTMOST: (max, "x"),
            Extreme.TOPMOST: (min, "y"),
            Extreme.BOTTOMMOST: (max, "y"),
        }[expression.extreme]
        outermost = pick(getattr(objects[place], coordinate) for place in alike)
        return [place for place in alike if getattr(objects[place], coordinate) == outermost]
    if isinstance(expression, ByRelation):
        [anchor] = [item for item in objects if expression.anchor.holds(item.look)]
        return [place for place in alike if relation(objects[place], anchor) is expression.relation]
    if isinstance(expression, BySize):
        pick = max if expression.comparison is Comparison.LARGER else min
        extreme = pick(objects[place].look.size.value for place in alike)
        return [place for place in alike if objects[place].look.size.value == extreme]
    assert isinstance(expression, ByAttributes)
    return alike


def test_every_expression_is_true_of_its_target_alone(samples: list[ReferredScene]) -> None:
    for sample in samples:
        assert true_of(sample.expression, sample.scene.objects) == [sample.target], sample.expression.text
        assert 3 <= len(sample.scene.objects) <= 5


def test_only_what_the_words_add_to_a_plain_shape_tells_the_target(samples: list[ReferredScene]) -> None:
    for sample in samples:
        shapes = [item.look.shape for item in sample.scene.objects]
        assert shapes.count(sample.expression.described.shape) > 1
        if sample.kind is not Kind.ATTRIBUTES:  # not even all that is said of the look
            assert sum(sample.expression.described.holds(item.look) for item in sample.scene.objects) > 1


def test_kinds_and_their_words_are_balanced(samples: list[ReferredScene]) -> None:
    kinds = Counter(sample.kind for sample in samples)
    assert set(kinds) == set(Kind) and all(abs(count / NUM_SAMPLES - 0.25) < 0.05 for count in kinds.values())
    words = Counter(word for sample in samples for word in sample.expression.text.split())
    for rivals in (("leftmost", "rightmost", "topmost", "bottommost"), ("left", "right", "above", "below")):
        counts = [words[word] for word in rivals]
        assert min(counts) > 0.6 * max(counts), rivals
    assert abs(words["larger"] - words["smaller"]) < 60


def size_of(item: Object) -> float:
    return item.look.size.value


GUESSES: dict[str, Callable[[Sequence[Object]], int]] = {
    "first": lambda objects: 0,
    "last": lambda objects: len(objects) - 1,
    "largest": lambda objects: max(range(len(objects)), key=lambda place: size_of(objects[place])),
    "smallest": lambda objects: min(range(len(objects)), key=lambda place: size_of(objects[place])),
    "leftmost": lambda objects: min(range(len(objects)), key=lambda place: objects[place].x),
    "topmost": lambda objects: min(range(len(objects)), key=lambda place: objects[place].y),
    "most central": lambda objects: min(
        range(len(objects)), key=lambda place: abs(objects[place].x - 0.5) + abs(objects[place].y - 0.5)
    ),
    "most like the others": lambda objects: max(
        range(len(objects)),
        key=lambda place: sum(
            mine is theirs for other in objects for mine, theirs in zip(objects[place].look, other.look, strict=True)
        ),
    ),
}


@pytest.mark.parametrize("guess", GUESSES)
def test_guessing_without_the_text_is_chance(samples: list[ReferredScene], guess: str) -> None:
    chance = sum(1 / len(sample.scene.objects) for sample in samples) / NUM_SAMPLES
    hits = sum(GUESSES[guess](sample.scene.objects) == sample.target for sample in samples)
    assert 0.2 < chance < 0.3
    assert hits / NUM_SAMPLES == pytest.approx(chance, abs=0.045)


def test_every_object_of_a_scene_could_have_been_the_target(samples: list[ReferredScene]) -> None:
    for sample in samples[:200]:
        objects = sample.scene.objects
        assert all(any(EXPRESSIONS[sample.kind](objects, place)) for place in range(len(objects)))


def test_the_phrase_names_the_target_and_has_its_box(samples: list[ReferredScene]) -> None:
    reader = ShapesReferring("train", num_samples=NUM_SAMPLES, image_size=64)
    for index in range(50):
        text, [phrase] = reader.grounded_caption(index)
        [(begin, end)] = phrase.spans
        assert text == samples[index].expression.text and begin == 0
        assert re.fullmatch(r"the (\w+ )*(circle|square|triangle|cross)", text[begin:end])
        assert text[end:] == "" or samples[index].kind is Kind.RELATION
        assert phrase.boxes == (samples[index].scene.objects[samples[index].target].pixel_box(64),)


def test_every_benchmark_has_its_kinds() -> None:
    kinds = {}
    for dataset in ("refcoco", "refcoco+", "refcocog"):
        reader = ShapesReferring("val", num_samples=60, image_size=64, dataset=dataset)
        assert reader.dataset == dataset
        kinds[dataset] = {reader.sample(index).kind for index in range(60)}
    assert kinds == {
        "refcoco": set(Kind),
        "refcoco+": {Kind.ATTRIBUTES, Kind.SIZE},
        "refcocog": {Kind.ATTRIBUTES, Kind.RELATION, Kind.SIZE},
    }
    with pytest.raises(UserError, match=r"dataset=coco: give one of refcoco, refcoco\+, refcocog"):
        ShapesReferring("val", num_samples=2, image_size=64, dataset="coco")


def test_splits_and_seeds_share_no_scene() -> None:
    scenes = [
        ShapesReferring(split, num_samples=20, image_size=64, seed=seed).scene(index)
        for split in ("train", "val", "test", "testA", "testB")
        for seed in (0, 1)
        for index in range(20)
    ]
    assert len(set(scenes)) == len(scenes) == 200


def test_a_tokeniser_of_the_world_knows_all_words_but_superlatives_and_comparatives(
    samples: list[ReferredScene],
) -> None:
    tokenizer = train_tokenizer(shapes_corpus(), 1000)
    words = {f" {word}" for sample in samples for word in sample.expression.text.split()}
    unknown = {word.strip() for word in words if tokenizer.count(word) > 1}
    assert unknown == {"leftmost", "rightmost", "topmost", "bottommost", "larger", "smaller"}
