"""Captions of pictures.

captioner = Captioner(model, CoarseInput(description, tokenizer, "cpu"), description.generation)
print(captioner.caption(Image.open("cat.jpg"), num_beams=3))
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, overload
from zlib import crc32

import torch
from PIL import Image

from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.caption_generator import CaptionGenerator, GenerationConfig
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.inference.answer_drawing import draw_answers
from fiber.inference.arguments import batches
from fiber.inference.coarse_input import CoarseInput, ImageList, Images
from fiber.inference.coarse_predictor import CoarsePredictor
from fiber.models.captioning_model import FiberForCaptioning
from fiber.utils.configs import build_dataclass
from fiber.utils.errors import UserError
from fiber.utils.ranges import is_whole


@dataclass(frozen=True)
class CaptionResult:
    """What a picture shows, in words."""

    image: Image.Image = field(repr=False)
    """RGB."""
    caption: str

    def draw(self) -> Image.Image:
        """The picture above its caption."""
        return draw_answers(self.image, self.caption or "(empty)")

    def to_json(self) -> dict[str, Any]:
        """Content of a JSON file: `height` and `width` of the picture and `caption`."""
        return {"height": self.image.height, "width": self.image.width, "caption": self.caption}

    def __str__(self) -> str:
        return self.caption


class Captioner(CoarsePredictor):
    """Writes captions.

    Args:
        model: in evaluation mode.
        inputs: how pictures are prepared for it.
        generation: how captions are written unless a call says otherwise.
        batch_size: as of `CoarsePredictor`.

    Raises:
        UserError: `batch_size` is below 1.
    """

    def __init__(
        self,
        model: FiberForCaptioning,
        inputs: CoarseInput,
        generation: GenerationConfig,
        *,
        batch_size: int = 16,
    ) -> None:
        super().__init__(model.backbone, inputs, batch_size=batch_size)
        self.model = model
        self.generation = generation
        special = inputs.tokenizer
        self.vocabulary = CaptionVocabulary(
            bos_id=special.bos_id, pad_id=special.pad_id, eos_id=special.eos_id, mask_id=special.mask_id
        )

    @overload
    def caption(self, images: Image.Image, *, seed: int = 0, **overrides: Any) -> CaptionResult: ...
    @overload
    def caption(self, images: ImageList, *, seed: int = 0, **overrides: Any) -> list[CaptionResult]: ...
    @torch.no_grad()
    def caption(self, images: Images, *, seed: int = 0, **overrides: Any) -> CaptionResult | list[CaptionResult]:
        """One caption per picture.

        Args:
            images: one picture, several, or encoded ones.
            seed: of sampled captions (`search="sample"`), which depend on it and on the picture alone: give another one
                for another caption.
            overrides: fields of `GenerationConfig`, for this call.

        Returns:
            One result for one picture, else a list in the order of the pictures.

        Raises:
            UserError: there is no picture, something else is among them, an override is unknown, or it or the seed is
                out of its range.
        """
        if not is_whole(seed) or seed < 0:
            raise UserError(f"seed={seed}: give 0 or more, a whole number.")
        generator = CaptionGenerator(self.overridden(overrides), self.vocabulary, seed=seed)
        encoded = self.encode_images(images)
        results = []
        for rows in batches(len(encoded), self.batch_size):
            some = encoded.images[rows]
            decoder = CaptionDecoder(self.model, self.model.read_trunk(encoded.trunk[rows]))
            captions = generator.generate(decoder, [crc32(image.tobytes()) for image in some])
            written = [self.inputs.tokenizer.decode(one) for [one] in captions.words(self.vocabulary)]
            results += [CaptionResult(*pair) for pair in zip(some, written, strict=True)]
        return results[0] if isinstance(images, Image.Image) else results

    def overridden(self, overrides: dict[str, Any]) -> GenerationConfig:
        """How captions are written in one call.

        Raises:
            UserError: as `caption`.
        """
        known = [one.name for one in fields(GenerationConfig)]
        unknown = [name for name in overrides if name not in known]
        if unknown:
            raise UserError(f"{unknown[0]} is no option of captions: give {', '.join(known)} or seed.")
        config = build_dataclass(GenerationConfig, {**asdict(self.generation), **overrides}, "caption")
        if config.max_length > self.model.max_length:
            raise UserError(f"max_length={config.max_length}: the model writes at most {self.model.max_length} tokens.")
        return config
