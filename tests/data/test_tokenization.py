"""Texts to tokens and back."""

import pickle
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from fiber.data.tokenization import TextTokenizer, load_tokenizer, train_tokenizer
from fiber.utils.errors import UserError

CORPUS = ["a small red circle is above the large blue squares", "two green triangles are left of a yellow star"] * 3


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return train_tokenizer(CORPUS, 400)


def test_special_tokens_stand_where_roberta_has_them(tokenizer: TextTokenizer) -> None:
    assert (tokenizer.bos_id, tokenizer.pad_id, tokenizer.eos_id, tokenizer.unk_id) == (0, 1, 2, 3)
    assert tokenizer.mask_id == tokenizer.vocab_size - 1
    assert tokenizer.token(tokenizer.mask_id) == "<mask>"


def test_texts_are_padded_and_cut_with_their_end_kept(tokenizer: TextTokenizer) -> None:
    tokens = tokenizer.encode(["red circle", CORPUS[0]], 6)
    assert tokens.ids[0, 0] == 0 and tokens.ids[0, 3] == 2 and tokens.ids[0, 4:].tolist() == [1, 1]
    assert tokens.mask.tolist() == [[True] * 4 + [False] * 2, [True] * 6]
    assert tokens.ids[1, -1] == 2
    assert tokenizer.decode(tokens.ids[1].tolist()) == "a small red circle"


def test_any_text_survives_the_round_trip(tokenizer: TextTokenizer) -> None:
    text = "Größe, 23 cafés & a 'naïve' zebra!"
    assert tokenizer.decode(tokenizer.encode([text], 100).ids[0].tolist()) == text


def test_content_words_are_neither_function_words_nor_punctuation(tokenizer: TextTokenizer) -> None:
    tokens = tokenizer.encode(["a red circle is left of the blue squares ."], 14)
    words = [tokenizer.token(int(i)).strip() for i in tokens.ids[0][tokens.content[0]]]
    assert "".join(words) == "redcircleleftbluesquares"


def test_a_saved_or_pickled_tokeniser_is_the_same(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer")
    for again in (load_tokenizer(str(tmp_path / "tokenizer")), pickle.loads(pickle.dumps(tokenizer))):
        assert again.vocab_size == tokenizer.vocab_size
        assert again.encode(CORPUS, 16).ids.equal(tokenizer.encode(CORPUS, 16).ids)


def test_a_tokeniser_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match=r"tokenizer\.path=.*nowhere is neither a directory"):
        load_tokenizer(str(tmp_path / "nowhere"))


def test_a_tokeniser_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match="has no <s>"):
        TextTokenizer(Tokenizer(models.BPE()), name="other")


def test_characters_of_tokens_hold_no_blanks_and_words_are_whole(tokenizer: TextTokenizer) -> None:
    """What phrases are tied to tokens by; the first word has no blank before it, the others have."""
    text = "red circle  above the blue squares ."
    (encoding,) = tokenizer.encode_batch([text])
    pieces = [text[start:end] for start, end in encoding.offsets]
    # The second of two blanks is a token of its own that covers no character.
    assert pieces == ["red", "circle", "", "above", "the", "blue", "squares", *pieces[7:]]
    assert "".join(pieces[7:]) == "."
    assert not set(encoding.ids) & {tokenizer.bos_id, tokenizer.eos_id}


def test_padding_cuts_and_closes_every_text(tokenizer: TextTokenizer) -> None:
    assert tokenizer.pad([[7, 8, 9, 10], [], [7]], 5).tolist() == [[0, 7, 8, 9, 2], [0, 2, 1, 1, 1], [0, 7, 2, 1, 1]]


def test_tokens_are_counted_without_special_ones(tokenizer: TextTokenizer) -> None:
    assert tokenizer.count("") == 0
    assert tokenizer.count("red circle") == 2
    assert tokenizer.count(CORPUS[0]) == len(CORPUS[0].split())
