"""What a detector has looked at or read, to be asked about again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image

from fiber.inference.grounding_predictor import EncodedClasses
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.trunks import ImageTrunk


@dataclass(frozen=True)
class ClassList:
    """Classes that any number of pictures can be asked for without reading their names again."""

    names: tuple[str, ...]
    encoded: EncodedClasses
    encoder: GroundedDetector = field(repr=False, compare=False)
    """That has read them; another one cannot be asked for them."""


@dataclass(frozen=True)
class EncodedBatch:
    """Pictures of one padded size."""

    places: tuple[int, ...]
    """Of each among all pictures."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each in the network's input, without padding."""
    trunk: ImageTrunk


@dataclass(frozen=True)
class EncodedDetectorImages:
    """Pictures below the fusion; they count as several, even if there is one."""

    images: tuple[Image.Image, ...]
    """RGB."""
    batches: tuple[EncodedBatch, ...]
    """Every picture once."""
    encoder: GroundedDetector = field(repr=False, compare=False)
    """That has looked at them; another one cannot be asked about them."""

    def __len__(self) -> int:
        return len(self.images)


DetectorImageList = Sequence[Image.Image] | EncodedDetectorImages
DetectorImages = Image.Image | DetectorImageList
