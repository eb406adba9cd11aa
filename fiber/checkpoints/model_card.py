"""The card of a model: what it is, how to ask it, how it was trained and what it was measured to do. Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from fiber.checkpoints.model_description import CoarseDescription, ModelDescription, ModelKind


class Presentation(NamedTuple):
    """How a kind of model is presented."""

    pipeline_tag: str
    """The hub's name of its task."""
    title: str
    example: str
    """A line of Python that asks it."""


PRESENTATIONS: Mapping[ModelKind, Presentation] = {
    ModelKind.PRETRAINING: Presentation(
        "zero-shot-image-classification", "image-text matching", 'model.match(image, ["a cat", "a dog"])'
    ),
    ModelKind.RETRIEVAL: Presentation(
        "zero-shot-image-classification", "image-text retrieval", 'model.match(image, ["a cat", "a dog"])'
    ),
    ModelKind.QUESTION_ANSWERING: Presentation(
        "visual-question-answering", "question answering", 'model.answer(image, "what color is the cat?")'
    ),
    ModelKind.VISUAL_REASONING: Presentation(
        "visual-question-answering",
        "reasoning about two images",
        'model.reason(image, other, "both images show a cat")',
    ),
    ModelKind.CAPTIONING: Presentation("image-to-text", "captioning", "model.caption(image)"),
    ModelKind.DETECTOR: Presentation(
        "zero-shot-object-detection", "grounding and detection", 'model.ground(image, "a cat on a keyboard")'
    ),
}
RECIPE_KEYS = (
    "image_size",
    "max_text_length",
    "optimization.learning_rate",
    "optimization.batch_size",
    "optimization.max_steps",
    "optimization.max_epochs",
    "optimization.ema_decay",
)
"""Of the recipe, those that the card shows; `config.yaml` has all."""


def model_card(
    description: ModelDescription, recipe: DictConfig, *, num_parameters: int, origin: str, metrics: Mapping[str, float]
) -> str:
    """The content of the card.

    Args:
        description: of the model.
        recipe: configuration of the run that trained it.
        num_parameters: of the model.
        origin: a sentence or more: where the weights come from, and what else there is to know of them.
        metrics: `<split>/<task>/<metric>` with values; none if it was not measured.
    """
    shown = PRESENTATIONS[description.kind]
    header = ["---", "library_name: fiber-vl", f"pipeline_tag: {shown.pipeline_tag}", "tags: [fiber, vision-language]"]
    parts = [
        "\n".join([*header, "---"]),
        f"# FIBER for {shown.title}",
        "A Swin Transformer and a RoBERTa with gated cross-attention in their last layers (Dou et al. 2022, "
        f"*Coarse-to-Fine Vision-Language Pre-training with Fusion in the Backbone*). {origin}",
        f"## Use\n\n```python\nfrom PIL import Image\nfrom fiber import Fiber\n\n"
        f'image = Image.open("cat.jpg")\nmodel = Fiber.from_pretrained("PATH/OR/NAME")\nprint({shown.example})\n```',
        "## Model\n\n" + table(("", ""), size_rows(description, num_parameters)),
        "## Recipe\n\nThe whole of it is `config.yaml`.\n\n" + table(("", ""), recipe_rows(recipe)),
        "## Metrics\n\n" + metrics_part(metrics),
    ]
    return "\n\n".join(parts) + "\n"


def size_rows(description: ModelDescription, num_parameters: int) -> Iterator[tuple[str, str]]:
    """What the model is made of."""
    image, text = description.backbone.image, description.backbone.text
    yield "kind", description.kind.value.replace("_", " ")
    yield "parameters", f"{num_parameters:,}"
    yield "image", f"Swin, {image.embed_dim} channels, {'-'.join(map(str, image.depths))} blocks"
    yield "text", f"RoBERTa, {text.num_layers} layers of {text.hidden_size}, {text.vocab_size:,} tokens"
    yield "fusion", f"last {description.backbone.num_fusion_layers} layers of both"
    if isinstance(description, CoarseDescription):
        yield "sees", f"{description.image_size} x {description.image_size} pixels"
        yield "reads", f"{description.max_text_length} tokens"
    else:
        yield "sees", f"{description.short_side} pixels on the shorter side, at most {description.max_side}"
        yield "reads", f"{description.detector.text_budget} tokens"


def recipe_rows(recipe: DictConfig) -> Iterator[tuple[str, str]]:
    """The choices by which it was trained, where the recipe has them."""
    yield "task", f"stage={recipe.stage.name} task={recipe.task.name}"
    readers = OmegaConf.select(recipe, "data.train") or ()
    names = [str(reader.get("_target_")) for reader in readers if isinstance(reader, DictConfig)]
    yield "training data", ", ".join(dict.fromkeys(name.rpartition(".")[-1] for name in names))
    values = {key: OmegaConf.select(recipe, key) for key in RECIPE_KEYS}
    if values["optimization.max_steps"] is not None:
        del values["optimization.max_epochs"]  # which gives way
    yield from ((key, str(value)) for key, value in values.items() if value is not None)


def metrics_part(metrics: Mapping[str, float]) -> str:
    """What was measured; not how long it took."""
    rows = [(f"`{name}`", f"{value:.4f}") for name, value in metrics.items() if not name.startswith("train/")]
    return table(("metric", "value"), rows) if rows else "None were measured."


def table(header: tuple[str, str], rows: Any) -> str:
    """Of two columns."""
    lines = [header, ("---", "---"), *rows]
    return "\n".join(f"| {left} | {right} |" for left, right in lines)
