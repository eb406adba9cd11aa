"""Packed shards hold what their data set holds."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiber.data.readers.base import BrokenImageError, Reader
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.data.readers.lvis_detection import LvisDetection
from fiber.data.readers.nlvr2 import Nlvr2Statements
from fiber.data.readers.objects365_tsv import Objects365Tsv
from fiber.data.readers.odinw import OdinwDetection
from fiber.data.readers.packed import read_packed
from fiber.data.readers.packed_index import INDEX_FILE, ShardLimits, read_listing, shard_faults
from fiber.data.readers.refer import ReferExpressions
from fiber.data.readers.vqa import VqaQuestions
from fiber.data.readers.webdataset import WebDatasetPairs
from fiber.data.shapes.captions import ShapesCaptions
from fiber.data.shapes.entities import ShapesEntities
from fiber.data.shapes.questions import ShapesQuestions
from fiber.data.shapes.referring import ShapesReferring
from fiber.detection.prompts import ClassPrompt
from fiber.preparation.packing import pack_shards
from fiber.utils.errors import UserError

TEN = ShardLimits(10, None)

REAL: dict[str, Callable[[Path], Reader]] = {
    "captions": lambda mini: KarpathyCaptions(
        str(mini / "karpathy/dataset_coco.json"), image_folder=str(mini / "coco"), split="val"
    ),
    "questions": lambda mini: VqaQuestions(
        str(mini / "vqav2/v2_OpenEnded_mscoco_minival_questions.json"),
        annotation_file=str(mini / "vqav2/v2_mscoco_minival_annotations.json"),
        image_folder=str(mini / "coco"),
    ),
    "statements": lambda mini: Nlvr2Statements(str(mini / "nlvr2/data/test1.json"), image_folder=str(mini / "nlvr2")),
    "expressions": lambda mini: ReferExpressions(
        str(mini / "refcoco"), image_folder=str(mini / "coco/train2014"), split="testA"
    ),
    "objects": lambda mini: OdinwDetection(str(mini / "odinw"), dataset="Raccoon", split="valid"),
    "table": lambda mini: Objects365Tsv(str(next((mini / "derived_o365_tsv").glob("*.yaml")))),
    "federated": lambda mini: LvisDetection(
        str(mini / "lvis/lvis_v0.5_val_mini.json"), image_folder=str(mini / "coco/val2014"), training=False
    ),
}
FACTS = ("name", "classes", "category_ids", "class_prompts", "frequencies", "dataset", "known_answers")
OF_SAMPLES = (
    *("image_id", "captions", "references", "question", "statement", "grounded_caption", "phrase_types"),
    *("objects", "negative_classes", "not_exhaustive_classes"),
)


def pixels(reader: Any, index: int) -> list[tuple[tuple[int, int], bytes]]:
    """Sizes and content of a sample's images."""
    images = reader.load_images(index) if hasattr(reader, "load_images") else [reader.load_image(index)]
    return [(image.size, image.tobytes()) for image in images]


def plain(value: Any) -> Any:
    """A sequence of whatever type as a list."""
    return list(value) if isinstance(value, list | tuple) else value


def require_same(packed: Any, reader: Any) -> None:
    """Whether two readers tell the same of everything."""
    assert len(packed) == len(reader)
    for name in FACTS:
        assert plain(getattr(packed, name, None)) == plain(getattr(reader, name, None)), name
    for name in OF_SAMPLES:
        if hasattr(reader, name):
            for index in range(len(reader)):
                assert plain(getattr(packed, name)(index)) == plain(getattr(reader, name)(index)), (name, index)
    for name in ("sizes", "caption_counts"):
        if hasattr(reader, name):
            np.testing.assert_array_equal(getattr(packed, name)(), getattr(reader, name)())
    assert list(packed.texts()) == list(reader.texts())
    for index in range(len(reader)):
        assert pixels(packed, index) == pixels(reader, index)


@pytest.mark.parametrize("kind", REAL)
def test_real_samples_are_read_as_from_the_data_set(kind: str, shared: Path, tmp_path: Path) -> None:
    reader = REAL[kind](shared / "data/mini")
    pack_shards(reader, tmp_path, limits=ShardLimits(5, None))
    require_same(pickle.loads(pickle.dumps(read_packed(str(tmp_path)))), reader)


@pytest.mark.parametrize(
    "reader",
    [
        ShapesQuestions("train", num_samples=11, image_size=32),
        ShapesEntities("train", num_samples=11, image_size=32),
        ShapesReferring("train", dataset="refcoco", num_samples=11, image_size=64),
    ],
    ids=lambda reader: type(reader).__name__,
)
def test_pictures_that_have_no_file_are_packed_without_loss(reader: Reader, tmp_path: Path) -> None:
    pack_shards(reader, tmp_path, limits=TEN)
    require_same(read_packed(str(tmp_path)), reader)


