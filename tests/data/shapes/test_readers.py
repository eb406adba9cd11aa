"""The shapes world tells the truth about its scenes, for every task."""

import pickle
import re
import time
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.shapes.corpus import COUNT_WORDS, shapes_corpus
from fiber.data.shapes.detection import ShapesDetection
from fiber.data.shapes.entities import ShapesEntities
from fiber.data.shapes.federated import ShapesFederated
from fiber.data.shapes.phrases import ShapesPhrases
from fiber.data.shapes.questions import ANSWERS, ShapesQuestions
from fiber.data.shapes.referring import ShapesReferring
from fiber.data.shapes.scene import Scene, relation
from fiber.data.shapes.statements import ShapesStatements
from fiber.data.tokenization import train_tokenizer
from fiber.utils.errors import UserError

READERS = (
    ShapesCaptions,
    ShapesDetection,
    ShapesEntities,
    ShapesFederated,
    ShapesPhrases,
    ShapesQuestions,
    ShapesReferring,
    ShapesStatements,
)
SINGULAR = {"circles": "circle", "squares": "square", "triangles": "triangle", "crosses": "cross"}


def counts(scene: Scene) -> Counter[tuple[str, str]]:
    """Objects by colour and shape."""
    return Counter((item.look.color.word, str(item.look.shape)) for item in scene.objects)


def singular(word: str) -> str:
    return SINGULAR.get(word, word)


def caption_holds(caption: str, scene: Scene) -> bool:
    """Judge a caption by its words and the scene alone."""
    if caption.startswith("there "):
        found = re.findall(r"(one|two|three) (\w+) (\w+)", caption)
        said = {(color, singular(shape)): COUNT_WORDS.index(count) for count, color, shape in found}
        return len(found) == 2 and dict(counts(scene)) == said
    match = re.fullmatch(r"a (\w+ \w+ \w+) is (left of|right of|above|below) a (\w+ \w+ \w+)", caption)
    assert match is not None, caption
    first, second = scene.objects
    names = match.group(1) == first.look.name and match.group(3) == second.look.name
    return names and relation(first, second) == match.group(2)


def test_captions_are_true_and_false_of_another_scene() -> None:
    reader = ShapesCaptions("train", num_samples=300, image_size=64)
    assert all(caption_holds(reader.captions(index)[0], reader.scene(index)) for index in range(300))
    relations = [i for i in range(300) if not reader.captions(i)[0].startswith("there")]
    wrong = [caption_holds(reader.captions(i)[0], reader.scene(j)) for i, j in pairwise(relations)]
    assert sum(wrong) <= 1


@pytest.mark.parametrize("split", ["val", "test"])
def test_no_caption_occurs_twice_where_models_are_judged(split: str) -> None:
    reader = ShapesCaptions(split, num_samples=2048, image_size=64)
    assert len({reader.captions(index)[0] for index in range(2048)}) == 2048


def test_more_captions_than_the_world_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fiber.data.shapes.captions.MAX_ATTEMPTS", 1)
    with pytest.raises(UserError, match="is more than there are captions"):
        ShapesCaptions("val", num_samples=5000, image_size=64)


def test_splits_and_seeds_share_no_scene() -> None:
    scenes = [
        ShapesCaptions(split, num_samples=50, image_size=64, seed=seed).scene(index)
        for split in ("train", "val", "test")
        for seed in (0, 1)
        for index in range(50)
    ]
    assert len(set(scenes)) == len(scenes)


@pytest.mark.parametrize("kind", READERS)
def test_a_million_samples_cost_nothing_until_asked_for(kind: type) -> None:
    started = time.perf_counter()
    reader = kind("train", num_samples=1_000_000, image_size=64)
    assert time.perf_counter() - started < 0.5
    again = pickle.loads(pickle.dumps(reader))
    assert len(again) == 1_000_000
    assert again.location(7) == "shapes/train/7"
    if kind is not ShapesStatements:
        assert np.array_equal(np.asarray(again.load_image(999_999)), np.asarray(reader.load_image(999_999)))


def test_phrases_name_their_boxes() -> None:
    reader = ShapesPhrases("train", num_samples=200, image_size=128)
    for index in range(200):
        caption, scene = reader.grounded_caption(index), reader.scene(index)
        for phrase in caption.phrases:
            ((start, stop),) = phrase.spans
            words = [singular(word) for word in caption.text[start:stop].split()]
            named = [item for item in scene.objects if item.pixel_box(128) in phrase.boxes]
            assert len(named) == len(phrase.boxes) >= 1
            assert all({item.look.color.word, str(item.look.shape)} <= set(words) for item in named)
        assert sum(len(phrase.boxes) for phrase in caption.phrases) == len(scene.objects)


def test_detection_lists_every_object() -> None:
    reader = ShapesDetection("val", num_samples=100, image_size=128)
    sizes = Counter(len(reader.objects(index)) for index in range(100))
    assert set(sizes) == {1, 2, 3, 4}
    for item, labeled in zip(reader.scene(0).objects, reader.objects(0), strict=True):
        assert reader.classes[labeled.class_index] == item.look.shape
        assert labeled.box == item.pixel_box(128)


