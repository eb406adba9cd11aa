"""The card of a converted model."""

from fiber.checkpoints.key_report import KeyReport
from fiber.checkpoints.model_description import CoarseDescription, ModelDescription


def conversion_card(description: ModelDescription, report: KeyReport) -> str:
    """Markdown: what the model is, where it is from, what was not trained."""
    if isinstance(description, CoarseDescription):
        sizes = f"sees {description.image_size} x {description.image_size} pixels and {description.max_text_length}"
    else:
        sizes = f"sees {description.short_side} pixels on the shorter side and {description.detector.text_budget}"
    lines = [
        f"# FIBER, {description.kind.value.replace('_', ' ')}",
        "",
        f"Converted from `{report.source}`. It {sizes} tokens.",
        f"{len(report.loaded)} tensors are the file's, {len(report.resized)} of them resized; `conversion.json` names "
        "every one.",
    ]
    if report.fresh:
        lines += ["", f"Not trained, because the file lacks them: {', '.join(f'`{name}`' for name in report.fresh)}."]
    lines += [
        "",
        "`config.yaml` is the default recipe of the task with the sizes of this model: the file does not tell its own.",
        "",
    ]
    return "\n".join(lines)
