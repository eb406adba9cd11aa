"""The user's own captions with boxes."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiber.data.readers.grounding_jsonl import GroundingJsonl
from fiber.data.records import GroundedCaption, Phrase
from fiber.utils.errors import UserError

BOX = [10, 20.5, 60, 90]
CAPTION = "a cat on a mat"


def read(folder: Path, *lines: Any) -> GroundingJsonl:
    path = folder / "own.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return GroundingJsonl(str(path))


def line(phrase: Any, **more: Any) -> dict[str, Any]:
    return {"image": "cat.png", "caption": CAPTION, "phrases": [phrase], **more}


@pytest.mark.parametrize(
    ("phrase", "spans"),
    [
        ({"text": "a mat"}, ((9, 14),)),
        ({"text": "a"}, ((0, 1),)),
        ({"span": [0, 5]}, ((0, 5),)),
        ({"spans": [[9, 14], [0, 5]]}, ((9, 14), (0, 5))),
        ({"span": [9, 99]}, ((9, 99),)),
    ],
)
def test_phrases_are_named_by_text_or_characters(tmp_path: Path, phrase: Any, spans: Any) -> None:
    reader = read(tmp_path, line({**phrase, "boxes": [BOX, [0, 0, 999, -1]]}))
    expected = Phrase(spans, ((10, 20.5, 60, 90), (0, 0, 999, -1)))
    assert reader.grounded_caption(0) == GroundedCaption(CAPTION, (expected,))


def test_lines_are_read_by_their_place(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "cat.png")
    lines = [
        line({"text": "a cat", "boxes": [BOX]}, caption="zwei Bäume, a cat", height=6, width=8),
        "",
        {"image": "dog.png", "caption": "", "phrases": [], "id": 7, "width": 8},
    ]
    reader = pickle.loads(pickle.dumps(read(tmp_path, *lines)))
    assert [reader.image_id(index) for index in range(len(reader))] == ["cat.png", "7"]
    assert reader.sizes().tolist() == [[6, 8], [0, 0]]
    assert list(reader.texts()) == ["zwei Bäume, a cat", ""]
    assert reader.grounded_caption(0).phrases[0].spans == ((12, 17),)
    assert (reader.load_image(0).size, reader.load_image(0).mode) == ((8, 6), "RGB")
    assert reader.location(1) == str(tmp_path / "dog.png")
    elsewhere = GroundingJsonl(str(tmp_path / "own.jsonl"), image_folder="/pictures")
    assert elsewhere.location(0) == "/pictures/cat.png"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("{", r"own\.jsonl:3 is not json"),
        ({"image": "a.png", "phrases": []}, r"own\.jsonl:3 lacks image or caption"),
        ({"image": "a.png", "caption": ["a"], "phrases": []}, r"own\.jsonl:3: the caption is no text"),
        ({"image": "a.png", "caption": "a"}, r"own\.jsonl:3 lacks the list of phrases"),
        (line({"text": "a dog", "boxes": [BOX]}), r"own\.jsonl:3: the phrase 'a dog' does not occur in the caption"),
        (line({"text": "", "boxes": [BOX]}), r"own\.jsonl:3: the phrase '' does not occur"),
        (line({"boxes": [BOX]}), r"own\.jsonl:3: a phrase has one of text, span and spans"),
        (line({"text": "a", "span": [0, 1], "boxes": [BOX]}), r"own\.jsonl:3: a phrase has one of"),
        (line("a cat"), r"own\.jsonl:3: a phrase has one of"),
        (line({"text": "a"}), r"own\.jsonl:3: boxes of a phrase are \[\[x1, y1, x2, y2\], \.\.\.\], not None"),
        (line({"text": "a", "boxes": BOX}), r"own\.jsonl:3: boxes of a phrase are"),
        (line({"text": "a", "boxes": [["1", 2, 3, 4]]}), r"own\.jsonl:3: boxes of a phrase are"),
        (line({"span": [0.5, 3], "boxes": []}), r"own\.jsonl:3: a span is \[begin, end\]"),
        (line({"spans": [0, 3], "boxes": []}), r"own\.jsonl:3: a span is \[begin, end\]"),
        (line({"text": "a", "boxes": []}, height="9", width=3), r"own\.jsonl:3: height and width are no whole"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, wrong: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, line({"text": "a cat", "boxes": [BOX]}), "", wrong)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"own\.jsonl is empty: expected lines such as"):
        read(tmp_path, "")
    with pytest.raises(UserError, match=r"absent\.jsonl does not exist"):
        GroundingJsonl(str(tmp_path / "absent.jsonl"))
