"""Pictures and texts, embedded and matched."""

import pytest
import torch

from fiber.checkpoints.model_description import ModelKind
from fiber.data.batch import SampleKey
from fiber.data.retrieval_collate import collate_gallery
from fiber.data.retrieval_gallery import GalleryImages, GalleryTexts
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.transforms import ResizeTransform
from fiber.inference.matching import Matcher, MatchResult, ranked
from fiber.models.config import FusionConfig
from fiber.tasks.coarse.retrieval.evaluator import RetrievalEvaluator
from fiber.tasks.coarse.retrieval.rankings import RetrievalEvaluationConfig

from .coarse_models import IMAGE_SIZE, TEXT_LENGTH, coarse_model, count_rows, pictures, shapes_tokenizer

TEXTS = ["a red circle", "a small blue cross is left of a large green square", "two triangles"]


@pytest.fixture
def matcher(tiny_config: FusionConfig) -> Matcher:
    return Matcher(*coarse_model(ModelKind.RETRIEVAL, tiny_config), batch_size=4)


def test_scores_are_those_of_the_evaluation(matcher: Matcher) -> None:
    reader = ShapesCaptions("val", num_samples=3, image_size=96)
    texts = GalleryTexts.read(reader, shapes_tokenizer(), max_text_length=TEXT_LENGTH)
    images = GalleryImages(reader, transform=ResizeTransform(IMAGE_SIZE))
    evaluator = RetrievalEvaluator(texts, RetrievalEvaluationConfig(rankings=("itc", "itm")))
    batch = collate_gallery([images[SampleKey(index, 0)] for index in range(3)])
    for number in range(evaluator.num_passes):
        evaluator.add(matcher.model, batch, number=number)
    results = matcher.match([reader.load_image(index) for index in range(3)], texts.captions)
    similarity = torch.tensor([result.similarities for result in results])
    probability = torch.tensor([result.probabilities for result in results])
    torch.testing.assert_close(similarity, torch.stack(evaluator.scores.contrastive), rtol=0, atol=1e-5)
    torch.testing.assert_close(probability, torch.stack(evaluator.scores.matching).sigmoid(), rtol=0, atol=1e-5)
    assert probability.std() > 1e-3 and similarity.std() > 1e-3


def test_every_picture_and_text_is_encoded_once_and_fused_with_all(matcher: Matcher) -> None:
    backbone = matcher.model.backbone
    images, texts = count_rows(backbone.image.patch_embedding), count_rows(backbone.text.layers[0])
    fused = count_rows(matcher.model.matching_head)
    results = matcher.match(pictures("RGB", "L", "RGBA"), TEXTS)
    assert (images, texts, fused) == ([3], [3], [4, 4, 1])
    assert [len(result.texts) for result in results] == [3, 3, 3]


def test_a_batch_gives_what_one_by_one_gives(matcher: Matcher) -> None:
    images = pictures("RGB", "L", "RGBA")
    together = matcher.match(matcher.encode_images(images), TEXTS)
    for image, result in zip(images, together, strict=True):
        alone = matcher.match(image, TEXTS)
        assert alone.probabilities == pytest.approx(result.probabilities, abs=1e-5)
        assert alone.similarities == pytest.approx(result.similarities, abs=1e-5)
        one = matcher.match(image, TEXTS[1])
        assert one.texts[0].probability == pytest.approx(result.probabilities[1], abs=1e-5)


def test_a_model_that_never_learnt_to_match_ranks_by_similarity(
    tiny_config: FusionConfig, caplog: pytest.LogCaptureFixture
) -> None:
    model, inputs = coarse_model(ModelKind.PRETRAINING, tiny_config)
    inputs.untrained = ("matching_head",)
    matcher = Matcher(model, inputs)
    for image in pictures("RGB", "L"):
        similarities = [one.similarity for one in matcher.match(image, [*TEXTS, "a white star"]).texts]
        assert similarities == sorted(similarities, reverse=True) and len(set(similarities)) == 4
    assert caplog.text.count("probabilities mean nothing") == 1


def test_embeddings_have_length_one(matcher: Matcher) -> None:
    images = pictures("RGB", "L", "P", "RGBA", "RGB")
    embedded, texts = matcher.embed_image(images), matcher.embed_text(TEXTS)
    assert embedded.shape == (5, 16) and texts.shape == (3, 16) and embedded.dtype == torch.float32
    torch.testing.assert_close(torch.cat([embedded, texts]).norm(dim=1), torch.ones(8))
    torch.testing.assert_close(matcher.embed_image(images[3]), embedded[3])
    torch.testing.assert_close(matcher.embed_text(TEXTS[2]), texts[2])
    similarity = [matcher.match(image, TEXTS).similarities for image in images]
    torch.testing.assert_close(embedded @ texts.T, torch.tensor(similarity))


def test_texts_are_ranked_by_unrounded_scores_and_by_similarity_where_these_tie() -> None:
    scores = torch.tensor([0.0, 40.0, 41.0, 0.0, 0.0], dtype=torch.float64)
    texts = ranked(["e", "b", "c", "d", "a"], scores, torch.tensor([-0.5, 0.5, -1.0, 0.0, 0.25]))
    assert [one.text for one in texts] == ["c", "b", "a", "d", "e"]
    result = MatchResult(pictures("RGB")[0], texts)
    assert result.probabilities == pytest.approx((0.5, 1.0, 1.0, 0.5, 0.5))
    assert result.similarities == (-0.5, 0.5, -1.0, 0.0, 0.25)
    assert str(result).splitlines()[2] == "a 0.50 (similarity 0.25)"
    assert (result.to_json()["height"], result.to_json()["width"]) == (40, 100)
    assert result.to_json()["texts"][2] == {"text": "a", "index": 4, "probability": 0.5, "similarity": 0.25}
    assert result.draw().width == 480
