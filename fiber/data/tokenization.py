"""RoBERTa's tokeniser, and a small one of the same kind trained on the spot.

Axes: B texts, L tokens.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from fiber.data.function_words import FUNCTION_WORDS
from fiber.utils.errors import UserError

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>")
"""RoBERTa's first ids, in order; `<mask>` is the last id of the vocabulary."""
TOKENIZER_FILE = "tokenizer.json"
WORD = re.compile(r"\w+")


class TokenizedText(NamedTuple):
    """Texts padded to one length."""

    ids: Tensor
    """int64 B L, `<s> ... </s>` and padding."""
    mask: Tensor
    """bool B L, True = real token."""
    content: Tensor
    """bool B L, True = token of a word that is neither a function word nor punctuation."""


class TextTokenizer:
    """Byte-level BPE with RoBERTa's special tokens at RoBERTa's places.

    Raises:
        UserError: a special token is missing or elsewhere.
    """

    def __init__(self, tokenizer: Tokenizer, *, name: str) -> None:
        self.tokenizer = tokenizer
        self.name = name
        self.bos_id, self.pad_id, self.eos_id, self.unk_id = (self.find(token) for token in SPECIAL_TOKENS)
        self.mask_id = self.find("<mask>")
        self.vocab_size: int = tokenizer.get_vocab_size()
        if (self.bos_id, self.pad_id, self.eos_id, self.unk_id) != (0, 1, 2, 3):
            raise UserError(f"tokenizer {name}: ids 0 to 3 must be {' '.join(SPECIAL_TOKENS)}, as in RoBERTa.")

    def find(self, token: str) -> int:
        """Id of a special token."""
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise UserError(f"tokenizer {self.name} has no {token}: give a RoBERTa tokeniser with tokenizer.path=...")
        return int(found)

    def encode(self, texts: Sequence[str], max_length: int) -> TokenizedText:
        """Tokens of `texts`, cut to `max_length` (special tokens included) and padded to it."""
        encodings = self.encode_batch(texts)
        ids = self.pad([encoding.ids for encoding in encodings], max_length)
        content = torch.zeros(len(texts), max_length, dtype=torch.bool)
        for row, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            flags = content_tokens(text, encoding.offsets[: max_length - 2])
            content[row, 1 : 1 + len(flags)] = torch.tensor(flags, dtype=torch.bool)
        return TokenizedText(ids, ids != self.pad_id, content)

    def pad(self, token_ids: Sequence[Sequence[int]], length: int) -> Tensor:
        """Tokens without special ones, cut and padded: int64 B L, `<s> ... </s>` and padding."""
        ids = torch.full((len(token_ids), length), self.pad_id)
        for row, tokens in zip(ids, token_ids, strict=True):
            whole = [self.bos_id, *tokens[: length - 2], self.eos_id]
            row[: len(whole)] = torch.tensor(whole)
        return ids

    def count(self, text: str) -> int:
        """Number of tokens of a text, special ones not counted."""
        return len(self.encode_batch([text])[0].ids)

    def encode_batch(self, texts: Sequence[str]) -> list:  # type: ignore[type-arg]
        """Encodings without special tokens; the lengths are ours to choose."""
        return list(self.tokenizer.encode_batch(list(texts), add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of `ids` without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def token(self, token_id: int) -> str:
        """Text of one token, special or not."""
        return str(self.tokenizer.decode([token_id], skip_special_tokens=False))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`, which `load_tokenizer(folder)` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(str(folder / TOKENIZER_FILE))

    def __getstate__(self) -> tuple[str, str]:
        return self.tokenizer.to_str(), self.name

    def __setstate__(self, state: tuple[str, str]) -> None:
        self.__init__(Tokenizer.from_str(state[0]), name=state[1])  # type: ignore[misc]

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a `tokenizer.json`.

        Raises:
            UserError: it is damaged, or not of RoBERTa's kind.
        """
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            if type(error) is not Exception:  # the library raises that class itself, and nothing narrower
                raise
            raise UserError(
                f"{path} is damaged or no tokeniser ({error}): put back the {TOKENIZER_FILE} of the run or the model."
            ) from error
        return cls(tokenizer, name=str(path))


def content_tokens(text: str, offsets: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each token, given by its characters, belongs to a content word of `text`."""
    is_content = [False] * (len(text) + 1)
    for word in WORD.finditer(text):
        if word.group().lower() not in FUNCTION_WORDS:
            is_content[word.start() : word.end()] = [True] * (word.end() - word.start())
    return [any(is_content[start:end]) for start, end in offsets]


def load_tokenizer(name_or_path: str) -> TextTokenizer:
    """RoBERTa's tokeniser from the hub, or any saved in a local directory.

    Raises:
        UserError: it cannot be found, or it is not of RoBERTa's kind.
    """
    folder = Path(name_or_path)
    if (folder / TOKENIZER_FILE).is_file():
        return TextTokenizer.from_file(folder / TOKENIZER_FILE)
    try:
        loaded = AutoTokenizer.from_pretrained(name_or_path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"tokenizer.path={name_or_path} is neither a directory with a tokeniser nor a name the hub answers to. "
            "Download it where there is a network (`hf download roberta-base`), and give its directory."
        ) from error
    if not isinstance(loaded, PreTrainedTokenizerFast):
        raise UserError(f"tokenizer.path={name_or_path} is no fast tokeniser: give a RoBERTa tokeniser.")
    return TextTokenizer(loaded.backend_tokenizer, name=name_or_path)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> TextTokenizer:
    """A byte-level BPE of at most `vocab_size` entries, for closed vocabularies and tests; takes milliseconds."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    # A space before the first word too: a word is one token wherever it stands.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(  # type: ignore[no-untyped-call]
        vocab_size=vocab_size - 1, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(["<mask>"])
    return TextTokenizer(tokenizer, name="trained on the data")


os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # data workers fork, and each has one core
