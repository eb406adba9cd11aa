"""A model to start from: a published Swin and a published RoBERTa, fused by cross-attention that is still to learn."""

from dataclasses import replace
from pathlib import Path

import torch

from fiber.checkpoints.model_description import CoarseDescription, ModelKind
from fiber.checkpoints.model_folder import ModelParts, write_model_folder
from fiber.checkpoints.pretrained import (
    as_image_half,
    as_text_half,
    fill_image,
    fill_text,
    find_text_file,
    read_weights,
)
from fiber.conversion.config import DEFAULT_FUSION_LAYERS, ConversionConfig
from fiber.conversion.fitting_vocabularies import fitting_tokenizer
from fiber.conversion.key_report import DropReason, KeyReport, untrained_parts
from fiber.conversion.origin import NOTHING, default_origin
from fiber.conversion.origin_text import described_origin
from fiber.conversion.original_description import PRETRAINING_TEXT, check_image_size, text_length
from fiber.conversion.original_sizes import COARSE, NamedTensors, roberta_sizes, swin_sizes
from fiber.conversion.recipe import compose_recipe
from fiber.conversion.record import write_record
from fiber.models.config import FusionConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.utils.errors import UserError


def convert_halves(settings: ConversionConfig, output: Path) -> KeyReport:
    """Write a folder with a model of the pre-training kind: both halves, all else as training would begin.

    Raises:
        UserError: a file cannot be read, is another architecture, or the two do not go together.
    """
    assert settings.image is not None and settings.text is not None
    image_file, text_file = Path(settings.image), Path(settings.text)
    for option, file in (("image", image_file), ("text", text_file)):
        if not file.exists():
            raise UserError(f"{option}={file} does not exist: give a local file.")
    image = read_weights("image", image_file)
    text = read_weights("text", find_text_file("text", text_file))
    description = describe_halves(
        NamedTensors(as_image_half(image), f"image={image_file}"),
        NamedTensors(as_text_half(text), f"text={text_file}"),
        settings,
    )
    tokenizer = fitting_tokenizer(settings.tokenizer_path, description)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = FiberForPretraining(description.backbone).eval()
    reports = (
        fill_image(model.backbone, image, source=f"image={image_file}"),
        fill_text(model.backbone, text, source=f"text={text_file}"),
    )
    loaded = tuple(f"backbone.{name}" for report in reports for name in report.loaded)
    fresh = tuple(name for name in model.state_dict() if name not in loaded)
    report = KeyReport(
        sources=(str(image_file), str(text_file)),
        loaded=loaded,
        resized=tuple(f"backbone.{name}" for report in reports for name in report.resized),
        dropped={DropReason.PUBLISHED_EXTRA: tuple(name for report in reports for name in report.ignored)},
        fresh=fresh,
        untrained=untrained_parts(fresh, loaded),
    )
    description = replace(description, untrained=report.untrained)
    recipe = compose_recipe(description, tokenizer_path=settings.tokenizer_path, folder=output)
    parts = ModelParts(model, description, tokenizer, None, recipe)
    write_model_folder(parts, output, origin=described_origin(report))
    write_record(output, report, default_origin(description), NOTHING)
    return report


def describe_halves(image: NamedTensors, text: NamedTensors, settings: ConversionConfig) -> CoarseDescription:
    """Sizes of the fused model."""
    swin = swin_sizes(image, COARSE.image)
    roberta = roberta_sizes(text, COARSE.text, num_heads=settings.text_heads)
    backbone = FusionConfig(
        image=swin,
        text=roberta,
        num_fusion_layers=DEFAULT_FUSION_LAYERS if settings.num_fusion_layers is None else settings.num_fusion_layers,
        projection_size=roberta.hidden_size,
        query_norm=settings.query_norm is not False,
    )
    size = swin.window_size * swin.stride if settings.image_size is None else settings.image_size
    check_image_size(size, swin.stride)
    return CoarseDescription(
        kind=ModelKind.PRETRAINING,
        backbone=backbone.with_window(size // swin.stride),
        image_size=size,
        max_text_length=text_length(settings.described, {}, roberta, PRETRAINING_TEXT),
    )
