"""Few-shot subsets: the images that show every class a few times, chosen reproducibly.

Source: the original's sampling. It counts images, not objects: an image is taken, with all its boxes, if any of its
classes has been shown by fewer than K images so far.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from fiber.data.class_wording import shortened
from fiber.data.readers.task_readers import DetectionReader
from fiber.utils.errors import UserError


@dataclass(frozen=True)
class FewShotSubset:
    """Images of a reader to learn from."""

    reader: str
    """Name of the reader."""
    shots: int
    seed: int | None
    indices: tuple[int, ...]
    """Places in the reader, ascending."""
    image_ids: tuple[str, ...]
    """The data set's own, in the order of `indices`."""
    num_objects: Mapping[str, int]
    """Boxes in the subset by class name, crowds among them."""
    absent_classes: tuple[str, ...]
    """Classes that no image of the reader shows."""

    def to_json(self) -> str:
        """Everything, for the run directory."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def warnings(self) -> list[str]:
        """One warning of all classes that cannot be learned; none if every class is shown."""
        if not self.absent_classes:
            return []
        return [
            f"few-shot subset of {self.reader}: {len(self.absent_classes)} of {len(self.num_objects)} classes are "
            f"shown by no image: {shortened(self.absent_classes)}"
        ]


def select_few_shot(
    classes_per_image: Sequence[Collection[int]], shots: int, *, num_classes: int, seed: int | None
) -> list[int]:
    """Choose images in turn, as long as one of their classes needs more.

    A subset of the same seed with fewer shots is part of it.

    Args:
        classes_per_image: classes that each image shows, as numbers from 0.
        shots: images per class, if there are so many; images of several classes may bring more.
        num_classes: of the data set.
        seed: of the order in which images are looked at; None = as they stand, as the original does.

    Returns:
        Places of the chosen images, ascending.

    Raises:
        UserError: `shots` is less than 1.
    """
    if shots < 1:
        raise UserError(f"data.shots={shots}: give 1 or more images per class, or null for all data.")
    order = range(len(classes_per_image))
    turns = order if seed is None else np.random.default_rng(seed).permutation(len(order)).tolist()
    wanted = [shots] * num_classes
    chosen = []
    for index in turns:
        shown = set(classes_per_image[index])
        if any(wanted[class_index] > 0 for class_index in shown):
            chosen.append(index)
            for class_index in shown:
                wanted[class_index] -= 1
    return sorted(chosen)


def few_shot_subset(
    reader: DetectionReader, *, shots: int, seed: int | None, max_images: int | None = None
) -> FewShotSubset:
    """Choose images of a reader; crowds count as showing their class.

    Args:
        reader: all images, in the order that `seed=None` follows: by ascending image id, for COCO's layout.
        shots: images per class.
        seed: of the choice; None takes the first images that serve.
        max_images: of these, only the first so many.

    Raises:
        UserError: `shots` is less than 1.
    """
    classes_per_image = [[item.class_index for item in reader.objects(index)] for index in range(len(reader))]
    indices = select_few_shot(classes_per_image, shots, num_classes=len(reader.classes), seed=seed)
    indices = indices[:max_images]
    shown = set().union(*classes_per_image)
    counts = Counter(class_index for index in indices for class_index in classes_per_image[index])
    return FewShotSubset(
        reader=reader.name,
        shots=shots,
        seed=seed,
        indices=tuple(indices),
        image_ids=tuple(reader.image_id(index) for index in indices),
        num_objects={name: counts[place] for place, name in enumerate(reader.classes)},
        absent_classes=tuple(name for place, name in enumerate(reader.classes) if place not in shown),
    )
