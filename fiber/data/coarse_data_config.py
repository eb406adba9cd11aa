"""How whole images and their texts become batches."""

from dataclasses import dataclass

from fiber.data.augmentation import Augmentation
from fiber.data.data_module import LoaderConfig
from fiber.data.transforms import PixelTransform, ResizeTransform


@dataclass(frozen=True, kw_only=True)
class CoarseDataConfig(LoaderConfig):
    """What all tasks of the coarse stage share."""

    image_size: int
    """Side in pixels, a multiple of 32."""
    max_text_length: int
    """Tokens per text, special ones included."""
    val_batch_size: int = 32
    """Validation samples per batch."""
    augmentation: Augmentation = Augmentation.RESIZE
    max_broken: float = 0.01
    """Share of training samples with a broken image above which the run stops."""
    max_train_samples: int | None = None
    """Learn only from the first so many samples of every training set."""

    def transform(self) -> PixelTransform:
        """Of training pictures."""
        return self.augmentation.build(self.image_size)

    def val_transform(self) -> PixelTransform:
        """Of pictures to be judged on."""
        return ResizeTransform(self.image_size)
