"""A run or a model folder of ours, as a folder to hand on or in the original's format."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from fiber.checkpoints.model_description import DetectorDescription
from fiber.checkpoints.model_kinds import original_names
from fiber.conversion.config import ConversionConfig
from fiber.conversion.key_report import KeyReport
from fiber.conversion.origin import NOTHING, default_origin, original_content
from fiber.conversion.original_settings import obstacles, original_settings
from fiber.conversion.record import read_record, write_record
from fiber.inference.model_loading import load_model
from fiber.inference.programs import write_programs
from fiber.inference.publishing import save_model
from fiber.models.detector_config import ChannelOrder
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

PATCH_PROJECTION = "backbone.image.patch_embedding.projection.weight"


def export_run(settings: ConversionConfig, output: Path) -> KeyReport:
    """Write a run's model, and what belongs to it, as a folder.

    Raises:
        UserError: the run cannot be loaded.
    """
    assert settings.input is not None
    loaded = load_model(settings.input)
    report = KeyReport(sources=(settings.input,), loaded=tuple(loaded.model.state_dict()))
    save_model(loaded, output, with_records=False)  # they are written anew
    record = read_record(loaded.folder)
    origin, extra = record or (default_origin(loaded.description), NOTHING)
    write_record(output, report, origin, extra if settings.keep_extra else NOTHING)
    return report


def export_programs(settings: ConversionConfig, output: Path) -> KeyReport:
    """Write a model as programs that run without this library.

    Raises:
        UserError: as `write_programs`, or the model cannot be loaded.
    """
    assert settings.input is not None
    loaded = load_model(settings.input)
    for name, size in (("image_height", settings.image_height), ("image_width", settings.image_width)):
        if size is not None and not isinstance(loaded.description, DetectorDescription):
            raise UserError(f"{name}={size} is for detectors, input={settings.input} is none: leave it out.")
    files = write_programs(loaded, output, height=settings.image_height, width=settings.image_width)
    log.info("programs: %s", ", ".join(file.name for file in files))
    return KeyReport(sources=(settings.input,), loaded=tuple(loaded.model.state_dict()))


def write_original(settings: ConversionConfig, output: Path) -> KeyReport:
    """Write a model of ours as the original would save it.

    Where the model came from a file of the original's, that file is written again. Otherwise what only the original
    has gets its initial values.

    Raises:
        UserError: the model cannot be loaded, or the original would compute something else.
    """
    assert settings.input is not None
    loaded = load_model(settings.input)
    description = loaded.description
    record = read_record(loaded.folder)
    if not settings.allow_surprising and record is None and (reasons := obstacles(description)):
        raise UserError(
            f"input={settings.input}: the original's code does not compute this model, which has {'; '.join(reasons)}. "
            "allow_surprising=true writes it all the same, to be read by this library."
        )
    weights = loaded.model.state_dict()
    if record is None and isinstance(description, DetectorDescription):
        weights = reading_bgr(weights, description)
    origin, extra = record or (default_origin(description), NOTHING)
    extra = extra if settings.keep_extra else NOTHING
    content = original_content(weights, description, origin, extra, original_settings(description))
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, output)
    names = {name.ours for name in original_names(description)}
    return KeyReport(
        sources=(settings.input,),
        loaded=tuple(name for name in weights if name in names),
        surprising=tuple(name for name in weights if name not in names),
    )


def reading_bgr(weights: dict[str, Tensor], description: DetectorDescription) -> dict[str, Tensor]:
    """A detector's weights for pictures whose channels stand in the original's order, with the same result."""
    if description.detector.channel_order is ChannelOrder.BGR:
        return weights
    return {**weights, PATCH_PROJECTION: weights[PATCH_PROJECTION].flip(1)}
