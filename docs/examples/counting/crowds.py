"""A reader of a data set of our own: crowds of shapes, and how many of them there are of a kind."""

from collections.abc import Iterator

from fiber.data.readers.task_readers import QuestionReader
from fiber.data.records import Answer, Question
from fiber.data.shapes.corpus import shapes_corpus
from fiber.data.shapes.questions import AskedScene, different_look
from fiber.data.shapes.scene import Scene, Size, random_look, random_scene
from fiber.data.shapes.world import ShapesImages

MOST = 4


class CrowdQuestions(ShapesImages, QuestionReader):
    """None to four shapes of the kind asked for, among one to four that differ in colour or in shape."""

    def sample(self, index: int) -> AskedScene:
        rng = self.rng(index)
        asked, others = int(rng.integers(0, MOST + 1)), int(rng.integers(1, MOST + 1))
        look = random_look(rng, size=Size.SMALL)
        attributes = [("color", "shape")[rng.integers(2)] for _ in range(others)]
        looks = [look] * asked + [different_look(rng, look, attribute, size=Size.SMALL) for attribute in attributes]
        question = f"how many {look.color.word} {look.shape.plural} are there ?"
        return AskedScene(random_scene(rng, looks), question, str(asked))

    def scene(self, index: int) -> Scene:
        return self.sample(index).scene

    def question(self, index: int) -> Question:
        _, question, answer = self.sample(index)
        return Question(question, (Answer(answer, 1.0),), question_id=index, common_answer=answer)

    def texts(self) -> Iterator[str]:
        yield from shapes_corpus()
