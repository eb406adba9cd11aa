"""The captions with known scores, read."""

import json
from pathlib import Path
from typing import NamedTuple

FILES = {
    "fakecap_subset": ("captions_val2014_subset.json", "captions_val2014_fakecap_subset_results.json"),
    "human_1000": ("captions_val2014_1000_four_references.json", "captions_val2014_1000_human_results.json"),
}


class KnownCaptions(NamedTuple):
    references: dict[str, list[str]]
    hypotheses: dict[str, str]
    scores: dict[str, float]
    """Of the official evaluator, in our names."""


def known_captions(shared: Path, name: str) -> KnownCaptions:
    """References in the order in which the evaluator reads them."""
    folder = shared / "data" / "metrics" / "caption"
    truth, results = (json.loads((folder / file).read_text()) for file in FILES[name])
    references: dict[str, list[str]] = {str(image["id"]): [] for image in truth["images"]}
    for annotation in truth["annotations"]:
        references[str(annotation["image_id"])].append(annotation["caption"])
    return KnownCaptions(
        references,
        {str(result["image_id"]): result["caption"] for result in results},
        known_scores(folder, name),
    )


def known_scores(folder: Path, name: str) -> dict[str, float]:
    """`Bleu_1` as `bleu_1` and so on."""
    computed = json.loads((folder / "expected.json").read_text())[name]["computed"]
    return {key.lower(): value for key, value in computed.items()}
