"""`prepare_data.py pack`: what it writes, and how it goes on."""

import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from fiber.data.readers.coco_detection import CocoDetection
from fiber.data.readers.jsonl import JsonlPairs
from fiber.data.readers.packed import read_packed
from fiber.data.readers.packed_index import INDEX_FILE, ShardLimits, read_listing
from fiber.data.shapes.captions import ShapesCaptions
from fiber.preparation import shard_writer as shards
from fiber.preparation.commands import prepare_data
from fiber.preparation.packing import pack_shards
from fiber.utils.errors import UserError

from .composing import composed

TEN, FIVE = ShardLimits(10, None), ShardLimits(5, None)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_questions_of_one_image_share_its_file(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mini, output = shared / "data/mini", tmp_path / "train"
    prepare_data(composed("pack", "data=coarse_vqa", f"data_dir={mini}", f"output={output}", "samples_per_shard=25"))
    listing = read_listing(output)
    assert [shard.samples for shard in listing.shards] == [25, 25, 10]
    assert (
        f"60 samples in 3 shards, {sum(shard.size for shard in listing.shards) / 1e6:.1f} MB" in capsys.readouterr().out
    )
    with tarfile.open(output / "000000.tar") as tar:
        names = tar.getnames()
        records = json.loads(tar.extractfile("000000000.json").read())  # type: ignore[union-attr]
        picture = tar.extractfile("000000000.jpg").read()  # type: ignore[union-attr]
    assert names[:4] == ["000000000.jpg", "000000000.json", "000000002.jpg", "000000002.json"]
    assert [sample["place"] for sample in records["samples"]] == [0, 1]
    image_id = int(records["samples"][0]["record"]["image_id"])
    assert picture == (mini / f"coco/train2014/COCO_train2014_{image_id:012d}.jpg").read_bytes()


def test_a_killed_command_goes_on_with_the_first_unfinished_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = ShapesCaptions("train", num_samples=35, image_size=32)
    pack_shards(reader, tmp_path / "at_once", limits=TEN)
    write, written = shards.write_tar, []

    def killed_in_the_third(file: object, content: shards.ShardContent) -> None:
        written.append(next(iter(content.groups)))
        write(file, content)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(shards, "write_tar", killed_in_the_third)
    folder = tmp_path / "resumed"
    with pytest.raises(KeyboardInterrupt):
        pack_shards(reader, folder, limits=TEN)
    assert set(contents(folder)) == {"000000.tar", "000001.tar", "000002.tar.part", INDEX_FILE}
    with pytest.raises(UserError, match="only 20 of 35 samples are packed: type the command"):
        read_packed(str(folder))
    pack_shards(reader, folder, limits=TEN)
    assert written == [f"shapes/train/{start}" for start in (0, 10, 20, 20, 30)]
    assert contents(folder) == contents(tmp_path / "at_once")


def test_shards_that_are_not_whole_are_written_anew_and_others_stay(tmp_path: Path) -> None:
    reader = ShapesCaptions("train", num_samples=35, image_size=32)
    pack_shards(reader, tmp_path, limits=TEN)
    expected = contents(tmp_path)
    (tmp_path / "000000.tar").write_bytes(expected["000000.tar"][:2000])
    (tmp_path / "000001.tar").unlink()
    swapped = bytearray(expected["000003.tar"])
    swapped[600] ^= 1
    (tmp_path / "000003.tar").write_bytes(swapped)
    untouched = (tmp_path / "000002.tar").stat().st_mtime_ns
    pack_shards(reader, tmp_path, limits=TEN)
    assert {name for name, content in contents(tmp_path).items() if content != expected[name]} == {"000003.tar"}
    pack_shards(reader, tmp_path, limits=TEN, check=True)
    assert contents(tmp_path) == expected
    assert (tmp_path / "000002.tar").stat().st_mtime_ns == untouched


def test_shards_are_full_by_bytes_too(tmp_path: Path) -> None:
    reader = ShapesCaptions("train", num_samples=12, image_size=32)
    listing = pack_shards(reader, tmp_path, limits=ShardLimits(5, 1))
    assert [shard.samples for shard in listing.shards] == [1] * 12
    assert len(read_packed(str(tmp_path))) == 12


def images(folder: Path, *, missing: int) -> CocoDetection:
    """A reader of ten images, the first of which are missing."""
    content = {
        "images": [{"id": number, "file_name": f"{number}.png"} for number in range(10)],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 3, "bbox": [0, 0, 5, 5]}],
        "categories": [{"id": 3, "name": "cat"}],
    }
    (folder / "train.json").write_text(json.dumps(content))
    for number in range(missing, 10):
        Image.new("RGB", (8, 6)).save(folder / f"{number}.png")
    return CocoDetection(str(folder / "train.json"), image_folder=str(folder))


def test_a_share_of_the_images_may_be_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader, folder = images(tmp_path, missing=2), tmp_path / "shards"
    with pytest.raises(UserError, match=r"train: \S+/0\.png, \S+/1\.png of samples 0 to 9 .* raise max_broken"):
        pack_shards(reader, folder, limits=TEN, max_broken=0.1)
    assert caplog.messages[0] == f"{reader.location(0)} is packed without its image: No such file or directory"
    caplog.clear()
    listing = pack_shards(reader, folder, limits=TEN, max_broken=0.2)
    assert [message.split(" is packed")[0] for message in caplog.messages] == [reader.location(0), reader.location(1)]
    assert listing.shards[0].missing == 2
    packed = read_packed(str(folder))
    with pytest.raises(OSError, match=r"000000\.tar@"):
        packed.load_image(1)  # type: ignore[attr-defined]
    assert packed.load_image(2).size == (8, 6)  # type: ignore[attr-defined]


