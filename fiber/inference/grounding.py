"""A trained detector to ask: boxes for the phrases of texts, and for class lists.

grounder = Grounder(model, tokenizer, short_side=800, max_side=1333)
result = grounder.ground(Image.open("cat.jpg"), "a small dog chases two black cats")
result.draw().show()
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, overload

import torch
from PIL import Image

from fiber.data.tokenization import TextTokenizer
from fiber.detection.postprocessing import Detections, PostProcessingConfig
from fiber.detection.prompt_chunks import chunk_classes
from fiber.detection.prompts import Prompt
from fiber.detection.token_budget import SPECIAL_TOKENS
from fiber.inference.arguments import (
    TextList,
    Texts,
    aligned,
    batches,
    list_images,
    list_texts,
    require_count,
    require_encoder,
    require_unicode,
)
from fiber.inference.detector_encodings import (
    ClassList,
    DetectorImageList,
    DetectorImages,
    EncodedBatch,
    EncodedDetectorImages,
)
from fiber.inference.grounding_predictor import (
    EncodedClasses,
    EncodedPrompts,
    GroundingPredictor,
    Pair,
    joined,
    joined_prompts,
)
from fiber.inference.image_input import ImageInput
from fiber.inference.phrases.text_phrases import Phrase, PhrasedText, choose_phrases
from fiber.inference.results import GroundingResult
from fiber.models.grounded_detector import GroundedDetector
from fiber.utils.errors import UserError
from fiber.utils.ranges import is_number

log = logging.getLogger(__name__)

Phrases = Sequence[Phrase] | Sequence[Sequence[Phrase] | None] | None
"""Of one text, or of each of several."""


class Grounder:
    """Finds what words name.

    Pictures are of any mode and size. Those whose network input has the same size go through the model together, so
    that no picture's padding depends on its neighbours, and a result is the same in any company.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        short_side: pixels to which the shorter side of a picture is resized.
        max_side: pixels of the longer side at most.
        score_threshold: lowest score of a detection, in [0, 1). The post-processing has a threshold of its own,
            0.05 on the probability of a label, below which there is nothing.
        max_detections: per result.
        batch_size: pictures, or pairs of picture and text, that go through the model together; speed against memory.

    Raises:
        UserError: a number out of its range.
    """

    def __init__(
        self,
        model: GroundedDetector,
        tokenizer: TextTokenizer,
        *,
        short_side: int,
        max_side: int,
        score_threshold: float = 0.3,
        max_detections: int = 100,
        batch_size: int = 8,
    ) -> None:
        if not is_number(score_threshold) or not 0 <= score_threshold < 1:
            raise UserError(f"score_threshold={score_threshold}: give a number in [0, 1).")
        for value, name in ((short_side, "short_side"), (max_side, "max_side"), (max_detections, "max_detections")):
            require_count(value, name)
        config = PostProcessingConfig(max_detections=max_detections)
        self.predictor = GroundingPredictor(model, tokenizer, config)
        self.tokenizer = tokenizer
        self.text_budget = model.config.text_budget
        self.image_input = ImageInput(short_side=short_side, max_side=max_side)
        self.score_threshold = score_threshold
        self.max_detections = max_detections
        self.batch_size = require_count(batch_size, "batch_size")

    def encode_images(self, images: DetectorImages) -> EncodedDetectorImages:
        """Pictures to ask about again and again: image blocks below the fusion run here, and not again.

        Args:
            images: one picture, several, or encoded ones, which stay as they are.

        Raises:
            UserError: there is no picture, or something else is among them.
        """
        if isinstance(images, EncodedDetectorImages):
            require_encoder(images.encoder, self.predictor.model, "images")
            return images
        rgb = list_images(images)
        return EncodedDetectorImages(rgb, tuple(self.encoded_batches(rgb)), self.predictor.model)

    @overload
    def ground(self, images: Image.Image, texts: str, phrases: Phrases = None) -> GroundingResult: ...
    @overload
    def ground(self, images: DetectorImageList, texts: Texts, phrases: Phrases = None) -> list[GroundingResult]: ...
    @overload
    def ground(self, images: DetectorImages, texts: TextList, phrases: Phrases = None) -> list[GroundingResult]: ...
    def ground(
        self, images: DetectorImages, texts: Texts, phrases: Phrases = None
    ) -> GroundingResult | list[GroundingResult]:
        """Boxes for the phrases of texts.

        Args:
            images: one picture, several, or encoded ones.
            texts: one for all pictures, one for each, or several for one picture, which is encoded once.
            phrases: of the text, each as words that occur in it, as (first character, one after the last), or as
                several of these that name one thing; for a list of texts a list of such, None for those without. By
                default `choose_phrases` finds them in the text.

        Returns:
            One result for one picture and one text, else a list in the order of the pictures or texts.

        Raises:
            UserError: a text names nothing or is longer than the model reads, a phrase is not of its text, or numbers
                do not fit.
        """
        rgb = self.rgb_of(images)
        asked = self.phrased_texts(texts, phrases)
        prompts = list(dict.fromkeys(text.prompt for text in asked))
        places = {prompt: place for place, prompt in enumerate(prompts)}
        rows = aligned(images=len(rgb), texts=len(asked))
        pairs = [Pair(image, places[asked[text].prompt]) for image, text in rows]
        found = self.find(images, rgb, self.encoded_prompts(prompts), pairs)
        results = [
            self.result(rgb[image], one, asked[text].prompt.names, asked[text])
            for (image, text), one in zip(rows, found, strict=True)
        ]
        return results[0] if isinstance(images, Image.Image) and isinstance(texts, str) else results

    @overload
    def detect(self, images: Image.Image, classes: Sequence[str] | ClassList) -> GroundingResult: ...
    @overload
    def detect(self, images: DetectorImageList, classes: Sequence[str] | ClassList) -> list[GroundingResult]: ...
    def detect(
        self, images: DetectorImages, classes: Sequence[str] | ClassList
    ) -> GroundingResult | list[GroundingResult]:
        """Boxes for a list of classes, however long.

        Args:
            images: one picture, several, or encoded ones.
            classes: names, or what `encode_classes` made of them.

        Returns:
            One result for one picture, else a list in the order of the pictures.

        Raises:
            UserError: there is no picture, or as `encode_classes`.
        """
        if not isinstance(classes, ClassList):
            classes = self.encode_classes(classes)
        require_encoder(classes.encoder, self.predictor.model, "classes")
        rgb = self.rgb_of(images)
        prompts, ranges = classes.encoded
        pairs = [Pair(image, prompt) for image in range(len(rgb)) for prompt in range(len(prompts))]
        found = self.find(images, rgb, prompts, pairs)
        results = []
        for place, image in enumerate(rgb):
            own = found[place * len(prompts) : (place + 1) * len(prompts)]
            parts = [one._replace(labels=one.labels + labels.start) for one, labels in zip(own, ranges, strict=True)]
            results.append(self.result(image, joined(parts), classes.names))
        return results[0] if isinstance(images, Image.Image) else results

    def encode_classes(self, names: Sequence[str]) -> ClassList:
        """A class list to ask for again and again, without names that come again; says in the log if there are such, or
        if it takes several prompts.

        Raises:
            UserError: there is no name, one is blank, or one is longer than the model reads.
        """
        if isinstance(names, str) or (isinstance(names, Sequence) and not names):
            raise UserError("classes names nothing: give a list of names, say [person, dog].")
        given = list_texts(names, "classes")
        names = tuple(dict.fromkeys(given))
        if len(names) < len(given):
            again = next(name for name in names if given.count(name) > 1)
            log.warning("classes names %r again: every class is asked for once", again)
        chunks = chunk_classes(names, count_tokens=self.tokenizer.count, token_budget=self.text_budget)
        if len(chunks) > 1:
            log.warning(
                "%d classes are asked for in %d prompts of at most %d tokens", len(names), len(chunks), self.text_budget
            )
        prompts = self.encoded_prompts([chunk.prompt for chunk in chunks])
        encoded = EncodedClasses(prompts, tuple(chunk.classes for chunk in chunks))
        return ClassList(names, encoded, self.predictor.model)

    def phrased_text(self, text: str, phrases: Sequence[Phrase] | None = None) -> PhrasedText:
        """A text with the phrases that `ground` asks for.

        Raises:
            UserError: as `ground`.
        """
        require_unicode(text, "text")
        chosen = choose_phrases(text, phrases)
        num_tokens = self.tokenizer.count(chosen.prompt.text) + SPECIAL_TOKENS
        if num_tokens > self.text_budget:
            raise UserError(
                f"text {text!r} has {num_tokens} tokens, of which the model reads {self.text_budget}: shorten it, or "
                "ask in parts."
            )
        return chosen

    def phrased_texts(self, texts: Texts, phrases: Any) -> list[PhrasedText]:
        """One text or several with their phrases."""
        if isinstance(texts, str):
            return [self.phrased_text(texts, phrases)]
        texts = list_texts(texts, "texts")
        if phrases is not None and not isinstance(phrases, Sequence):
            raise UserError(f"phrases={phrases!r}: give a list of phrases for each of {len(texts)} texts, or null.")
        each = [None] * len(texts) if phrases is None else list(phrases)
        if len(each) != len(texts):
            raise UserError(f"phrases of {len(each)} texts for {len(texts)} texts: give a list for each, or null.")
        return [self.phrased_text(text, own) for text, own in zip(texts, each, strict=True)]

    def encoded_prompts(self, prompts: Sequence[Prompt]) -> EncodedPrompts:
        """Texts below the fusion."""
        rows = batches(len(prompts), self.batch_size)
        return joined_prompts([self.predictor.encode_prompts(prompts[some]) for some in rows])

    def encoded_batches(self, rgb: Sequence[Image.Image]) -> Iterator[EncodedBatch]:
        """Pictures by the size of their network input, each batch encoded when it is asked for."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, image in enumerate(rgb):
            groups[self.image_input.padded_size(image)].append(place)
        for group in groups.values():
            for rows in batches(len(group), self.batch_size):
                seen = [self.image_input(rgb[place], self.predictor.device) for place in group[rows]]
                trunk = self.predictor.encode_image(torch.cat([one.pixels for one in seen]))
                yield EncodedBatch(tuple(group[rows]), tuple(one.size for one in seen), trunk)

    def find(
        self, images: DetectorImages, rgb: Sequence[Image.Image], prompts: EncodedPrompts, pairs: Sequence[Pair]
    ) -> list[Detections]:
        """Any pictures with any prompts.

        Args:
            images: as the caller gave them; encoded ones are not encoded again.
            rgb: the same.
            prompts: encoded.
            pairs: places of pictures and prompts.

        Returns:
            Per pair, detections on the CPU in pixels of the picture.
        """
        of_image: dict[int, list[int]] = defaultdict(list)
        for place, pair in enumerate(pairs):
            of_image[pair.image].append(place)
        found: dict[int, Detections] = {}
        encoded = images.batches if isinstance(images, EncodedDetectorImages) else self.encoded_batches(rgb)
        for batch in encoded:
            own = [(place, row) for row, image in enumerate(batch.places) for place in of_image[image]]
            for some in (own[rows] for rows in batches(len(own), self.batch_size)):
                inputs = [Pair(row, pairs[place].prompt) for place, row in some]
                outputs = self.predictor.find(batch.trunk, batch.sizes, prompts, inputs)
                for (place, row), one in zip(some, outputs, strict=True):
                    image, (height, width) = rgb[batch.places[row]], batch.sizes[row]
                    found[place] = one.to("cpu").scaled(image.width / width, image.height / height)
        return [found[place] for place in range(len(pairs))]

    def result(
        self, image: Image.Image, found: Detections, names: Sequence[str], text: PhrasedText | None = None
    ) -> GroundingResult:
        """What counts of detections."""
        return GroundingResult.collect(
            image,
            found,
            names,
            text,
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
        )

    def rgb_of(self, images: DetectorImages) -> tuple[Image.Image, ...]:
        """The pictures themselves, encoded or not."""
        if not isinstance(images, EncodedDetectorImages):
            return list_images(images)
        require_encoder(images.encoder, self.predictor.model, "images")
        return images.images
