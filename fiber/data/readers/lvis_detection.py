"""LVIS v1 and v0.5: COCO's images with boxes of over a thousand classes, not all of them annotated in every image."""

from typing import Any

from fiber.data.readers.coco_detection import CocoDetection, FileDetails
from fiber.data.readers.task_readers import FederatedReader
from fiber.utils.errors import UserError


class LvisDetection(CocoDetection, FederatedReader):
    """LVIS as published. Arguments and errors as for `CocoDetection`.

    Args:
        annotation_file: such as `lvis_v1_val.json`, `lvis_v1_minival_inserted_image_name.json` or `lvis_v0.5_val.json`.
        image_folder: holds `train2017/` and `val2017/`, or the images themselves. `file_name` (`val2017/1.jpg`, or
            v0.5's `COCO_val2014_000000000001.jpg`) is tried first, then the end of `coco_url`.

    Raises:
        UserError: also if a category has no frequency.
    """

    layout = "lvis detection 1"
    distinct_words = False  # bow_(weapon) and bow_(decorative_ribbons) are both asked for as "bow"

    def __init__(
        self, annotation_file: str, *, image_folder: str, training: bool = True, keep_empty: bool = True
    ) -> None:
        super().__init__(annotation_file, image_folder=image_folder, training=training, keep_empty=keep_empty)
        frequencies = FileDetails(*self.index.details).frequencies
        self.frequencies = tuple(frequency for frequency in frequencies if frequency is not None)
        """LVIS: `r` in up to 10 training images, `c` up to 100."""
        if len(self.frequencies) < len(frequencies):
            raise UserError(f"{annotation_file}: categories lack frequency: expected LVIS annotations.")

    @staticmethod
    def possible_files(image: dict[str, Any]) -> list[str]:
        files = [image["file_name"]] if "file_name" in image else []
        if "coco_url" in image:
            parts = str(image["coco_url"]).split("/")[-2:]
            files += ["/".join(parts), parts[-1]]
        return files

    def negative_classes(self, index: int) -> tuple[int, ...]:
        return tuple(self.record(index).negative_classes)

    def not_exhaustive_classes(self, index: int) -> tuple[int, ...]:
        return tuple(self.record(index).not_exhaustive_classes)
