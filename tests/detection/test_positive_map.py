"""Characters to tokens. Tokens are written one after another, `_` for a blank that belongs to the next token."""

import torch

from fiber.detection.positive_map import positive_map, span_positions, token_positions
from fiber.detection.prompts import ClassPrompt, Span, class_prompt

CLASSES = "person . _traffic _light . _hot _dog"
LVIS = "b ass _ . _flip - fl op _ . _cat"
SENTENCE = "Two _men _hold _a _red _ball _near _the _beach _."


def offsets(pieces: str) -> list[Span]:
    """Characters of every token, a token's leading blank left out."""
    spans, end = [], 0
    for piece in pieces.split():
        start, end = end, end + len(piece)
        spans.append((start + piece.startswith("_"), end))
    return spans


def positions(pieces: str, *spans: Span) -> list[list[int]]:
    return [list(span_positions(span, offsets(pieces))) for span in spans]


def test_a_name_has_the_positions_of_its_tokens() -> None:
    assert positions(CLASSES, (0, 6), (8, 21), (23, 30)) == [[1], [3, 4], [6, 7]]
    assert positions(SENTENCE, (0, 7), (13, 23)) == [[1, 2], [4, 5, 6]]
    assert list(span_positions((8, 21), offsets(CLASSES), first=0)) == [2, 3]


def test_blanks_at_the_ends_of_a_name_give_way_to_its_words() -> None:
    text = "bass . flip-flop . cat"  # names that end with a blank, as cleaning leaves them
    pieces = "bass _. _flip - fl op _. _cat"
    assert [text[start:end] for start, end in ((0, 5), (7, 17), (19, 22))] == ["bass ", "flip-flop ", "cat"]
    assert positions(pieces, (0, 5), (7, 17), (19, 22)) == [[1], [3, 4, 5, 6], [8]]
    far = [(2, 5), (8, 9)]  # two blanks before the first word, three between the two
    assert list(span_positions((0, 7), far)) == [1]
    assert list(span_positions((0, 8), far)) == []  # no token within three characters of its end
    assert list(span_positions((5, 9), far)) == []  # nor of its begin


def test_blanks_alone_and_characters_beyond_the_text_have_no_tokens() -> None:
    assert positions(CLASSES, (7, 8), (30, 33), (40, 44), (0, 0)) == [[], [], [], []]
    assert positions("", (0, 4)) == [[]]


def test_of_tokens_that_share_a_character_the_first_counts() -> None:
    shared = [(0, 3), (4, 5), (4, 5), (4, 5), (6, 9)]  # one character of three byte tokens
    assert list(span_positions((4, 5), shared)) == [2]
    assert list(span_positions((0, 9), shared)) == [1, 2, 3, 4, 5]


def test_prompts_with_words_around_the_names_score_the_names_alone(aquarium: list[str | ClassPrompt]) -> None:
    pieces = (
        "_fish . _jelly fish . _pengu in _, _which _is _black _and _white . _puff in _with _orange _be aks _. _shark . "
        "_star fish . _sting ray _which _is _flat _and _round"
    )
    prompt = class_prompt(aquarium)
    assert pieces.replace(" ", "").replace("_", " ") == prompt.text
    assert len(pieces.split()) + 2 == 35
    expected = ((1,), (3, 4), (6, 7), (15, 16), (22,), (24, 25), (27, 28))
    assert token_positions(prompt.spans, offsets(pieces)) == expected


def test_a_label_of_several_spans_has_the_tokens_of_all() -> None:
    assert token_positions([[(23, 30), (0, 6), (23, 26)], []], offsets(CLASSES)) == ((1, 6, 7), ())


def test_the_map_marks_every_row_and_leaves_the_end_token_out() -> None:
    rows = [[(0, 7)], [(0, 7)], [(13, 23)], [(34, 39), (0, 3)], [(7, 8)]]
    marked = positive_map(rows, offsets(SENTENCE), length=12)
    assert marked.dtype == torch.bool and marked.shape == (5, 12)
    assert [row.nonzero().flatten().tolist() for row in marked] == [[1, 2], [1, 2], [4, 5, 6], [1, 9], []]
    cut = positive_map(rows, offsets(SENTENCE), length=6)  # <s>, four tokens, </s>
    assert [row.nonzero().flatten().tolist() for row in cut] == [[1, 2], [1, 2], [4], [1], []]
    kept = positive_map(rows, offsets(SENTENCE)[:4], length=6)  # as in training: phrases across the cut vanish
    assert [row.nonzero().flatten().tolist() for row in kept] == [[1, 2], [1, 2], [], [1], []]
    assert positive_map([], offsets(SENTENCE), length=6).shape == (0, 6)
