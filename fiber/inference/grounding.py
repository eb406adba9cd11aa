"""A trained detector to ask: boxes for the phrases of texts, and for class lists.

model = GroundingModel.from_run("outputs/fine-pretrain/DATE")
result = model.ground(Image.open("cat.jpg"), "[a small dog] chases [two black cats]")
result.draw().show()
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, overload

from PIL import Image

from fiber.checkpoints.model_description import DetectorDescription
from fiber.data.tokenization import TextTokenizer
from fiber.detection.postprocessing import Detections, PostProcessingConfig
from fiber.detection.prompt_chunks import chunk_classes
from fiber.detection.prompts import Prompt, caption_prompt
from fiber.detection.token_budget import SPECIAL_TOKENS
from fiber.inference.devices import choose_device
from fiber.inference.grounding_predictor import EncodedClasses, GroundingPredictor
from fiber.inference.image_input import ImageInput, NetworkInput
from fiber.inference.model_loading import load_model
from fiber.inference.results import GroundingResult
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)

Images = Image.Image | Sequence[Image.Image]


@dataclass(frozen=True)
class ClassList:
    """Classes that any number of pictures can be asked for without reading their names again."""

    names: tuple[str, ...]
    encoded: EncodedClasses


class GroundingModel:
    """Finds what words name.

    Pictures of any mode and size are taken one by one, so that a result does not depend on its neighbours.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        short_side: pixels to which the shorter side of a picture is resized.
        max_side: pixels of the longer side at most.
        score_threshold: lowest score of a detection, in [0, 1). The post-processing has a threshold of its own,
            0.05 on the probability of a label, below which there is nothing.
        max_detections: per picture.

    Raises:
        UserError: a number out of its range.
    """

    def __init__(
        self,
        model: GroundedDetector,
        tokenizer: TextTokenizer,
        *,
        short_side: int = 800,
        max_side: int = 1333,
        score_threshold: float = 0.3,
        max_detections: int = 100,
    ) -> None:
        if not 0 <= score_threshold < 1:
            raise UserError(f"score_threshold={score_threshold}: give a number in [0, 1).")
        config = PostProcessingConfig(max_detections=max_detections)
        self.predictor = GroundingPredictor(model, tokenizer, config)
        self.tokenizer = tokenizer
        self.text_budget = model.config.text_budget
        self.image_input = ImageInput(short_side=short_side, max_side=max_side)
        self.score_threshold = score_threshold
        self.max_detections = max_detections

    @classmethod
    def from_run(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        short_side: int | None = None,
        score_threshold: float = 0.3,
        max_detections: int = 100,
    ) -> Self:
        """The model of a fine run.

        Args:
            path: directory of the run (its best checkpoint, else its last), or a checkpoint in one.
            device: auto, cpu or cuda.
            short_side: as for the class; None takes that of the run's validation.
            score_threshold: as for the class.
            max_detections: as for the class.

        Raises:
            UserError: anything is missing, damaged, of another stage or out of its range.
        """
        loaded = load_model(path, device=choose_device(device))
        description = loaded.description
        if not isinstance(description, DetectorDescription) or not isinstance(loaded.model, GroundedDetector):
            raise UserError(
                f"{path} is of a coarse run, which has no detector. Train one that starts from it: "
                f"python scripts/train.py stage=fine init_from={path}"
            )
        return cls(
            loaded.model,
            loaded.tokenizer,
            short_side=description.short_side if short_side is None else short_side,
            max_side=description.max_side,
            score_threshold=score_threshold,
            max_detections=max_detections,
        )

    @overload
    def ground(self, images: Image.Image, texts: str) -> GroundingResult: ...
    @overload
    def ground(self, images: Sequence[Image.Image], texts: str | Sequence[str]) -> list[GroundingResult]: ...
    def ground(self, images: Images, texts: str | Sequence[str]) -> GroundingResult | list[GroundingResult]:
        """Boxes for the phrases of texts.

        Args:
            images: one picture, or several.
            texts: one text for all pictures, or one for each; `caption_prompt` says how phrases are marked.

        Returns:
            One result for one picture, else a list in the order of the pictures.

        Raises:
            UserError: a text names nothing or is longer than the model reads, or their number is wrong.
        """
        if isinstance(images, Image.Image):
            return self.ground([images], texts)[0]
        texts = [texts] * len(images) if isinstance(texts, str) else list(texts)
        if len(texts) != len(images):
            raise UserError(f"{len(texts)} texts for {len(images)} pictures: give one for all, or one for each.")
        prompts = [self.prompt(text) for text in texts]
        return [self.ground_one(image, prompt) for image, prompt in zip(images, prompts, strict=True)]

    @overload
    def detect(self, images: Image.Image, classes: Sequence[str] | ClassList) -> GroundingResult: ...
    @overload
    def detect(self, images: Sequence[Image.Image], classes: Sequence[str] | ClassList) -> list[GroundingResult]: ...
    def detect(self, images: Images, classes: Sequence[str] | ClassList) -> GroundingResult | list[GroundingResult]:
        """Boxes for a list of classes, however long.

        Args:
            images: one picture, or several.
            classes: names, or what `encode_classes` made of them.

        Returns:
            One result for one picture, else a list in the order of the pictures.

        Raises:
            UserError: as `encode_classes`.
        """
        if not isinstance(classes, ClassList):
            classes = self.encode_classes(classes)
        if isinstance(images, Image.Image):
            return self.detect_one(images, classes)
        return [self.detect_one(image, classes) for image in images]

    def encode_classes(self, names: Sequence[str]) -> ClassList:
        """A class list to ask for again and again; says in the log if it takes several prompts.

        Raises:
            UserError: there is no name, one is blank, or one is longer than the model reads.
        """
        if not names or isinstance(names, str):
            raise UserError("classes names nothing: give a list of names, say [person, dog].")
        chunks = chunk_classes(names, count_tokens=self.tokenizer.count, token_budget=self.text_budget)
        if len(chunks) > 1:
            log.warning(
                "%d classes are asked for in %d prompts of at most %d tokens", len(names), len(chunks), self.text_budget
            )
        return ClassList(tuple(names), self.predictor.encode_classes(chunks))

    def prompt(self, text: str) -> Prompt:
        """A text with its phrases.

        Raises:
            UserError: it names nothing, or it is longer than the model reads.
        """
        prompt = caption_prompt(text)
        num_tokens = self.tokenizer.count(prompt.text) + SPECIAL_TOKENS
        if num_tokens > self.text_budget:
            raise UserError(
                f"text {text!r} has {num_tokens} tokens, of which the model reads {self.text_budget}: shorten it, or "
                "ask in parts."
            )
        return prompt

    def ground_one(self, image: Image.Image, prompt: Prompt) -> GroundingResult:
        """The phrases of a text in one picture."""
        image = image.convert("RGB")
        seen = self.image_input(image, self.predictor.device)
        found = self.predictor.ground(seen.pixels, [seen.size], [prompt])[0]
        return self.result(image, seen, found, prompt.names, prompt)

    def detect_one(self, image: Image.Image, classes: ClassList) -> GroundingResult:
        """Classes in one picture."""
        image = image.convert("RGB")
        seen = self.image_input(image, self.predictor.device)
        found = self.predictor.detect(seen.pixels, [seen.size], classes.encoded)[0]
        return self.result(image, seen, found, classes.names)

    def result(
        self,
        image: Image.Image,
        seen: NetworkInput,
        found: Detections,
        names: Sequence[str],
        prompt: Prompt | None = None,
    ) -> GroundingResult:
        """Detections in the network's input as a result in the picture's own pixels."""
        height, width = seen.size
        return GroundingResult.collect(
            image,
            found.to("cpu").scaled(image.width / width, image.height / height),
            names,
            prompt,
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
        )
