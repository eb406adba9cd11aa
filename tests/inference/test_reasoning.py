"""Statements about pairs of pictures."""

import pytest
import torch

from fiber.checkpoints.model_description import ModelKind
from fiber.data.batch import SampleKey
from fiber.data.shapes.statements import ShapesStatements
from fiber.data.statement_collate import StatementCollator
from fiber.data.statement_dataset import StatementDataset
from fiber.data.transforms import ResizeTransform
from fiber.inference.reasoning import Reasoner, ReasoningResult
from fiber.models.config import FusionConfig
from fiber.tasks.coarse.nlvr2.evaluator import Nlvr2Evaluator
from fiber.utils.errors import UserError

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model, count_rows, pictures, shapes_tokenizer

STATEMENTS = ["both images show a cross", "there are two red squares", "one image shows a circle"]


@pytest.fixture
def reasoner(tiny_config: FusionConfig) -> Reasoner:
    model, inputs = coarse_model(ModelKind.VISUAL_REASONING, tiny_config)
    torch.nn.init.normal_(model.classifier.output.weight, generator=torch.Generator().manual_seed(0))
    return Reasoner(model, inputs, batch_size=4)


def test_judgements_are_those_of_the_evaluation(reasoner: Reasoner) -> None:
    reader = ShapesStatements("val", num_samples=5, image_size=96)
    samples = StatementDataset(reader, transform=ResizeTransform(IMAGE_SIZE), seed=0, training=False)
    collate = StatementCollator(shapes_tokenizer(), max_text_length=TEXT_LENGTH)
    logits = []
    reasoner.model.classifier.register_forward_hook(lambda *arguments: logits.append(arguments[-1]))
    with torch.no_grad():
        judged = Nlvr2Evaluator("val", num_samples=5).judge(
            reasoner.model, collate([samples[SampleKey(index, 0)] for index in range(5)])
        )
    left, right = zip(*map(reader.load_images, range(5)), strict=True)
    results = reasoner.reason(left, right, [reader.statement(index).text for index in range(5)])
    assert [result.is_true for result in results] == [judged[index].prediction for index in range(5)]
    probabilities = torch.tensor([result.probability for result in results])
    torch.testing.assert_close(probabilities, logits[0].softmax(dim=1)[:, 1], rtol=0, atol=1e-5)
    assert [result.is_true for result in results] == [probability > 0.5 for probability in probabilities]


def test_a_batch_gives_what_one_by_one_gives_and_encodes_everything_once(reasoner: Reasoner) -> None:
    first, second, third = pictures("RGB", "L", "RGBA")
    alone = [reasoner.reason(left, second, text) for left, text in zip((first, third), STATEMENTS, strict=False)]
    swapped = reasoner.reason(second, first, STATEMENTS[0])
    assert abs(swapped.probability - alone[0].probability) > 1e-3
    backbone = reasoner.model.backbone
    images, texts = count_rows(backbone.image.patch_embedding), count_rows(backbone.text.layers[0])
    together = reasoner.reason([first, third], second, STATEMENTS[:2])
    assert (sum(images), sum(texts)) == (3, 2)
    for result, other in zip(together, alone, strict=True):
        assert result.probability == pytest.approx(other.probability, abs=1e-5)
        assert (result.left.size, result.right.size) == (other.left.size, other.right.size)
    several = reasoner.reason(reasoner.encode_images(first), second, STATEMENTS)
    assert several[0].probability == pytest.approx(alone[0].probability, abs=1e-5)
    assert [result.statement for result in several] == STATEMENTS


def test_numbers_that_do_not_go_together_and_paths_are_errors(reasoner: Reasoner) -> None:
    one, two, three = pictures("RGB", "L", "RGBA")
    with pytest.raises(UserError, match="2 left, 3 right, 1 statements: give one for all"):
        reasoner.reason([one, two], [one, two, three], STATEMENTS[0])
    with pytest.raises(UserError, match=r"right\[0\] is the path 'cat.jpg'"):
        reasoner.reason(one, ["cat.jpg"], STATEMENTS[0])  # type: ignore[list-item]


def test_a_result_for_people_and_programs() -> None:
    left, right = pictures("RGB", "RGB")
    result = ReasoningResult(left, right, "both are red", is_true=False, probability=0.12346)
    assert str(result) == "both are red: false (probability that it is true: 0.12)"
    assert result.to_json() == {
        "left_height": 40,
        "left_width": 100,
        "right_height": 70,
        "right_width": 80,
        "statement": "both are red",
        "is_true": False,
        "probability": 0.1235,
    }
    assert result.draw().width > 960
