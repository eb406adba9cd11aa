"""A trained detector to ask: boxes for the phrases of texts, and for class lists.

grounder = Grounder(model, tokenizer, short_side=800, max_side=1333)
result = grounder.ground(Image.open("cat.jpg"), "a small dog chases two black cats")
result.draw().show()
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from PIL import Image

from fiber.data.tokenization import TextTokenizer
from fiber.detection.postprocessing import Detections, PostProcessingConfig
from fiber.detection.prompt_chunks import chunk_classes
from fiber.detection.prompts import Prompt
from fiber.detection.token_budget import SPECIAL_TOKENS
from fiber.inference.coarse_input import list_images, list_texts
from fiber.inference.grounding_predictor import (
    EncodedClasses,
    EncodedPrompts,
    GroundingPredictor,
    Pair,
    joined,
    joined_prompts,
)
from fiber.inference.image_input import ImageInput
from fiber.inference.results import GroundingResult
from fiber.inference.text_phrases import Phrase, PhrasedText, choose_phrases
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.trunks import ImageTrunk
from fiber.utils.errors import UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassList:
    """Classes that any number of pictures can be asked for without reading their names again."""

    names: tuple[str, ...]
    encoded: EncodedClasses


@dataclass(frozen=True)
class EncodedBatch:
    """Pictures of one padded size."""

    places: tuple[int, ...]
    """Of each among all pictures."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each in the network's input, without padding."""
    trunk: ImageTrunk


@dataclass(frozen=True)
class EncodedPictures:
    """Pictures below the fusion, to be asked about again and again; they count as several, even if there is one."""

    images: tuple[Image.Image, ...]
    """RGB."""
    batches: tuple[EncodedBatch, ...]
    """Every picture once."""

    def __len__(self) -> int:
        return len(self.images)


