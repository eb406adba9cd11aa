"""A model of any kind behind one class."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import fiber
from fiber.checkpoints.model_description import ModelKind
from fiber.inference.fiber import VERBS, Fiber
from fiber.utils.errors import UserError

from .coarse_models import pictures
from .exported_models import ANSWERS, write_model

Exported = Callable[[ModelKind], Path]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Folder of an exported model of a kind; only to be read."""
    root = tmp_path_factory.mktemp("exported")
    return lambda kind: root / kind if (root / kind).is_dir() else write_model(root / kind, kind)


def loaded(folder: Path) -> Fiber:
    return Fiber.from_pretrained(folder, device="cpu")


@pytest.mark.parametrize("kind", [ModelKind.PRETRAINING, ModelKind.RETRIEVAL])
def test_pairs_are_embedded_and_matched(exported: Exported, kind: ModelKind) -> None:
    model, (one, other) = loaded(exported(kind)), pictures("RGB", "L")
    assert (model.kind, model.verbs) == (kind, ("embed_image", "embed_text", "match"))
    images, texts = model.embed_image([one, other]), model.embed_text(["a red circle", "two squares"])
    assert images.shape == texts.shape == (2, 16) and model.embed_image(other).shape == (16,)
    found = model.match([one, other], ["a red circle", "two squares"])
    similarities = torch.tensor([result.similarities for result in found])
    assert torch.allclose(similarities, images @ texts.T, atol=1e-5)
    assert model.match(other, ["a red circle", "two squares"]).probabilities == pytest.approx(found[1].probabilities)


def test_each_kind_does_what_it_is_trained_for(exported: Exported) -> None:
    one, other = pictures("RGB", "RGBA")
    answerer = loaded(exported(ModelKind.QUESTION_ANSWERING))
    answers = answerer.answer(answerer.encode_images([one, other]), "is it red?", top_k=2)
    assert [len(result.answers) for result in answers] == [2, 2] and answers[0].answer in ANSWERS
    assert answerer.answer(other, "is it red?").answer == answers[1].answer
    reasoner = loaded(exported(ModelKind.VISUAL_REASONING))
    assert [result.statement for result in reasoner.reason(one, other, ["a", "b"])] == ["a", "b"]
    captioner = loaded(exported(ModelKind.CAPTIONING))
    short, long = (captioner.caption(one, search="greedy", max_length=length).caption for length in (3, 12))
    assert long.startswith(short) and len(captioner.caption([one, other], num_beams=2, max_length=6)) == 2


def test_a_detector_takes_its_options(fine_run: Path) -> None:
    image = pictures("RGB")[0]
    model = Fiber.from_pretrained(fine_run, device="cpu", score_threshold=0, max_detections=3, short_side=32)
    assert model.predictor.image_input.short_side == 32  # type: ignore[union-attr]
    found = model.ground(image, "[a red circle] above [two squares]")
    assert len(found.detections) == 3 and found.names == ("a red circle", "two squares")
    assert model.detect([image], model.encode_classes(["circle"]))[0].names == ("circle",)
    assert loaded(fine_run).predictor.image_input.short_side == 64  # type: ignore[union-attr]


def test_a_verb_of_another_kind_says_how_to_get_a_model_that_can(exported: Exported, fine_run: Path) -> None:
    folder = exported(ModelKind.RETRIEVAL)
    start = f"{folder} is a model of kind retrieval, which cannot answer but embed_image, embed_text, match. Train one"
    command = f"python scripts/train.py stage=coarse task=vqa init_from={folder}"
    with pytest.raises(UserError) as error:
        loaded(folder).answer(pictures("RGB")[0], "what is it?")
    assert str(error.value) == f"{start} that can: {command}"
    with pytest.raises(UserError, match=r"cannot ground .* stage=fine init_from="):
        loaded(folder).ground(pictures("RGB")[0], "a dog")
    with pytest.raises(UserError, match=r"cannot match .* stage=coarse task=retrieval init_from=A_COARSE_RUN"):
        loaded(fine_run).match(pictures("RGB")[0], "a dog")
    with pytest.raises(UserError, match=r"score_threshold is an option of detectors, and .* kind retrieval"):
        Fiber.from_pretrained(folder, device="cpu", score_threshold=0.5)


def test_every_verb_of_every_kind_is_a_method() -> None:
    assert set(VERBS) == set(ModelKind)
    assert all(callable(getattr(Fiber, verb)) for verbs in VERBS.values() for verb in verbs)


def test_the_package_offers_it_without_importing_everything_at_once() -> None:
    code = "import sys, fiber; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "False\n", result.stderr
    assert fiber.Fiber is Fiber
    with pytest.raises(AttributeError, match="module 'fiber' has no attribute 'Fibre'"):
        fiber.Fibre  # noqa: B018
