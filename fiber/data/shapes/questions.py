"""Questions about shapes that the question alone does not answer; objects are named as in captions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Answer, Question
from fiber.data.shapes.captioned_scene import MAX_COUNT
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.scene import Color, Look, Scene, Shape, Size, random_look, random_scene, relation
from fiber.data.shapes.world import ShapesImages
from fiber.utils.errors import UserError


class AskedScene(NamedTuple):
    scene: Scene
    question: str
    answer: str


def different_look(rng: np.random.Generator, look: Look, *attributes: str, size: Size | None = None) -> Look:
    """A look that differs from `look` in each of the named attributes."""
    while True:
        other = random_look(rng, size=size)
        if all(getattr(other, name) != getattr(look, name) for name in attributes):
            return other


def ask_color(rng: np.random.Generator) -> AskedScene:
    """`what color is the small square ?`"""
    look = random_look(rng)
    scene = random_scene(rng, [look, different_look(rng, look, "shape")])
    return AskedScene(scene, f"what color is the {look.size.word} {look.shape} ?", look.color.word)


def ask_shape(rng: np.random.Generator) -> AskedScene:
    """`what shape is the small red object ?`"""
    look = random_look(rng)
    scene = random_scene(rng, [look, different_look(rng, look, "color")])
    return AskedScene(scene, f"what shape is the {look.size.word} {look.color.word} object ?", str(look.shape))


def ask_count(rng: np.random.Generator) -> AskedScene:
    """`how many red circles are there ?` with 0 to 3 of them beside something else."""
    look = random_look(rng, size=Size.SMALL)
    count = int(rng.integers(0, MAX_COUNT + 1))
    attribute = ("color", "shape")[rng.integers(2)]
    scene = random_scene(rng, [look] * count + [different_look(rng, look, attribute, size=Size.SMALL)])
    return AskedScene(scene, f"how many {look.color.word} {look.shape.plural} are there ?", str(count))


def ask_existence(rng: np.random.Generator) -> AskedScene:
    """`is there a small red circle ?`; where there is none, colour or shape of an object is another.

    The scenes are alike in both cases, so that the image alone tells nothing.
    """
    look = random_look(rng)
    scene = random_scene(rng, [look, different_look(rng, look, "color", "shape")])
    other = different_look(rng, look, "color", "shape")
    near_misses = (look._replace(color=other.color), look._replace(shape=other.shape))
    absent = [asked for asked in near_misses if asked not in (item.look for item in scene.objects)]
    present = bool(rng.integers(2))
    asked = look if present else absent[rng.integers(len(absent))]
    return AskedScene(scene, f"is there a {asked.name} ?", "yes" if present else "no")


def ask_relation(rng: np.random.Generator) -> AskedScene:
    """`is the small red circle left of the large blue square ?`"""
    while True:
        first = random_look(rng)
        second = different_look(rng, first, "color")
        scene = random_scene(rng, [first, second])
        place = relation(*scene.objects)
        if place is not None:
            break
    true = bool(rng.integers(2))
    asked = place if true else place.inverse
    return AskedScene(scene, f"is the {first.name} {asked} the {second.name} ?", "yes" if true else "no")


KINDS: Mapping[str, Callable[[np.random.Generator], AskedScene]] = {
    "color": ask_color,
    "shape": ask_shape,
    "count": ask_count,
    "existence": ask_existence,
    "relation": ask_relation,
}
ANSWERS = (
    *(color.word for color in Color),
    *(str(shape) for shape in Shape),
    *(str(count) for count in range(MAX_COUNT + 1)),
    "yes",
    "no",
)
"""Every answer there is."""


class ShapesQuestions(ShapesImages, QuestionReader):
    """One question per image.

    Args:
        split: `train`, `val` or `test`.
        num_samples: questions.
        image_size: side in pixels.
        seed: of the world; splits of one seed share no scene.
        kinds: of questions, some of `color`, `shape`, `count`, `existence` and `relation`.

    Raises:
        UserError: an unknown kind.
    """

    known_answers = ANSWERS

    def __init__(
        self, split: str, *, num_samples: int, image_size: int, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)
    ) -> None:
        super().__init__(split, num_samples=num_samples, image_size=image_size, seed=seed)
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown or not kinds:
            raise UserError(f"{self.name}: kinds={list(kinds)}: give some of {', '.join(KINDS)}.")
        self.kinds = tuple(kinds)

    def sample(self, index: int) -> AskedScene:
        """Scene, question and answer of one sample."""
        rng = self.rng(index)
        return KINDS[self.kinds[rng.integers(len(self.kinds))]](rng)

    def scene(self, index: int) -> Scene:
        return self.sample(index).scene

    def question(self, index: int) -> Question:
        sample = self.sample(index)
        return Question(
            sample.question,
            (Answer(sample.answer, 1.0),),
            question_id=index,
            question_type=question_type(sample.question),
            answer_type=answer_type(sample.answer),
            common_answer=sample.answer,
        )

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()


def question_type(question: str) -> str:
    """The first two words, which tell the five kinds apart."""
    return " ".join(question.split()[:2])


def answer_type(answer: str) -> str:
    """VQA's types."""
    if answer in ("yes", "no"):
        return "yes/no"
    return "number" if answer.isdigit() else "other"
