"""Where converted weights come from, in words for the model's card."""

from pathlib import Path

from fiber.conversion.key_report import KeyReport, examples

MATCHING_HEAD = "matching_head"
"""Which models for retrieval by embeddings alone lack."""


def described_origin(report: KeyReport) -> str:
    """What was converted, what was not trained, and whose recipe stands beside it."""
    files = " and ".join(f"`{Path(source).name}`" for source in report.sources)
    sentences = [
        f"Converted from {files}: {len(report.loaded)} tensors were loaded, {len(report.resized)} of them resized; "
        "`conversion.json` names every one."
    ]
    if report.fresh:
        sentences.append(f"Not trained, because nothing was there to load: {examples(report.fresh)}.")
    if MATCHING_HEAD in report.untrained:
        sentences.append("Its head for matching is not trained: rank images and texts by their embeddings alone.")
    sentences.append("The recipe is the default of the task at this model's sizes, not that of the weights.")
    return " ".join(sentences)