def test_prompts_worded_by_hand_are_kept(shared: Path, tmp_path: Path) -> None:
    reader = OdinwDetection(str(shared / "data/mini/odinw"), dataset="Raccoon", split="valid")
    reader.prompts = (ClassPrompt("raccoon", prefix="a masked "),)
    pack_shards(reader, tmp_path, limits=TEN)
    assert tuple(read_packed(str(tmp_path)).class_prompts) == reader.prompts  # type: ignore[attr-defined]


@pytest.fixture
def captions(tmp_path: Path) -> tuple[ShapesCaptions, Path]:
    """Forty captioned images in four shards."""
    reader = ShapesCaptions("train", num_samples=40, image_size=32)
    pack_shards(reader, tmp_path / "shards", limits=TEN)
    return reader, tmp_path / "shards"


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_shard_cut_in_half_is_reported_and_skipped(
    captions: tuple[ShapesCaptions, Path], caplog: pytest.LogCaptureFixture
) -> None:
    reader, folder = captions
    read_packed(str(folder))  # an index of all of them is no reason to trust in them later
    whole = (folder / "000001.tar").stat().st_size
    cut_in_half(folder / "000001.tar")
    packed: Any = read_packed(str(folder), max_lost=0.25)
    assert caplog.messages == [
        f"{folder / '000001.tar'} has {whole // 2:,} bytes of {whole:,}: its 10 samples are left out"
    ]
    kept = [*range(10), *range(20, 40)]
    assert [packed.image_id(index) for index in range(len(packed))] == [reader.image_id(index) for index in kept]
    assert [pixels(packed, place) for place in (9, 10, 29)] == [pixels(reader, index) for index in (9, 20, 39)]
    assert packed.caption_counts().tolist() == reader.caption_counts()[kept].tolist()


def test_more_than_the_allowed_share_of_lost_samples_is_an_error(captions: tuple[ShapesCaptions, Path]) -> None:
    _, folder = captions
    (folder / "000003.tar").unlink()
    with pytest.raises(
        UserError, match=r"10 of 40 samples .* more than data\.max_broken=0\.24 allows: .*000003\.tar is missing"
    ):
        read_packed(str(folder), max_lost=0.24)
    with pytest.raises(UserError, match=r"are lost, while models are judged on all samples: .* which mends them\.$"):
        read_packed(str(folder))
    cut_in_half(folder / "000000.tar")
    with pytest.raises(UserError, match=r"20 of 40 samples .*000000\.tar has .*, and 1 more"):
        read_packed(str(folder), max_lost=0.3)
    (folder / INDEX_FILE).unlink()
    with pytest.raises(UserError, match=r"shards\.json does not exist .* prepare_data\.py pack"):
        read_packed(str(folder))


def test_a_shard_that_is_cut_while_it_is_read_gives_broken_images(captions: tuple[ShapesCaptions, Path]) -> None:
    _, folder = captions
    packed: Any = read_packed(str(folder))
    cut_in_half(folder / "000001.tar")
    with pytest.raises(BrokenImageError, match=r"000001\.tar@\d+"):
        packed.load_image(19)


def test_changed_bytes_are_found_by_their_checksum_only(captions: tuple[ShapesCaptions, Path]) -> None:
    _, folder = captions
    listing = read_listing(folder)
    assert shard_faults(folder, listing, checksum=True) == {}
    path = folder / "000002.tar"
    content = bytearray(path.read_bytes())
    content[600] ^= 1  # in the first picture
    path.write_bytes(content)
    assert len(read_packed(str(folder))) == 40
    assert shard_faults(folder, listing, checksum=False) == {}
    assert shard_faults(folder, listing, checksum=True) == {path: "has another checksum than when it was packed"}


def test_a_shard_of_the_same_size_that_was_changed_is_read_anew(captions: tuple[ShapesCaptions, Path]) -> None:
    _, folder = captions
    packed: Any = read_packed(str(folder))
    path, [caption] = folder / "000000.tar", packed.captions(0)
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(content.replace(caption.encode(), caption.upper().encode()))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
    packed = read_packed(str(folder))
    assert packed.captions(0) == (caption.upper(),)


def test_captions_are_shards_as_img2dataset_writes_them(captions: tuple[ShapesCaptions, Path]) -> None:
    reader, folder = captions
    pairs = WebDatasetPairs([str(folder / "*.tar")])
    assert [pairs.captions(index)[0] for index in range(40)] == [reader.captions(index)[0] for index in range(40)]
    assert pixels(pairs, 39) == pixels(reader, 39)
