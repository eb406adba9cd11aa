"""The best of every list of a gallery, for files and for people."""

from collections.abc import Sequence

from torch import Tensor

from fiber.data.retrieval_gallery import GalleryTexts
from fiber.evaluation.retrieval import best_images, best_texts
from fiber.tasks.coarse.retrieval.rankings import Tables
from fiber.tasks.coarse.sheets import SheetLine, SheetRow
from fiber.utils.distributed import gather_objects

NUM_LISTED = 10
"""Best of each in the result file."""
NUM_DRAWN = 3
"""Best captions of an image in the picture."""


def best_ids(tables: Tables, texts: GalleryTexts) -> dict[str, dict[str, list[str]]]:
    """The ten best of each list of the standard protocol over all processes, by the data set's identifiers."""
    all_ids = texts.text_ids
    text_ids, image_ids = [all_ids[index] for index in texts.standard.tolist()], texts.image_ids
    own = zip(tables.texts.images.tolist(), best_texts(tables.texts, NUM_LISTED).indices.tolist(), strict=True)
    best = dict(pair for part in gather_objects(list(own)) for pair in part)
    images = best_images(tables.images, NUM_LISTED).indices.tolist()
    return {
        "image_to_text": {image_ids[image]: [text_ids[text] for text in row] for image, row in sorted(best.items())},
        "text_to_image": {
            text: [image_ids[image] for image in row] for text, row in zip(text_ids, images, strict=True)
        },
    }


def gallery_rows(tables: Tables, texts: GalleryTexts, pictures: Sequence[Tensor]) -> list[SheetRow]:
    """The first images of this process, uint8 3 S S each, with their best captions."""
    captions = [texts.captions[index] for index in texts.standard.tolist()]
    owner = tables.texts.text_image.tolist()
    images = tables.texts.images.tolist()[: len(pictures)]
    best = best_texts(tables.texts, NUM_DRAWN).indices.tolist()[: len(pictures)]
    return [
        SheetRow(
            (picture,),
            tuple(
                SheetLine(f"{place}. {captions[text]}", verdict=owner[text] == image)
                for place, text in enumerate(row, start=1)
            ),
        )
        for picture, image, row in zip(pictures, images, best, strict=True)
    ]
