"""Where converted weights come from, in words for the model's card."""

from pathlib import Path

from fiber.conversion.key_report import KeyReport, examples


def described_origin(report: KeyReport) -> str:
    """What was converted, what was not trained, and whose recipe stands beside it."""
    sources = " and ".join(Path(part).name for part in report.source.split(" and "))
    sentences = [
        f"Converted from `{sources}`: {len(report.loaded)} tensors are the file's, {len(report.resized)} of them "
        "resized; `conversion.json` names every one."
    ]
    if report.fresh:
        sentences.append(f"Not trained, because the file lacks them: {examples(report.fresh)}.")
    sentences.append("The recipe is the default of the task at this model's sizes: the file does not tell its own.")
    return " ".join(sentences)
