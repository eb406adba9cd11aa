"""A reader of captioned images that lie in memory."""

from collections.abc import Sequence

from PIL import Image

from fiber.data.readers.base import BrokenImageError, CaptionReader


class CaptionMemory(CaptionReader):
    """Images of one grey value each, with as many captions as asked for; some are broken.

    Args:
        captions: number of captions of every image.
        broken: images that cannot be read.
        repeated: images whose first caption was published twice.
    """

    name = "memory"

    def __init__(self, captions: Sequence[int], *, broken: Sequence[int] = (), repeated: Sequence[int] = ()) -> None:
        self.counts, self.broken, self.repeated = list(captions), set(broken), set(repeated)

    def __len__(self) -> int:
        return len(self.counts)

    def captions(self, index: int) -> Sequence[str]:
        return [f"image {index} caption {number}" for number in range(self.counts[index])]

    def references(self, index: int) -> Sequence[str]:
        captions = self.captions(index)
        return [*captions[: index in self.repeated], *captions]

    def image_id(self, index: int) -> str:
        return f"id{index}"

    def location(self, index: int) -> str:
        return f"memory/{index}"

    def load_image(self, index: int) -> Image.Image:
        if index in self.broken:
            raise BrokenImageError(self.location(index))
        return Image.new("RGB", (5, 5), (index, index, index))
