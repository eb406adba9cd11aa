"""All scores together: known ones, and wrong input."""

import shutil
from pathlib import Path

import pytest

from fiber.evaluation.captioning import caption_scores as module
from fiber.evaluation.captioning import official
from fiber.evaluation.captioning.caption_scores import caption_scores, word_scores
from fiber.evaluation.captioning.official import official_scores
from fiber.utils.errors import UserError

from .fixtures import known_captions, known_scores

OURS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")
REFERENCES = {"7": ["a red circle", "one red circle"], "9": ["a blue square is left of a cross"]}


@pytest.mark.parametrize("name", ["fakecap_subset", "human_1000"])
def test_known_scores_without_java(shared: Path, name: str) -> None:
    known = known_captions(shared, name)
    scores = caption_scores(known.references, known.hypotheses)
    assert {key: scores[key] for key in OURS} == pytest.approx({key: known.scores[key] for key in OURS}, abs=1e-12)


def test_known_scores_of_captions_already_split(shared: Path) -> None:
    folder = shared / "data" / "metrics" / "caption"
    lines = {
        name: (folder / "nlg_eval_example" / f"{name}.txt").read_text().split("\n") for name in ("hyp", "ref1", "ref2")
    }
    hypotheses = [line.split() for line in lines["hyp"] if line]
    references = [
        [first.split(), second.split()] for first, second in zip(lines["ref1"], lines["ref2"], strict=True) if first
    ]
    scores, known = word_scores(hypotheses, references), known_scores(folder, "nlg_eval_example")
    assert {key: scores[key] for key in OURS} == pytest.approx({key: known[key] for key in OURS}, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fakecap_subset", "human_1000"])
def test_known_scores_of_the_official_evaluator(shared: Path, name: str) -> None:
    pytest.importorskip("pycocoevalcap", reason="needs pycocoevalcap")
    if shutil.which("java") is None:
        pytest.skip("needs java")
    known = known_captions(shared, name)
    found = official_scores(known.references, known.hypotheses)
    assert {key: found.scores[key] for key in known.scores} == pytest.approx(known.scores, abs=1e-12)
    assert ("spice" in found.scores) == (found.left_out is None)


def test_a_perfect_caption_scores_highest() -> None:
    scores = caption_scores(REFERENCES, {image: captions[0] for image, captions in REFERENCES.items()})
    assert scores["bleu_4"] == pytest.approx(1, abs=1e-8) and scores["rouge_l"] == pytest.approx(1)
    # Agreement with the other reference of the first image: one word of three, one pair of two, end included.
    assert 5 < scores["cider"] < 10 and 5 < scores["cider_d"] < 10


def test_an_empty_caption_scores_nothing() -> None:
    scores = caption_scores(REFERENCES, {"7": "", "9": " . "})
    assert all(score < 1e-9 for score in scores.values())


def test_the_official_scores_replace_ours_and_what_is_left_out_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = official.OfficialScores({"cider": 3.0, "meteor": 0.5}, "without SPICE: no models")
    monkeypatch.setattr(module, "official_scores", lambda references, hypotheses: found)
    scores = caption_scores(REFERENCES, {"7": "a", "9": "b"}, official=True)
    assert (scores["cider"], scores["meteor"]) == (3.0, 0.5) and "bleu_4" in scores
    assert caplog.messages == ["captions are scored without SPICE: no models"]


def test_without_java_the_official_scores_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocoevalcap", reason="needs pycocoevalcap")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = official_scores(REFERENCES, {"7": "a", "9": "b"})
    assert found.scores == {}
    assert found.left_out is not None and "there is no java" in found.left_out


def test_without_the_evaluator_the_official_scores_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official, "evaluator_folder", lambda: None)
    found = official_scores(REFERENCES, {"7": "a", "9": "b"})
    assert found.scores == {}
    assert found.left_out is not None and "fiber-vl[captions]" in found.left_out


def test_captions_of_other_images_are_refused() -> None:
    with pytest.raises(UserError, match=r"1 are of other images \(8\) and 1 of 2 images have none \(9\)"):
        caption_scores(REFERENCES, {"7": "a", "8": "b"})


def test_an_image_without_a_reference_is_named() -> None:
    with pytest.raises(UserError, match="image 9 has no reference caption"):
        caption_scores({"7": ["a"], "9": [" "]}, {"7": "a", "9": "b"})


def test_no_image_is_no_score() -> None:
    with pytest.raises(UserError, match="no image to judge"):
        caption_scores({}, {})
