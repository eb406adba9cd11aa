"""Transforms of training images, by name."""

from enum import StrEnum

from fiber.data.transforms import PixelTransform, RandAugmentTransform, ResizeTransform


class Augmentation(StrEnum):
    """Transforms of training images."""

    RESIZE = "resize"
    RANDAUGMENT = "randaugment"

    def build(self, image_size: int) -> PixelTransform:
        kinds = {Augmentation.RESIZE: ResizeTransform, Augmentation.RANDAUGMENT: RandAugmentTransform}
        return kinds[self](image_size)