@pytest.mark.parametrize("kind", [ShapesDetection, ShapesPhrases, ShapesReferring])
def test_readers_of_boxes_state_sizes_and_texts(
    kind: type[ShapesDetection] | type[ShapesPhrases] | type[ShapesReferring],
) -> None:
    reader = kind("train", num_samples=3, image_size=48)
    assert reader.sizes().tolist() == [[48, 48]] * 3
    assert reader.load_image(2).size == (48, 48)
    assert list(reader.texts()) == shapes_corpus()


def test_the_four_shapes_are_numbered_from_one() -> None:
    assert list(zip(ShapesDetection.category_ids, ShapesDetection.classes, strict=True)) == [
        (1, "circle"),
        (2, "square"),
        (3, "triangle"),
        (4, "cross"),
    ]


def answer_of(question: str, scene: Scene) -> str:
    """Answer a question by its words and the scene alone."""
    words = question.removesuffix(" ?").split()
    present = counts(scene)
    if question.startswith("what color"):
        return next(item.look.color.word for item in scene.objects if item.look.shape == words[-1])
    if question.startswith("what shape"):
        return next(str(item.look.shape) for item in scene.objects if item.look.color.word == words[-2])
    if question.startswith("how many"):
        return str(present[words[2], singular(words[3])])
    if question.startswith("is there"):
        return "yes" if present[words[4], words[5]] else "no"
    match = re.fullmatch(r"is the (\w+ \w+ \w+) (.+) the (\w+ \w+ \w+) \?", question)
    assert match is not None, question
    assert [match.group(1), match.group(3)] == [item.look.name for item in scene.objects]
    return "yes" if relation(scene.objects[0], scene.objects[1]) == match.group(2) else "no"


def test_questions_are_answered_by_the_image_and_not_by_their_words() -> None:
    reader = ShapesQuestions("train", num_samples=4000, image_size=64)
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for index in range(4000):
        question = reader.question(index)
        (answer,) = question.answers
        assert answer.score == 1.0 and answer.text in ANSWERS
        assert answer.text == answer_of(question.text, reader.scene(index))
        assert (question.common_answer, question.question_id) == (answer.text, index)
        by_kind[question.question_type][answer.text] += 1
        assert question.answer_type == {"what": "other", "how": "number"}.get(question.text.split()[0], "yes/no")
    assert set(by_kind) == {"what color", "what shape", "how many", "is there", "is the"}
    for answers in by_kind.values():
        assert max(answers.values()) / answers.total() < max(0.55, 1.5 / len(answers))
    assert sum(max(answers.values()) for answers in by_kind.values()) / 4000 < 0.36  # the best answer to each kind


def test_the_image_alone_does_not_tell_whether_something_is_there() -> None:
    reader = ShapesQuestions("train", num_samples=3000, image_size=64, kinds=["existence"])
    shared: dict[str, list[bool]] = defaultdict(list)
    for index in range(3000):
        first, second = (item.look for item in reader.scene(index).objects)
        [answer] = reader.question(index).answers
        shared[answer.text].append(first.color == second.color or first.shape == second.shape)
    assert sum(shared["yes"]) == sum(shared["no"]) == 0
    assert 0.45 < len(shared["yes"]) / 3000 < 0.55


def test_only_the_kinds_of_question_that_are_asked_for_are_put() -> None:
    reader = ShapesQuestions("val", num_samples=200, image_size=64, kinds=["count", "existence"])
    assert {reader.question(index).question_type for index in range(200)} == {"how many", "is there"}
    with pytest.raises(UserError, match="kinds=\\['taste'\\]: give some of color, shape, count, existence, relation"):
        ShapesQuestions("val", num_samples=2, image_size=64, kinds=["taste"])


def statement_holds(statement: str, left: Scene, right: Scene) -> bool:
    """Judge a statement by its words and the scenes alone."""
    words = statement.split()
    if words[0] == "both":
        return all(counts(scene)[words[-2], words[-1]] for scene in (left, right))
    shape = singular(words[3])
    number = [sum(n for (_, kind), n in counts(scene).items() if kind == shape) for scene in (left, right)]
    return number[0] > number[1]


def test_statements_are_as_true_as_they_say_half_the_time() -> None:
    reader = ShapesStatements("train", num_samples=1000, image_size=64)
    truths = []
    for index in range(1000):
        sample, statement = reader.sample(index), reader.statement(index)
        assert statement.is_true == statement_holds(statement.text, sample.left, sample.right)
        truths.append(statement.is_true)
    assert abs(sum(truths) / 1000 - 0.5) < 0.05
    left, right = reader.load_images(0)
    assert left.size == right.size == (64, 64)


def test_the_tokeniser_of_the_world_knows_every_word() -> None:
    tokenizer = train_tokenizer(shapes_corpus(), 1000)
    texts = [ShapesCaptions("train", num_samples=300, image_size=64).captions(index)[0] for index in range(300)]
    texts += [ShapesQuestions("train", num_samples=300, image_size=64).question(index).text for index in range(300)]
    texts += [ShapesStatements("train", num_samples=300, image_size=64).statement(index).text for index in range(300)]
    tokens = tokenizer.encode(texts, 20)
    assert tokens.mask.sum(dim=1).tolist() == [len(text.split()) + 2 for text in texts]
