"""A small copy is read by the same readers, and holds some of the samples as they were."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from fiber.data.readers.base import CaptionReader, ImageReader, Reader
from fiber.data.readers.karpathy import KarpathyCaptions
from fiber.data.readers.packed import read_packed
from fiber.data.readers.packed_index import ShardLimits
from fiber.data.readers.plain_pickle import read_plain_pickle
from fiber.data.readers.task_readers import DetectionReader, GroundingReader, QuestionReader, StatementReader
from fiber.preparation.data_splits import data_splits
from fiber.preparation.packing import pack_shards
from fiber.preparation.subset import write_subset
from fiber.preparation.verify import verify_data
from fiber.utils.errors import UserError

from .mini_readers import COCO, mini_readers, reader


def data(data_dir: Path, train: list[Any], val: Any = (), *, output: Path | None = None, **options: Any) -> DictConfig:
    """What `prepare_data.py` composes, with 3 samples of every reader."""
    return OmegaConf.create(
        {
            "data_dir": str(data_dir),
            "data": {"train": train, "val": val, "splits": options.pop("splits", {})},
            "output": None if output is None else str(output),
            "max_samples": 3,
            "seed": 0,
            "decode": True,
            "num_workers": 1,
            **options,
        }
    )


def sample_of(one: Reader, index: int) -> tuple[Any, ...]:
    """Everything of a sample: texts, boxes, pixels."""
    if isinstance(one, StatementReader):
        return one.statement(index), *(image.tobytes() for image in one.load_images(index))
    assert isinstance(one, ImageReader)
    said: Any = None
    if isinstance(one, CaptionReader):
        said = tuple(one.references(index))
    if isinstance(one, QuestionReader):
        said = one.question(index)
    if isinstance(one, GroundingReader):
        said = one.grounded_caption(index)
    if isinstance(one, DetectionReader):
        said = tuple((item, one.classes[item.class_index]) for item in one.objects(index))
    return said, one.load_image(index).tobytes()


def name_of(one: Reader, index: int) -> str:
    """By which a sample of the whole and of the small data is known to be the same."""
    if isinstance(one, StatementReader):
        return one.statement(index).identifier
    if isinstance(one, QuestionReader):
        return str(one.question(index).question_id)
    assert isinstance(one, ImageReader)
    return one.image_id(index)


def small_copy(config: DictConfig, counts: list[int], *, capsys: pytest.CaptureFixture[str]) -> list[Reader]:
    """Write a small copy and read it: as many samples as asked, each as it was, and all of it there."""
    write_subset(config)
    own = config.copy()
    own.data_dir = config.output
    assert verify_data(OmegaConf.merge(own, {"output": None})) == 0, capsys.readouterr().out
    whole = [split.build() for split in data_splits(config)]
    small = [split.build() for split in data_splits(own)]
    assert [len(one) for one in small] == counts
    for large, little in zip(whole, small, strict=True):
        places = {name_of(large, index): index for index in range(len(large))}
        for index in range(len(little)):
            assert sample_of(little, index) == sample_of(large, places[name_of(little, index)])
    return small


@pytest.mark.parametrize("form", mini_readers())
def test_real_samples_are_as_they_were(
    form: str, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readers, counts = mini_readers()[form]
    config = data(shared / "data/mini", readers[:1], readers[1:], output=tmp_path / "small")
    small_copy(config, counts, capsys=capsys)


def picture(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), (shade, shade, shade)).save(buffer, format="PNG")
    return buffer.getvalue()


def write_genome(folder: Path) -> dict[str, Any]:
    """Five images in two folders; one lists its id with the regions alone."""
    regions = [{"region_id": 10 + number, "image_id": number, "phrase": f"thing {number}"} for number in range(5)]
    images = [{"id": number, "regions": [regions[number]]} for number in range(4)] + [{"regions": [regions[4]]}]
    (folder / "regions.json").write_text(json.dumps(images))
    for number in range(5):
        place = folder / "images" / ("VG_100K" if number % 2 else "VG_100K_2")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(picture(number))
    return reader("visual_genome.VisualGenomeRegions", annotation_file="regions.json", image_folder="images")


def write_pairs(folder: Path) -> dict[str, Any]:
    lines = [{"image": f"pictures/{number}.png", "caption": f"Nr. {number} für dich", "own": 1} for number in range(5)]
    write_images(folder)
    (folder / "pairs.jsonl").write_text("\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n")
    return reader("jsonl.JsonlPairs", path="pairs.jsonl", image_folder=".")


def write_phrases(folder: Path) -> dict[str, Any]:
    phrase = {"text": "a cat", "boxes": [[0, 0, 3, 3]]}
    lines = [{"image": f"pictures/{n}.png", "caption": f"{n} a cat", "phrases": [phrase]} for n in range(5)]
    write_images(folder)
    (folder / "phrases.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return reader("grounding_jsonl.GroundingJsonl", path="phrases.jsonl")


def write_images(folder: Path) -> None:
    (folder / "pictures").mkdir()
    for number in range(5):
        (folder / f"pictures/{number}.png").write_bytes(picture(number))


def write_arrow(path: Path, columns: dict[str, list[Any]]) -> None:
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def write_arrow_pairs(folder: Path) -> dict[str, Any]:
    """Two files, of which the second may end without a row."""
    for name, numbers in (("a_0", range(4)), ("a_1", range(4, 5))):
        columns = {
            "image": [picture(number) for number in numbers],
            "caption": [[f"grey {number}", "grey"] for number in numbers],
            "image_id": [str(number) for number in numbers],
        }
        write_arrow(folder / f"{name}.arrow", columns)
    return reader("arrow.ArrowPairs", paths=["a_*.arrow"])


def write_arrow_questions(folder: Path) -> dict[str, Any]:
    """Three questions in every row."""
    columns = {
        "image": [picture(number) for number in range(4)],
        "image_id": list(range(4)),
        "questions": [["who", "what", "why"]] * 4,
        "question_id": [[10 * number, 10 * number + 1, 10 * number + 2] for number in range(4)],
        "answers": [[["yes"], ["no"], ["yes"]]] * 4,
        "answer_labels": [[[0], [1], [0]]] * 4,
        "answer_scores": [[[1.0], [0.3], [0.6]]] * 4,
    }
    write_arrow(folder / "q.arrow", columns)
    return reader("arrow_questions.ArrowQuestions", paths=["q.arrow"])


def write_arrow_statements(folder: Path) -> dict[str, Any]:
    columns = {
        "image_0": [picture(number) for number in range(5)],
        "image_1": [picture(number + 10) for number in range(5)],
        "questions": [[f"statement {number}"] for number in range(5)],
        "answers": [["True"]] * 5,
        "identifier": [f"dev-{number}-0" for number in range(5)],
    }
    write_arrow(folder / "s.arrow", columns)
    return reader("arrow_statements.ArrowStatements", paths=["s.arrow"])


def write_shards(folder: Path) -> dict[str, Any]:
    """Three pairs and then two, each with its json."""
    for name, numbers in (("0", range(3)), ("1", range(3, 5))):
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            for number in numbers:
                for suffix, content in (("jpg", picture(number)), ("txt", b"grey %d" % number), ("json", b"{}")):
                    member = tarfile.TarInfo(f"{number:05d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return reader("webdataset.WebDatasetPairs", paths=["*.tar"])


@pytest.mark.parametrize(
    "write",
    [write_genome, write_pairs, write_phrases, write_arrow_pairs, write_arrow_questions, write_arrow_statements],
)
def test_formats_without_real_samples_as_well(
    write: Callable[[Path], dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "whole").mkdir()
    config = data(tmp_path / "whole", [write(tmp_path / "whole")], output=tmp_path / "small")
    small_copy(config, [3], capsys=capsys)


def test_shards_keep_all_files_of_a_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "whole").mkdir()
    config = data(tmp_path / "whole", [write_shards(tmp_path / "whole")], output=tmp_path / "small", seed=None)
    write_subset(config)
    for name, numbers in (("0", (0, 1, 2)), ("1", ())):
        with tarfile.open(tmp_path / "small" / f"{name}.tar") as tar:
            assert tar.getnames() == [
                f"{number:05d}.{suffix}" for number in numbers for suffix in ("jpg", "txt", "json")
            ]
    (small,) = [split.build() for split in data_splits(data(tmp_path / "small", [write_shards(tmp_path / "whole")]))]
    assert isinstance(small, CaptionReader)
    assert [small.captions(index)[0] for index in range(len(small))] == ["grey 0", "grey 1", "grey 2"]
    assert small.load_image(2).getpixel((0, 0)) == (2, 2, 2)


def test_packed_shards_become_one_shard(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mini = shared / "data/mini"
    captions = KarpathyCaptions(str(mini / "karpathy/dataset_coco.json"), image_folder=str(mini / "coco"), split="val")
    pack_shards(captions, tmp_path / "whole/val", limits=ShardLimits(5, None))
    assert len(read_packed(str(tmp_path / "whole/val"))) == 14
    config = data(tmp_path / "whole", [reader("packed.read_packed", folder="val")], output=tmp_path / "small")
    small_copy(config, [3], capsys=capsys)
    assert sorted(path.name for path in (tmp_path / "small/val").iterdir()) == ["000000.tar", "shards.json"]


def test_readers_of_one_file_get_one_file_with_the_samples_of_all(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    readers, _ = mini_readers()["karpathy"]
    write_subset(data(mini, readers[:1], readers[1:], output=tmp_path / "small"))
    images = json.loads((tmp_path / "small/karpathy/dataset_coco.json").read_text())
    known = json.loads((mini / "karpathy/dataset_coco.json").read_text())
    assert images["dataset"] == "coco" and len(images["images"]) == 9
    assert all(image in known["images"] for image in images["images"])
    assert len(list((tmp_path / "small").rglob("*.jpg"))) == 9


def test_ids_licences_and_classes_stay(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    file = "coco/annotations/instances_val2017.json"
    write_subset(data(mini, [reader(COCO, annotation_file=file, image_folder="coco/val2017")], output=tmp_path / "s"))
    small, whole = (json.loads((folder / file).read_text()) for folder in (tmp_path / "s", mini))
    for key in ("info", "licenses", "categories"):
        assert small[key] == whole[key]
    assert len(small["images"]) == 3 and all(image in whole["images"] for image in small["images"])
    ids = {image["id"] for image in small["images"]}
    assert small["annotations"] == [one for one in whole["annotations"] if one["image_id"] in ids]


def test_referred_objects_keep_only_chosen_sentences(shared: Path, tmp_path: Path) -> None:
    readers, _ = mini_readers()["refer"]
    write_subset(data(shared / "data/mini", readers, output=tmp_path / "small"))
    references = read_plain_pickle(tmp_path / "small/refcoco/refs(unc).p", expected="refs")
    assert sum(len(reference["sentences"]) for reference in references) == 3
    for reference in references:
        assert reference["sent_ids"] == [sentence["sent_id"] for sentence in reference["sentences"]]


def test_the_seed_chooses_and_null_takes_the_first(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    one = write_pairs(tmp_path / "whole")
    chosen = {}
    for seed in (0, 0, 1, None):
        output = tmp_path / f"small_{len(list(tmp_path.iterdir()))}"
        write_subset(data(tmp_path / "whole", [one], output=output, seed=seed))
        lines = (output / "pairs.jsonl").read_text().splitlines()
        assert chosen.setdefault(seed, lines) == lines
    assert chosen[0] != chosen[1]
    assert [json.loads(line)["image"] for line in chosen[None]] == [f"pictures/{number}.png" for number in range(3)]


def test_missing_and_broken_images_and_missing_splits_are_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "whole").mkdir()
    pairs = write_pairs(tmp_path / "whole")
    (tmp_path / "whole/pictures/0.png").unlink()
    (tmp_path / "whole/pictures/1.png").write_bytes(picture(1)[:40])
    (tmp_path / "whole/pictures/3.png").write_bytes(b"")
    absent = reader("jsonl.JsonlPairs", path="val.jsonl")
    write_subset(data(tmp_path / "whole", [pairs], absent, output=tmp_path / "small"))
    said = capsys.readouterr().out
    assert "train: 2 of 5 samples of pairs.jsonl" in said
    assert "train: 3 samples of pairs.jsonl passed over, whose image is missing or cannot be decoded" in said
    assert sorted(path.name for path in (tmp_path / "small/pictures").iterdir()) == ["2.png", "4.png"]
    assert f"val is left out: {tmp_path / 'whole/val.jsonl'} is missing" in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": None}, "output is missing: give output=FOLDER"),
        ({"max_samples": None}, "max_samples=null: give 1 or more, such as max_samples=100"),
        ({"max_samples": 0}, "max_samples=0: give 1 or more"),
        ({"output": "."}, "output=. is there already: give a new or an empty folder"),
        ({"data_dir": "nowhere"}, "nothing of these data is there: is data_dir right"),
    ],
)
def test_wrong_options_end_in_one_message(
    changes: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "whole").mkdir()
    config = data(tmp_path / "whole", [write_pairs(tmp_path / "whole")], output=tmp_path / "small")
    with pytest.raises(UserError, match=message):
        write_subset(OmegaConf.merge(config, changes))


def test_data_that_cannot_be_made_small_say_so(shared: Path, tmp_path: Path) -> None:
    mini = shared / "data/mini"
    (questions,), _ = mini_readers()["vqa"]
    with pytest.raises(
        UserError, match=r"images=-10: of a file, which a small one does not have: give data=coarse_vqa"
    ):
        write_subset(data(mini, [questions | {"images": "-10:"}], output=tmp_path / "a"))
    shapes = {
        "_target_": "fiber.data.shapes.captions.ShapesCaptions",
        "split": "train",
        "num_samples": 5,
        "image_size": 64,
    }
    with pytest.raises(UserError, match="ShapesCaptions reads no files of which a small copy can be made"):
        write_subset(data(mini, [shapes], output=tmp_path / "b"))
    karpathy, _ = mini_readers()["karpathy"]
    outside = karpathy[0] | {"annotation_file": str(mini / "karpathy/dataset_coco.json")}
    with pytest.raises(UserError, match=r"dataset_coco\.json does not lie in data_dir=.*coco: give the data_dir that"):
        write_subset(data(mini / "coco", [outside | {"image_folder": str(mini / "coco")}], output=tmp_path / "c"))
