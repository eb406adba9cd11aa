"""Models as `torch.export` programs, which run without this library: dual encoders, and detectors up to suppression.

A detector's program calls a kernel of torchvision: the process that loads it says `import torchvision` before
`torch.export.load`.

Axes: N images or texts, S side, H W height and width in pixels, L text tokens, P embedding width, A anchors.
"""

import logging
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from fiber.checkpoints.model_description import CoarseDescription, DetectorDescription
from fiber.data.normalization import normalize_pixels
from fiber.data.transforms import STRIDE
from fiber.detection.anchors import make_anchors
from fiber.detection.box_coder import decode_boxes
from fiber.inference.model_loading import LoadedModel
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pair_model import PairModel
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)


class ImageEncoder(nn.Module):
    """Pictures to unit embeddings."""

    def __init__(self, model: PairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        """uint8 N 3 S S, RGB -> N P."""
        return self.model.embed_image(self.model.backbone.encode_image(normalize_pixels(image)))


class TextEncoder(nn.Module):
    """Texts to unit embeddings."""

    def __init__(self, model: PairModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, token_ids: Tensor) -> Tensor:
        """int64 N L, `<s> ... </s>` and padding -> N P."""
        mask = token_ids != self.model.backbone.config.text.pad_id
        return self.model.embed_text(self.model.backbone.encode_text(token_ids, mask))


class BoxPredictor(nn.Module):
    """A detector without thresholds and suppression."""

    def __init__(self, model: GroundedDetector) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, token_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One picture with one text.

        Args:
            image: uint8 1 3 H W, RGB, without padding.
            token_ids: int64 1 L, `<s> ... </s>` and padding.

        Returns:
            Boxes 1 A 4, continuous xyxy in pixels, not clipped to the image; probabilities that a box shows what a
            token names, 1 A L; centerness 1 A, both in (0, 1). A label's score is the square root of its tokens' mean
            probability times the centerness.
        """
        config = self.model.config
        mask = token_ids != config.backbone.text.pad_id
        output = self.model(normalize_pixels(image), token_ids, mask)
        anchors = make_anchors(output.level_sizes, config.strides, scale=config.anchor_scale, device=image.device)
        boxes = decode_boxes(output.deltas[0], anchors)[None]
        return boxes, output.token_logits.sigmoid(), output.centerness.sigmoid()


def export_image_encoder(model: PairModel, *, image_size: int) -> ExportedProgram:
    """For any number of pictures of `image_size` pixels."""
    image = torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8, device=device_of(model))
    return exported(ImageEncoder(model), (image,), ({0: Dim("images", min=1, max=4096)},))


def export_text_encoder(model: PairModel, *, max_text_length: int) -> ExportedProgram:
    """For any number of texts of up to `max_text_length` tokens."""
    token_ids = torch.full((2, max_text_length), 4, device=device_of(model))
    sizes = {0: Dim("texts", min=1, max=4096), 1: Dim("tokens", min=2, max=max_text_length)}
    return exported(TextEncoder(model), (token_ids,), (sizes,))


def export_detector(model: GroundedDetector, *, height: int, width: int) -> ExportedProgram:
    """For one picture of that size in pixels, and one text of the model's text budget.

    Raises:
        UserError: a side is no multiple of 32.
    """
    if height % STRIDE or width % STRIDE or min(height, width) < STRIDE:
        raise UserError(f"image_height={height} image_width={width}: give multiples of {STRIDE} pixels.")
    image = torch.zeros(1, 3, height, width, dtype=torch.uint8, device=device_of(model))
    token_ids = torch.full((1, model.config.text_budget), 4, device=device_of(model))
    return exported(BoxPredictor(model), (image, token_ids), None)


def exported(
    module: nn.Module, inputs: tuple[Tensor, ...], dynamic: tuple[dict[int, Dim], ...] | None
) -> ExportedProgram:
    """The module as a program for inference."""
    with torch.no_grad():
        return torch.export.export(module.eval(), inputs, dynamic_shapes=dynamic)


def device_of(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def write_programs(loaded: LoadedModel, folder: Path, *, height: int | None, width: int | None) -> list[Path]:
    """Programs of a model as `.pt2` files, with its tokeniser beside them.

    Args:
        loaded: a model that embeds pictures and texts, or a detector.
        folder: made if it does not exist.
        height: of a detector's picture in pixels; None = the shorter side of its run's validation, as a multiple of 32.
        width: likewise.

    Returns:
        The files: `image_encoder.pt2` and `text_encoder.pt2`, or `detector.pt2`, which needs torchvision where it is
        loaded.

    Raises:
        UserError: the model is of another kind, or a side is no multiple of 32.
    """
    description, model = loaded.description, loaded.model
    programs: dict[str, ExportedProgram] = {}
    if isinstance(description, DetectorDescription):
        assert isinstance(model, GroundedDetector)
        side = max(STRIDE, description.short_side // STRIDE * STRIDE)
        programs["detector"] = export_detector(model, height=height or side, width=width or side)
    elif isinstance(description, CoarseDescription) and isinstance(model, PairModel):
        programs["image_encoder"] = export_image_encoder(model, image_size=description.image_size)
        programs["text_encoder"] = export_text_encoder(model, max_text_length=description.max_text_length)
    else:
        raise UserError(
            f"{loaded.folder} is a model for {description.kind.replace('_', ' ')}: programs are made of models that "
            "embed (stage=coarse task=pretrain or retrieval) and of detectors."
        )
    folder.mkdir(parents=True, exist_ok=True)
    loaded.tokenizer.save(folder)
    files = []
    for name, program in programs.items():
        files.append(folder / f"{name}.pt2")
        torch.export.save(program, files[-1])
    if isinstance(description, DetectorDescription):
        log.info("%s needs `import torchvision` in the process that loads it", files[-1].name)
    return files