def test_a_shard_is_not_mended_with_images_that_have_changed(tmp_path: Path) -> None:
    reader, folder = images(tmp_path, missing=0), tmp_path / "shards"
    (tmp_path / "9.png").unlink()
    assert [shard.missing for shard in pack_shards(reader, folder, limits=FIVE, max_broken=0.1).shards] == [0, 1]
    (tmp_path / "0.png").unlink()
    (folder / "000000.tar").unlink()
    with pytest.raises(UserError, match=r"0\.png of samples 0 to 4 cannot be read, .* raise max_broken"):
        pack_shards(reader, folder, limits=FIVE, max_broken=0.1)
    with pytest.raises(UserError, match=r"000000\.tar cannot be mended: images of train have changed .* Empty"):
        pack_shards(reader, folder, limits=FIVE, max_broken=0.2)
    assert set(contents(folder)) == {"000001.tar", INDEX_FILE}


def captioned(path: Path, *captions: str) -> JsonlPairs:
    """Pairs that share an image."""
    Image.new("RGB", (8, 6)).save(path.with_name("a.png"))
    path.write_text("".join(json.dumps({"image": "a.png", "caption": caption}) + "\n" for caption in captions))
    return JsonlPairs(str(path))


def test_other_annotations_or_limits_are_refused(tmp_path: Path) -> None:
    folder, one = tmp_path / "shards", ShardLimits(1, None)
    pack_shards(captioned(tmp_path / "train.jsonl", "a cat", "a dog"), folder, limits=one)
    (folder / "000001.tar").unlink()
    with pytest.raises(UserError, match=r"as its annotations were, which have changed since: empty the folder"):
        pack_shards(captioned(tmp_path / "train.jsonl", "a cat", "a red dog"), folder, limits=one)
    assert not (folder / "000001.tar").exists()
    asked = "samples_per_shard=1 shard_megabytes=null: give these, not samples_per_shard=5 shard_megabytes=2"
    reader = captioned(tmp_path / "train.jsonl", "a cat", "a dog")
    with pytest.raises(UserError, match=asked):
        pack_shards(reader, folder, limits=ShardLimits(5, 2_000_000))
    assert len(pack_shards(reader, folder, limits=one).shards) == 2 and (folder / "000001.tar").is_file()


def test_ctrl_c_says_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = shards.write_tar

    def interrupted(file: object, content: shards.ShardContent) -> None:
        if content.groups[next(iter(content.groups))].samples[0].place == 4:
            raise KeyboardInterrupt
        write(file, content)

    monkeypatch.setattr(shards, "write_tar", interrupted)
    asked = ("pack", "data=shapes_coarse_caption", "samples_per_shard=2", "max_samples=9", "image_size=32")
    with pytest.raises(KeyboardInterrupt, match=r"2 shards kept in .*; the same command goes on from here"):
        prepare_data(composed(*asked, f"output={tmp_path}"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=shapes_coarse_caption"], "output is missing: give output=FOLDER"),
        (["data=shapes_coarse_caption", "output=x", "split=tset"], "split=tset: these data have train, val, test"),
        (["data=shapes_fine_pretrain", "output=x"], "2 sets: write each .* set_number=0 to 1"),
        (["data=shapes_fine_pretrain", "output=x", "set_number=2"], "set_number=2: split=train has 2, counted from 0"),
        (["data=shapes_coarse_caption", "output=x", "samples_per_shard=0"], "samples_per_shard=0: give 1 or more"),
        (["data=shapes_coarse_caption", "output=x", "max_broken=2"], r"max_broken=2: give a share from 0 to 1"),
        (["data=shapes_coarse_caption", "output=x", "num_workers=2"], "num_workers=2 is no option of pack"),
    ],
)
def test_wrong_commands_end_in_one_message(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        prepare_data(composed("pack", *arguments))


def test_a_folder_of_other_shards_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file cannot be made a folder .*: give another output"):
        pack_shards(ShapesCaptions("train", num_samples=3, image_size=32), tmp_path / "file", limits=TEN)
    with pytest.raises(UserError, match=r"holds other files, such as file, and no shards\.json of earlier shards"):
        pack_shards(ShapesCaptions("train", num_samples=3, image_size=32), tmp_path, limits=TEN)
    (tmp_path / "file").unlink()
    pack_shards(ShapesCaptions("train", num_samples=3, image_size=32), tmp_path, limits=TEN)
    with pytest.raises(UserError, match=r"holds shards of .* \(3 samples of .*ShapesCaptions\), .*: empty the folder"):
        pack_shards(ShapesCaptions("train", num_samples=4, image_size=32), tmp_path, limits=TEN)
    (tmp_path / INDEX_FILE).unlink()
    with pytest.raises(UserError, match=r"such as 000000\.tar, and no shards\.json"):
        pack_shards(ShapesCaptions("train", num_samples=3, image_size=32), tmp_path, limits=TEN)
