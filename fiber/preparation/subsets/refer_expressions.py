"""Small files of REFER."""

import pickle
from collections.abc import Collection, Sequence
from typing import Any

from fiber.data.readers.files import read_json
from fiber.data.readers.plain_pickle import read_plain_pickle
from fiber.data.readers.refer import EXPECTED, EXPECTED_INSTANCES, ReferExpressions
from fiber.preparation.subsets.chosen_samples import ChosenSamples, grouped
from fiber.preparation.subsets.coco_layout import of_images
from fiber.preparation.subsets.small_folder import SmallFolder


def write_refer(chosen: Sequence[ChosenSamples[ReferExpressions]], folder: SmallFolder) -> None:
    """Write the chosen sentences with the objects that they refer to, and all objects of their images."""
    for refs_file, parts in grouped(chosen, lambda part: part.reader.refs_file).items():
        sentences = {part.reader.record(index).sentence_id for part in parts for index in part.indices}
        references = read_plain_pickle(refs_file, expected=EXPECTED)
        small = [part for one in references if (part := with_sentences(one, sentences))["sentences"]]
        folder.new(refs_file).write_bytes(pickle.dumps(small, protocol=2))  # which REFER's Python 2 reads
        images = {str(reference["image_id"]) for reference in small}
        instances = refs_file.parent / "instances.json"
        folder.write_json(instances, of_images(read_json(instances, expected=EXPECTED_INSTANCES), images))


def with_sentences(reference: dict[str, Any], wanted: Collection[int]) -> dict[str, Any]:
    """A referred object with some of its sentences, and everything else as it is."""
    small = {**reference, "sentences": [one for one in reference["sentences"] if one["sent_id"] in wanted]}
    if "sent_ids" in reference:
        small["sent_ids"] = [number for number in reference["sent_ids"] if number in wanted]
    return small