Pictures = Image.Image | Sequence[Image.Image] | EncodedPictures
Texts = list[str] | tuple[str, ...]
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
        if not 0 <= score_threshold < 1:
            raise UserError(f"score_threshold={score_threshold}: give a number in [0, 1).")
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size}: give 1 or more.")
        config = PostProcessingConfig(max_detections=max_detections)
        self.predictor = GroundingPredictor(model, tokenizer, config)
        self.tokenizer = tokenizer
        self.text_budget = model.config.text_budget
        self.image_input = ImageInput(short_side=short_side, max_side=max_side)
        self.score_threshold = score_threshold
        self.max_detections = max_detections
        self.batch_size = batch_size

    def encode_images(self, images: Pictures) -> EncodedPictures:
        """Pictures to ask about again and again: image blocks below the fusion run here, and not again.

        Args:
            images: one picture, several, or encoded ones, which stay as they are.

        Raises:
            UserError: there is no picture, or something else is among them.
        """
        if isinstance(images, EncodedPictures):
            return images
        pictures = list_images(images)
        return EncodedPictures(pictures, tuple(self.encoded_batches(pictures)))

    @overload
    def ground(self, images: Image.Image, texts: str, phrases: Phrases = None) -> GroundingResult: ...
    @overload
    def ground(
        self, images: Sequence[Image.Image] | EncodedPictures, texts: str | Texts, phrases: Phrases = None
    ) -> list[GroundingResult]: ...
    @overload
    def ground(self, images: Pictures, texts: Texts, phrases: Phrases = None) -> list[GroundingResult]: ...
    def ground(
        self, images: Pictures, texts: str | Texts, phrases: Phrases = None
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
        pictures = images.images if isinstance(images, EncodedPictures) else list_images(images)
        asked = self.phrased_texts(texts, phrases)
        number = max(len(pictures), len(asked))
        if any(length not in (1, number) for length in (len(pictures), len(asked))):
            raise UserError(
                f"{len(asked)} texts for {len(pictures)} pictures: give one text for all, one for each, or one picture."
            )
        prompts = list(dict.fromkeys(text.prompt for text in asked))
        picture_of = [0] * number if len(pictures) == 1 else list(range(number))
        text_of = asked * number if len(asked) == 1 else asked
        places = {prompt: place for place, prompt in enumerate(prompts)}
        pairs = [Pair(picture, places[text.prompt]) for picture, text in zip(picture_of, text_of, strict=True)]
        found = self.find(images, pictures, self.encoded_prompts(prompts), pairs)
        results = [
            self.result(pictures[pair.image], one, text.prompt.names, text)
            for pair, one, text in zip(pairs, found, text_of, strict=True)
        ]
        return results[0] if isinstance(images, Image.Image) and isinstance(texts, str) else results

    @overload
    def detect(self, images: Image.Image, classes: Sequence[str] | ClassList) -> GroundingResult: ...
    @overload
    def detect(
        self, images: Sequence[Image.Image] | EncodedPictures, classes: Sequence[str] | ClassList
    ) -> list[GroundingResult]: ...
    def detect(self, images: Pictures, classes: Sequence[str] | ClassList) -> GroundingResult | list[GroundingResult]:
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
        pictures = images.images if isinstance(images, EncodedPictures) else list_images(images)
        prompts, ranges = classes.encoded
        pairs = [Pair(picture, prompt) for picture in range(len(pictures)) for prompt in range(len(prompts))]
        found = self.find(images, pictures, prompts, pairs)
        results = []
        for picture in range(len(pictures)):
            own = found[picture * len(prompts) : (picture + 1) * len(prompts)]
            parts = [one._replace(labels=one.labels + labels.start) for one, labels in zip(own, ranges, strict=True)]
            results.append(self.result(pictures[picture], joined(parts), classes.names))
        return results[0] if isinstance(images, Image.Image) else results

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
        prompts = self.encoded_prompts([chunk.prompt for chunk in chunks])
        return ClassList(tuple(names), EncodedClasses(prompts, tuple(chunk.classes for chunk in chunks)))

    def prompt(self, text: str, phrases: Sequence[Phrase] | None = None) -> Prompt:
        """A text with the phrases that `ground` asks for.

        Raises:
            UserError: as `ground`.
        """
        return self.phrased_text(text, phrases).prompt

    def phrased_text(self, text: str, phrases: Sequence[Phrase] | None = None) -> PhrasedText:
        """As `prompt`, with where the phrases are from."""
        chosen = choose_phrases(text, phrases)
        num_tokens = self.tokenizer.count(chosen.prompt.text) + SPECIAL_TOKENS
        if num_tokens > self.text_budget:
            raise UserError(
                f"text {text!r} has {num_tokens} tokens, of which the model reads {self.text_budget}: shorten it, or "
                "ask in parts."
            )
        return chosen

    def phrased_texts(self, texts: str | Texts, phrases: Any) -> list[PhrasedText]:
        """One text or several with their phrases."""
        if isinstance(texts, str):
            return [self.phrased_text(texts, phrases)]
        texts = list_texts(texts, "texts")
        each = [None] * len(texts) if phrases is None else list(phrases)
        if len(each) != len(texts):
            raise UserError(f"phrases of {len(each)} texts for {len(texts)} texts: give a list for each, or null.")
        return [self.phrased_text(text, own) for text, own in zip(texts, each, strict=True)]

    def encoded_prompts(self, prompts: Sequence[Prompt]) -> EncodedPrompts:
        """Texts below the fusion."""
        starts = range(0, len(prompts), self.batch_size)
        return joined_prompts([self.predictor.encode_prompts(prompts[at : at + self.batch_size]) for at in starts])

    def encoded_batches(self, pictures: Sequence[Image.Image]) -> Iterator[EncodedBatch]:
        """RGB pictures by the size of their network input, each batch encoded when it is asked for."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, picture in enumerate(pictures):
            groups[self.image_input.padded_size(picture)].append(place)
        for group in groups.values():
            for start in range(0, len(group), self.batch_size):
                places = group[start : start + self.batch_size]
                seen = [self.image_input(pictures[place], self.predictor.device) for place in places]
                trunk = self.predictor.encode_image(torch.cat([one.pixels for one in seen]))
                yield EncodedBatch(tuple(places), tuple(one.size for one in seen), trunk)

    def find(
        self, images: Pictures, pictures: Sequence[Image.Image], prompts: EncodedPrompts, pairs: Sequence[Pair]
    ) -> list[Detections]:
        """Any pictures with any prompts.

        Args:
            images: as the caller gave them; encoded ones are not encoded again.
            pictures: the same, RGB.
            prompts: encoded.
            pairs: places of pictures and prompts.

        Returns:
            Per pair, detections on the CPU in pixels of the picture.
        """
        of_picture: dict[int, list[int]] = defaultdict(list)
        for place, pair in enumerate(pairs):
            of_picture[pair.image].append(place)
        found: dict[int, Detections] = {}
        batches = images.batches if isinstance(images, EncodedPictures) else self.encoded_batches(pictures)
        for batch in batches:
            own = [(place, row) for row, picture in enumerate(batch.places) for place in of_picture[picture]]
            for start in range(0, len(own), self.batch_size):
                some = own[start : start + self.batch_size]
                inputs = [Pair(row, pairs[place].prompt) for place, row in some]
                outputs = self.predictor.find(batch.trunk, batch.sizes, prompts, inputs)
                for (place, row), one in zip(some, outputs, strict=True):
                    picture, (height, width) = pictures[batch.places[row]], batch.sizes[row]
                    found[place] = one.to("cpu").scaled(picture.width / width, picture.height / height)
        return [found[place] for place in range(len(pairs))]

    def result(
        self, picture: Image.Image, found: Detections, names: Sequence[str], text: PhrasedText | None = None
    ) -> GroundingResult:
        """What counts of detections."""
        return GroundingResult.collect(
            picture,
            found,
            names,
            text,
            score_threshold=self.score_threshold,
            max_detections=self.max_detections,
        )
