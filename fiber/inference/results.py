"""What was found in a picture, for people and programs.

Axes: K detections. Boxes are continuous xyxy in pixels of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import torch
from PIL import Image

from fiber.data.records import Box
from fiber.detection.postprocessing import Detections
from fiber.detection.prompts import Prompt
from fiber.inference.drawing import draw_boxes, draw_caption

SCORE_DIGITS, BOX_DIGITS = 4, 2
"""Decimals in JSON."""


class FoundObject(NamedTuple):
    """One detection."""

    label: int
    """Place of its phrase or class among those asked for."""
    name: str
    """Of the phrase or class."""
    score: float
    """In (0, 1)."""
    box: Box

    def __str__(self) -> str:
        corners = ", ".join(f"{value:.1f}" for value in self.box)
        return f"{self.name} {self.score:.2f} [{corners}]"


@dataclass(frozen=True)
class GroundingResult:
    """Detections in one picture."""

    image: Image.Image = field(repr=False)
    """RGB."""
    names: tuple[str, ...] = field(repr=False)
    """Of the phrases or classes that were asked for."""
    detections: tuple[FoundObject, ...]
    """Best first."""
    prompt: Prompt | None = None
    """The text whose phrases were asked for; None where classes were."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.image.height, self.image.width

    def draw(self) -> Image.Image:
        """The picture with its boxes, above the text if there is one."""
        boxes = torch.tensor([one.box for one in self.detections]).view(-1, 4)
        texts = [f"{one.name} {one.score:.2f}" for one in self.detections]
        drawn = draw_boxes(self.image, boxes, texts, [one.label for one in self.detections])
        return drawn if self.prompt is None else draw_caption(drawn, self.prompt.text, self.prompt.spans)

    def to_json(self) -> dict[str, Any]:
        """Content of a JSON file.

        Returns:
            `size` [height, width], `text` or `classes`, and `detections`, best first, with `label`, `name`, `score` to
            four decimals and `box` to two.
        """
        asked = {"classes": list(self.names)} if self.prompt is None else {"text": self.prompt.text}
        detections = [
            {
                "label": one.label,
                "name": one.name,
                "score": round(one.score, SCORE_DIGITS),
                "box": [round(value, BOX_DIGITS) for value in one.box],
            }
            for one in self.detections
        ]
        return {"size": list(self.size), **asked, "detections": detections}

    @classmethod
    def collect(
        cls,
        image: Image.Image,
        found: Detections,
        names: Sequence[str],
        prompt: Prompt | None = None,
        *,
        score_threshold: float,
        max_detections: int,
    ) -> Self:
        """The detections that count, named.

        Args:
            image: RGB.
            found: K detections in pixels of `image`, best first.
            names: of the labels.
            prompt: the text, if the labels are its phrases.
            score_threshold: lowest score that counts.
            max_detections: more are left out.
        """
        rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
        objects = [FoundObject(label, names[label], score, (x1, y1, x2, y2)) for label, score, (x1, y1, x2, y2) in rows]
        kept = [one for one in objects if one.score >= score_threshold][:max_detections]
        return cls(image, tuple(names), tuple(kept), prompt)
