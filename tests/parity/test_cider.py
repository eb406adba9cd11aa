"""CIDEr-D of given captions, to the last digits."""

import json
from pathlib import Path

import pytest

from fiber.evaluation.captioning.cider import CiderD
from fiber.evaluation.captioning.document_frequencies import DocumentFrequencies

TOLERANCE = 1e-9


def test_cider_d_equals_the_given_scores(cider_golden: Path, report: list[str]) -> None:
    """Words are what white space separates; an image's references are a document."""
    content = json.loads(cider_golden.read_text())
    references = [[text.split() for text in row["references"]] for row in content["rows"]]
    scorer = CiderD(DocumentFrequencies.from_references(references))
    scores = [
        scorer.scores([row["hypothesis"].split()], truths)[0]
        for row, truths in zip(content["rows"], references, strict=True)
    ]
    expected = [row["cider_d"] for row in content["rows"]]
    differences = [abs(score - value) for score, value in zip(scores, expected, strict=True)]
    report.append(f"{cider_golden}: {len(scores)} captions, largest difference of CIDEr-D {max(differences):.1e}")
    assert max(differences) <= TOLERANCE
    assert sum(scores) / len(scores) == pytest.approx(content["mean"], abs=TOLERANCE)
