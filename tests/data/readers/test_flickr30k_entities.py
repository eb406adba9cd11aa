"""Flickr30k Entities: sentences with marks, boxes, and real samples."""

import json
import pickle
import re
from pathlib import Path

import pytest

from fiber.data.readers.flickr30k_entities import Flickr30kEntities, parse_sentence, read_sentences
from fiber.data.readers.mdetr_grounding import MdetrGrounding
from fiber.data.records import GroundedCaption, Phrase
from fiber.utils.errors import UserError

BEACH = "[/EN#101/people Two men] hold [/EN#102/other/vehicles a red ball] near [/EN#103/scene the beach] ."
BACK = "[/EN#103/scene The beach] ."
AGAIN = "[/EN#102/other A ball] is [/EN#102/other a ball] to [/EN#0/notvisual him] ."


def box(*sides: int) -> str:
    named = zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=True)
    return f"<bndbox>{''.join(f'<{name}>{side}</{name}>' for name, side in named)}</bndbox>"


def thing(content: str, *names: int) -> str:
    return f"<object>{''.join(f'<name>{name}</name>' for name in names)}{content}</object>"


XML = "".join(
    [
        "<annotation><filename>7.jpg</filename><size><width>100</width><height>80</height><depth>3</depth></size>",
        thing(box(0, 0, 20, 40), 101),
        thing(box(30, 0, 50, 40), 101),
        thing(box(60, 60, 80, 80), 102, 104),
        thing("<scene>1</scene><nobndbox>1</nobndbox>", 103),
        "</annotation>",
    ]
)


