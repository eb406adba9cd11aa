"""Images that are a file each."""

from pathlib import Path

from PIL import Image

from fiber.data.readers.base import ImageReader
from fiber.data.readers.files import load_rgb


class ImageFileReader(ImageReader):
    """Samples whose image is the file at `location`."""

    def image_files(self, index: int) -> tuple[Path, ...]:
        return (Path(self.location(index)),)

    def encoded_images(self, index: int) -> list[bytes]:
        return [file.read_bytes() for file in self.image_files(index)]

    def load_image(self, index: int) -> Image.Image:
        location = self.location(index)
        return load_rgb(Path(location), location)
