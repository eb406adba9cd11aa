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
from fiber.inference.phrases.text_phrases import PhrasedText

SCORE_DIGITS, BOX_DIGITS = 4, 2
"""Decimals in JSON."""
MAX_LISTED = 20
"""Detections of a result as text."""


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
    text: PhrasedText | None = None
    """Whose phrases were asked for; None where classes were."""

    @property
    def prompt(self) -> Prompt | None:
        """The text with its phrases; None where classes were asked for."""
        return None if self.text is None else self.text.prompt

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
            `height` and `width` of the picture; `classes`, or `text`, `phrases` with `text` and `spans` [first
            character, one after the last] each, and `phrase_source` (`PhraseSource`: `noun_phrases` if rules found
            them); and `detections`, best first, with `label`, `name`, `score` to four decimals and `box` to two.
        """
        detections = [
            {
                "label": one.label,
                "name": one.name,
                "score": round(one.score, SCORE_DIGITS),
                "box": [round(value, BOX_DIGITS) for value in one.box],
            }
            for one in self.detections
        ]
        return {"height": self.image.height, "width": self.image.width, **self.asked(), "detections": detections}

    def asked(self) -> dict[str, Any]:
        """What was asked for, as content of a JSON object."""
        if self.text is None:
            return {"classes": list(self.names)}
        prompt, source = self.text
        phrases = [
            {"text": name, "spans": [list(span) for span in spans]}
            for name, spans in zip(prompt.names, prompt.spans, strict=True)
        ]
        return {"text": prompt.text, "phrases": phrases, "phrase_source": str(source)}

    def __str__(self) -> str:
        if not self.detections:
            return f"nothing found of {', '.join(self.names[:MAX_LISTED])}"
        lines = [f"{len(self.detections)} found", *(f"  {one}" for one in self.detections[:MAX_LISTED])]
        if len(self.detections) > MAX_LISTED:
            lines.append(f"  and {len(self.detections) - MAX_LISTED} more")
        return "\n".join(lines)

    @classmethod
    def collect(
        cls,
        image: Image.Image,
        found: Detections,
        names: Sequence[str],
        text: PhrasedText | None = None,
        *,
        score_threshold: float,
        max_detections: int,
    ) -> Self:
        """The detections that count, named.

        Args:
            image: RGB.
            found: K detections in pixels of `image`, best first.
            names: of the labels.
            text: if the labels are its phrases.
            score_threshold: lowest score that counts.
            max_detections: more are left out.
        """
        rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
        objects = [FoundObject(label, names[label], score, (x1, y1, x2, y2)) for label, score, (x1, y1, x2, y2) in rows]
        kept = [one for one in objects if one.score >= score_threshold][:max_detections]
        return cls(image, tuple(names), tuple(kept), text)
