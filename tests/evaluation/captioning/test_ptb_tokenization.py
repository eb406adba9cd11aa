"""Words of captions, as Stanford's tokeniser splits them."""

import json
import re
import shutil
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

import pytest

from fiber.evaluation.captioning.ptb_tokenization import ptb_tokenize, ptb_words

from .fixtures import FILES, known_captions

# Captions, and what the Java program makes of them once the evaluator has dropped the punctuation.
EXAMPLES = {
    "A man riding a wave on top of a surfboard.": "a man riding a wave on top of a surfboard",
    "The man's T-shirt (red) isn't new.": "the man 's t-shirt -lrb- red -rrb- is n't new",
    "They'll, he'd, I'm, you're, we've and can't": "they 'll he 'd i 'm you 're we 've and ca n't",
    "the dogs' toys and 'quoted' \"words\"": "the dogs toys and quoted words",
    "don\N{RIGHT SINGLE QUOTATION MARK}t \N{LEFT DOUBLE QUOTATION MARK}look\N{RIGHT DOUBLE QUOTATION MARK}": (
        "do n't look"
    ),
    "cannot gonna gotta wanna lemme gimme": "can not gon na got ta wan na lem me gim me",
    "'tis rock 'n' roll with y'all ol' boys, get 'em": "'t is rock 'n' roll with y' all ol' boys get 'em",
    "o'clock ma'am O'Brien boy'toy": "o'clock ma'am o'brien boy toy",
    "Mr. Smith of St. Louis, Ala. on Blvd. and etc.": "mr. smith of st. louis ala. on blvd. and etc.",
    "a U.S. flag at 5:30 p.m. on a t.v. set": "a u.s. flag at 5:30 p.m. on a t.v. set",
    "in Pa. with pa. and no. but No. 5": "in pa. with pa and no but no. 5",
    "a sign that reads K. The end": "a sign that reads k the end",
    "a sign that reads K. on it": "a sign that reads k. on it",
    "on the street.a man ... -- and/or 1/2 of it": "on the street.a man and/or 1/2 of it",
    "red-and-white bus with 1,000.50 and 50% off, $5": "red-and-white bus with 1,000.50 and 50 % off $ 5",
    "in the 1970's, the '70s, 10am": "in the 1970 's the '70s 10am",
    "A&M but r&b & more": "a&m but r & b & more",
    "wow!!! what? no!": "wow !!! what no",
    "a dog [left] {right} <eos>": "a dog -lsb- left -rsb- -lcb- right -rcb- <eos>",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}'s": "caf\N{LATIN SMALL LETTER E WITH ACUTE} 's",
    "": "",
    " . , -- ": "",
}


@pytest.mark.parametrize("caption", EXAMPLES)
def test_words_are_those_of_the_java_program(caption: str) -> None:
    assert " ".join(ptb_words(caption)) == EXAMPLES[caption]


def test_a_final_letter_loses_its_stop_only_before_the_beginning_of_a_sentence() -> None:
    captions = ["It reads K.", "A man", "It reads K.", "Two men", "It reads T.V.", "A man", "It reads K."]
    words = [words[-1] for words in ptb_tokenize(captions)]
    assert words == ["k", "man", "k.", "men", "t.v.", "man", "k."]


def test_tokens_equal_the_stored_ones(shared: Path) -> None:
    stored = json.loads((shared / "data/metrics/caption/subset_ptb_tokenized.json").read_text())
    known = known_captions(shared, "fakecap_subset")
    words = iter(ptb_tokenize(list(chain.from_iterable(known.references.values()))))
    ours = {image: [" ".join(one) for one in islice(words, len(texts))] for image, texts in known.references.items()}
    assert ours == stored["gts"]
    results = ptb_tokenize([known.hypotheses[image] for image in known.references])
    assert {image: [" ".join(one)] for image, one in zip(known.references, results, strict=True)} == stored["res"]


def all_captions(shared: Path) -> list[str]:
    """Every caption of the sample data, once."""
    files = [*(shared / "data/mini/coco/annotations").glob("captions_*.json")]
    files += [shared / "data/metrics/caption" / name for name in chain.from_iterable(FILES.values())]
    contents = [json.loads(path.read_text()) for path in files]
    rows = chain.from_iterable(one if isinstance(one, list) else one["annotations"] for one in contents)
    captions = {re.sub(r"\s", " ", row["caption"]) for row in rows}
    for path in (shared / "data/mini/karpathy").glob("dataset_*.json"):
        images = json.loads(path.read_text())["images"]
        captions |= {re.sub(r"\s", " ", sentence["raw"]) for image in images for sentence in image["sentences"]}
    return sorted(captions)


def java_tokenize(captions: Sequence[str]) -> list[str]:
    """What pycocoevalcap makes of captions, as one text."""
    if shutil.which("java") is None:
        pytest.skip("needs java")
    tokenizer = pytest.importorskip("pycocoevalcap.tokenizer.ptbtokenizer", reason="needs pycocoevalcap").PTBTokenizer()
    words = tokenizer.tokenize({0: [{"caption": caption} for caption in captions]})[0]
    return [" ".join(one.split()) for one in words]


def test_tokens_of_every_human_caption_equal_the_java_programs(shared: Path) -> None:
    captions = all_captions(shared)
    assert len(captions) > 6000
    ours = [" ".join(words) for words in ptb_tokenize(captions)]
    differing = [row for row in zip(captions, ours, java_tokenize(captions), strict=True) if row[1] != row[2]]
    assert differing == []
