"""Noun phrases of captions."""

import json
import random
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from fiber.data.shapes.phrases import ShapesPhrases
from fiber.detection.prompts import Span, bracketed_phrases
from fiber.inference.phrases.noun_phrases import noun_phrases
from fiber.inference.phrases.word_tags import tag_words

CAPTIONS = Path(__file__).parent / "annotated_captions.txt"
PIECES = (
    "a;dog;of;and;the;red;to;riding;parked;next;each;other;can;that;her;'s;\u2019s;,;\n;\u0301;s';-;.;1,;\x00;_;\u2028;&;'';"
    "\u5c4b;\U0001f415;\u01c5;\u0130"
)
MARKED = re.compile(r"\[/EN#(?P<id>\d+)/\S+ (?P<phrase>[^\]]*)\]")


def spans_of(text: str) -> tuple[Span, ...]:
    return noun_phrases(tag_words(text))


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in spans_of(text)]


def f1(pairs: Iterable[tuple[str, set[Span]]], *, heads: bool = False) -> float:
    """Of the spans in texts, or of the last words of the spans."""
    hits = total = 0
    for text, annotated in pairs:
        spans = (set(spans_of(text)), annotated)
        found, expected = ({end for _, end in some} if heads else some for some in spans)
        hits += len(found & expected)  # type: ignore[operator]
        total += len(found) + len(expected)
    return 2 * hits / total


def annotated_captions() -> list[tuple[str, set[Span]]]:
    prompts = [bracketed_phrases(line) for line in CAPTIONS.read_text().splitlines()]
    return [(prompt.text, {span for (span,) in prompt.spans}) for prompt in prompts]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("A group of people ride horses.", ["A group of people", "horses"]),
        ("a picture of a man", ["a picture", "a man"]),
        ("a man's hat and the boys' bikes", ["a man's hat", "the boys' bikes"]),
        ("The man's riding a horse", ["The man", "a horse"]),
        ("a red, green and blue kite", ["a red, green and blue kite"]),
        ("red, white, and black balloons", ["red, white, and black balloons"]),
        ("a brick and stone house of wood and two red dogs", ["a brick and stone house", "wood", "two red dogs"]),
        ("two or three dogs", ["two or three dogs"]),
        ("a cat and a dog", ["a cat", "a dog"]),
        ("a black and white cat", ["a black and white cat"]),
        ("a woman in black and white", ["a woman", "black and white"]),
        ("a flying kite", ["a flying kite"]),
        ("a man flying a kite", ["a man", "a kite"]),
        ("a parked car by a car parked on grass", ["a parked car", "a car", "grass"]),
        ("a living room with a dining table", ["a living room", "a dining table"]),
        ("a snow covered mountain", ["a snow covered mountain"]),
        ("a brick building", ["a brick building"]),
        ("He gives it to her near her dog", ["her dog"]),
        ("a dog in front of the house on the left", ["a dog", "the house"]),
        ("A traffic light next to a stop sign", ["A traffic light", "a stop sign"]),
        ("Two of them jump over 3 red T-shirts", ["Two", "3 red T-shirts"]),
        ("one of the men is running", ["one of the men"]),
        ("half eaten sandwich", ["half eaten sandwich"]),
        ("a half eaten sandwich", ["a half eaten sandwich"]),
        ("people look while crossing the street", ["people", "the street"]),
        ("two dogs play tug of war", ["two dogs", "tug of war"]),
        ("man in the left", ["man"]),
        ("third book from the left", ["third book"]),
        ("the man on the far left in the left chair", ["the man", "the left chair"]),
        ("", []),
        ("it is very cold", []),
    ],
)
def test_phrases_go_from_determiner_to_noun(text: str, phrases: list[str]) -> None:
    assert words(text) == phrases


def test_captions_annotated_by_hand_are_found() -> None:
    captions = annotated_captions()
    assert len(captions) > 60 and sum(len(spans) for _, spans in captions) > 170
    assert f1(captions) > 0.97


def test_sentences_of_flickr30k_entities_are_found_but_for_pronouns(shared: Path) -> None:
    """Their annotators took some verbs for nouns (`The Iowa State football player blocks`)."""
    pairs = []
    lines = (shared / "data/mini/flickr30k/Sentences/6338542128.txt").read_text().splitlines()
    for line in lines:
        text, spans, place = "", set(), 0
        for match in MARKED.finditer(line):
            text += line[place : match.start()]
            if match["id"] != "0":  # nothing to be seen: `him`
                spans.add((len(text), len(text) + len(match["phrase"])))
            text, place = text + match["phrase"], match.end()
        pairs.append((text + line[place:], spans))
    assert sum(len(spans) for _, spans in pairs) == 21
    assert f1(pairs) > 0.8 and f1(pairs, heads=True) > 0.85


@pytest.mark.parametrize("split", ["train", "val"])
def test_objects_that_captions_name_lie_within_phrases(shared: Path, split: str) -> None:
    content = json.loads((shared / f"data/mini/derived_grounding/mixed_{split}.json").read_text())
    captions = {image["id"]: image["caption"] for image in content["images"]}
    named = {(captions[one["image_id"]], *span) for one in content["annotations"] for span in one["tokens_positive"]}
    found = [any(first <= start and end <= last for first, last in spans_of(text)) for text, start, end in named]
    assert len(found) > 200 and sum(found) / len(found) > 0.98


def test_phrases_of_the_shapes_world_are_found() -> None:
    reader = ShapesPhrases("val", num_samples=200, image_size=64)
    for index in range(200):
        caption = reader.grounded_caption(index)
        assert list(spans_of(caption.text)) == [phrase.spans[0] for phrase in caption.phrases]


def test_any_text_gives_spans_of_it() -> None:
    rng = random.Random(0)
    pieces = PIECES.split(";")
    for _ in range(1000):
        text = "".join(rng.choice(pieces) + rng.choice(["", " "]) for _ in range(rng.randrange(12)))
        place = 0
        for start, end in spans_of(text):
            assert place <= start < end <= len(text)
            assert text[start:end] == text[start:end].strip()
            place = end
    assert words("Ein großer Hund, 一只狗 🐕 a café́") == ["Ein großer Hund", "一只狗", "a café́"]