def write(folder: Path, *sentences: str, xml: str = XML, picture: str = "7") -> None:
    for name in ("Sentences", "Annotations"):
        (folder / name).mkdir(exist_ok=True)
    (folder / f"Sentences/{picture}.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    (folder / f"Annotations/{picture}.xml").write_text(xml)
    (folder / "test.txt").write_text("7\n")


def read(folder: Path) -> Flickr30kEntities:
    return Flickr30kEntities(str(folder), split="test", image_folder=str(folder))


def test_sentences_with_boxes_are_samples(tmp_path: Path) -> None:
    write(tmp_path, BEACH, BACK, AGAIN)
    reader = pickle.loads(pickle.dumps(read(tmp_path)))
    ball = (60.0, 60.0, 80.0, 80.0)
    assert [reader.grounded_caption(index) for index in range(len(reader))] == [
        GroundedCaption(
            "Two men hold a red ball near the beach .",
            (Phrase(((0, 7),), ((0, 0, 20, 40), (30, 0, 50, 40))), Phrase(((13, 23),), (ball,))),
        ),
        GroundedCaption("A ball is a ball to him .", (Phrase(((0, 6),), (ball,)), Phrase(((10, 16),), (ball,)))),
    ]
    assert [reader.phrase_types(index) for index in range(2)] == [
        (("people",), ("other", "vehicles")),
        (("other",), ("other",)),
    ]
    assert [(reader.picture_id(index), reader.sentence_index(index)) for index in range(2)] == [("7", 0), ("7", 2)]
    assert [reader.image_id(index) for index in range(2)] == ["7/0", "7/2"]
    assert reader.sizes().tolist() == [[80, 100]] * 2
    assert (reader.location(1), reader.name) == (str(tmp_path / "7.jpg"), "Flickr30k Entities test")


@pytest.mark.parametrize(
    ("line", "text", "spans"),
    [
        ("no mark ] at [ all", "no mark ] at [ all", []),
        ("[/EN#5/bodyparts/other Iowa  State stiff arms]", "Iowa State stiff arms", [(0, 21)]),
        ("in [/EN#5/other ] and [/EN#6/other x]", "in and x", [(7, 8)]),
        ("caf\u00e9 near [/EN#6/other # 8]", "caf\u00e9 near # 8", [(10, 13)]),
    ],
)
def test_spans_are_characters_of_the_text_without_marks(line: str, text: str, spans: list[tuple[int, int]]) -> None:
    sentence = parse_sentence(line, "here")
    assert (sentence.text, [phrase.span for phrase in sentence.phrases]) == (text, spans)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[/EN#5/other a dog", r"7\.txt:2: the phrase of entity 5 lacks its '\]'"),
        ("[/EN#5/other a [/EN#6/other dog]", r"7\.txt:2: the phrase of entity 5 lacks its '\]'"),
        ("[/EN#5 a dog]", r"7\.txt:2: '\[/EN#5' names no entity with its type"),
    ],
)
def test_broken_marks_are_named(tmp_path: Path, line: str, message: str) -> None:
    write(tmp_path, BEACH, line)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotation>", r"7\.xml is no xml"),
        ("<annotation></annotation>", r"7\.xml lacks the size"),
        (XML.replace("<xmax>20</xmax>", ""), r"7\.xml: xmax of a bndbox is '', which is no number"),
        (XML.replace("<width>100", "<width>wide"), r"7\.xml: width of a size is 'wide'"),
        (XML.replace("101", "201").replace("102", "202"), r"test\.txt: no sentence has a phrase with a box"),
    ],
)
def test_broken_annotations_are_named(tmp_path: Path, xml: str, message: str) -> None:
    write(tmp_path, BEACH, xml=xml)
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_missing_files_are_counted_once(tmp_path: Path) -> None:
    write(tmp_path, BEACH)
    (tmp_path / "test.txt").write_text("7\n8\n9\n")
    with pytest.raises(
        UserError, match=r"^4 of the 6 files of .*test\.txt are missing, the first is .*Sentences/8\.txt"
    ):
        read(tmp_path)
    with pytest.raises(UserError, match=r"train\.txt does not exist: give split train, val or test"):
        Flickr30kEntities(str(tmp_path), split="train", image_folder=str(tmp_path))
    (tmp_path / "test.txt").write_text("7\n")
    with pytest.raises(UserError, match="nowhere is no folder: expected the images of Flickr30k"):
        Flickr30kEntities(str(tmp_path), split="test", image_folder=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(("split", "captions"), [("train", 179), ("val", 231)])
def test_derived_samples_agree_with_mdetrs_file(shared: Path, split: str, captions: int) -> None:
    mini = shared / "data/mini"
    folder, images = mini / "derived_grounding/entities_format", str(mini / f"coco/{split}2017")
    reader = Flickr30kEntities(str(folder), split=split, image_folder=images)
    file = mini / f"derived_grounding/flickr_separateGT_{split}.json"
    published = MdetrGrounding(str(file), image_folder=images, evaluate=True)
    entries = {
        (one["original_img_id"], one["sentence_id"]): one["id"] for one in json.loads(file.read_text())["images"]
    }
    places = {published.image_id(index): index for index in range(len(published))}
    assert len(reader) == len(published) == captions
    for index in range(len(reader)):
        place = places[str(entries[int(reader.picture_id(index)), reader.sentence_index(index)])]
        own, other = reader.grounded_caption(index), published.grounded_caption(place)
        assert squeezed(own.text) == squeezed(other.text)
        assert [words(own, phrase) for phrase in own.phrases] == [words(other, phrase) for phrase in other.phrases]
        for phrase, expected in zip(own.phrases, other.phrases, strict=True):
            rounded = {tuple(round(side) for side in one) for one in expected.boxes}
            assert {tuple(map(int, one)) for one in phrase.boxes} == rounded
        assert len(reader.phrase_types(index)) == len(own.phrases)
    assert reader.load_image(0).size[::-1] == tuple(reader.sizes()[0])


def squeezed(text: str) -> str:
    """Without blanks, which the two files set differently around marks."""
    return re.sub(r"\s", "", text)


def words(caption: GroundedCaption, phrase: Phrase) -> list[str]:
    return [squeezed(caption.text[begin:end]) for begin, end in phrase.spans]


def test_real_sentences_are_parsed(shared: Path) -> None:
    sentences = dict(read_sentences(shared / "data/mini/flickr30k/Sentences/6338542128.txt"))
    assert list(sentences) == [0, 1, 2, 3, 4]
    last = sentences[4]
    assert last.text == "# 8 for Iowa State stiff arms a Texas AM player attempting to tackle him ."
    assert [(phrase.entity, phrase.types, last.text[slice(*phrase.span)]) for phrase in last.phrases] == [
        ("253073", ("other",), "# 8"),
        ("253083", ("bodyparts",), "Iowa State stiff arms"),
        ("253069", ("people",), "a Texas AM player"),
        ("0", ("notvisual",), "him"),
    ]
