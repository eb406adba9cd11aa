"""Detection data as grounding data: a prompt of class names for every training image.

Source: GLIP (Li et al. 2022), section 3.1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fiber.detection.prompts import BACKGROUND, SEPARATOR, ClassPrompt, Prompt, class_prompt, clean_name, require_names
from fiber.detection.token_budget import SPECIAL_TOKENS, TEXT_LENGTH, CountTokens, check_budget
from fiber.utils.errors import UserError


class SampledPrompt(NamedTuple):
    """A prompt drawn for one image."""

    prompt: Prompt
    classes: tuple[int, ...]
    """Per label of the prompt, its class."""


class PromptSource(Protocol):
    """Gives every training image its prompt."""

    def sample(self, positive_classes: Sequence[int], rng: np.random.Generator) -> SampledPrompt:
        """A prompt for an image that shows `positive_classes`, repeated or not; boxes of classes that it lacks have no
        label and must be left out."""
        ...


@dataclass(frozen=True, kw_only=True)
class NegativeSampling:
    """How many classes that an image does not show are asked for; otherwise 1 to `max_negatives`, uniformly.

    The defaults are those of fine pre-training; fine-tuning on LVIS has `all_negatives` 1, the others 0.
    """

    max_negatives: int = 85
    """Classes drawn at most. Those among them that the image shows are no negatives, so fewer may be left."""
    one_negative: float = 0.05
    """Probability of one."""
    no_negatives: float = 0.05
    """Probability of none."""
    all_negatives: float = 0.5
    """Probability of `max_negatives`."""
    drop_positives: float = 0.0
    """Only 0. The original's recipe gives 0.2, with which its own code stops: no positive may be dropped."""
    shuffle: bool = True
    """Classes stand in random order; otherwise in that of the data set."""
    token_budget: int = TEXT_LENGTH
    """Tokens of a prompt at most, `<s>` and `</s>` included."""

    def __post_init__(self) -> None:
        probabilities = (self.one_negative, self.no_negatives, self.all_negatives)
        if min(probabilities) < 0 or sum(probabilities) > 1 + 1e-9:
            raise UserError(
                f"prompt sampling: one_negative, no_negatives and all_negatives are {probabilities}: give "
                "probabilities whose sum is at most 1."
            )
        if self.drop_positives != 0:
            raise UserError(f"prompt sampling: drop_positives={self.drop_positives}: only 0 is supported.")
        if self.max_negatives < 0:
            raise UserError(f"prompt sampling: max_negatives={self.max_negatives}: give 0 or more.")
        check_budget(self.token_budget)


class PromptSampler:
    """Asks for the classes that an image shows and for some that it does not, within the token budget.

    Token costs are estimated class by class, each at the start of a text and with its separator, which is a little more
    than a prompt needs; the original counts so, and the number of negatives depends on it.

    Args:
        classes: names of the data set's classes; `__background__` is never asked for.
        config: how many negatives.
        count_tokens: the model's count.

    Raises:
        UserError: a name is blank.
    """

    def __init__(self, classes: Sequence[str], config: NegativeSampling, *, count_tokens: CountTokens) -> None:
        require_names(classes)
        self.config = config
        self.names = [clean_name(name) for name in classes]
        self.costs = np.array([count_tokens(name + SEPARATOR) for name in self.names], dtype=np.int64)
        self.candidates = np.array(real_classes(classes), dtype=np.int64)
        self.is_candidate = np.isin(np.arange(len(classes)), self.candidates)

    def sample(self, positive_classes: Sequence[int], rng: np.random.Generator) -> SampledPrompt:
        positives = np.unique(np.asarray(positive_classes, dtype=np.int64))
        positives = positives[self.is_candidate[positives]]
        order = rng.permutation(positives)
        room = self.config.token_budget - SPECIAL_TOKENS
        used = np.cumsum(self.costs[order])
        kept = order[used <= room]
        # A positive that does not fit leaves no room for negatives either.
        room -= int(used[min(len(kept), len(used) - 1)]) if len(used) else 0
        negatives = self.draw_negatives(positives, room, rng)
        labels = np.concatenate([negatives, kept])
        labels = rng.permutation(labels) if self.config.shuffle else np.sort(labels)
        names = [self.names[label] for label in labels]
        prompt = class_prompt(names, clean=False)
        return SampledPrompt(prompt, tuple(labels.tolist()))

    def draw_negatives(self, positives: NDArray[np.int64], room: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Classes that are not `positives` and need less than `room` tokens together, in random order."""
        drawn = rng.choice(self.candidates, self.draw_count(rng), replace=False)
        negatives = drawn[~np.isin(drawn, positives)]
        return negatives[np.cumsum(self.costs[negatives]) < room]

    def draw_count(self, rng: np.random.Generator) -> int:
        """Number of classes to draw, among which positives do not count."""
        most = min(self.config.max_negatives, len(self.candidates))
        one, none, everything = np.cumsum(
            [self.config.one_negative, self.config.no_negatives, self.config.all_negatives]
        )
        chance = rng.random()
        if chance < one:
            return min(1, most)
        if chance < none:
            return 0
        if chance < everything:
            return most
        return int(rng.integers(1, most + 1)) if most else 0


class AllClassesPrompter:
    """Asks for every class, whatever the image shows: fine-tuning on COCO and ODinW.

    Args:
        classes: names, or names with words around them; `__background__` is never asked for.
        count_tokens: the model's count.
        shuffle: a random order for every image; otherwise that of the data set.
        token_budget: tokens at most, `<s>` and `</s>` included.

    Raises:
        UserError: the classes need more tokens.
    """

    def __init__(
        self,
        classes: Sequence[str | ClassPrompt],
        *,
        count_tokens: CountTokens,
        shuffle: bool,
        token_budget: int = TEXT_LENGTH,
    ) -> None:
        check_budget(token_budget)
        self.classes = classes
        self.labels = real_classes(classes)
        self.shuffle = shuffle
        needed = max(prompt_lengths(classes, count_tokens=count_tokens, shuffle=shuffle))
        if needed > token_budget:
            raise UserError(
                f"the prompt of all {len(self.labels)} classes needs {needed} of {token_budget} tokens: train with "
                "sampled negatives instead, data.all_classes=false (evaluation takes several prompts)."
            )

    def sample(self, positive_classes: Sequence[int], rng: np.random.Generator) -> SampledPrompt:
        return self.prompt(rng.permutation(self.labels).tolist() if self.shuffle else self.labels)

    def prompt(self, labels: Sequence[int]) -> SampledPrompt:
        """The prompt of the classes in the order of `labels`."""
        names = [self.classes[label] for label in labels]
        return SampledPrompt(class_prompt(names), tuple(labels))


def prompt_lengths(classes: Sequence[str | ClassPrompt], *, count_tokens: CountTokens, shuffle: bool) -> Iterator[int]:
    """Tokens that the prompt of all classes may need, `<s>` and `</s>` included.

    A word may need more where it opens the text: of a random order, each class is tried there. Arguments as for
    `AllClassesPrompter`.
    """
    require_names(classes)
    asked = [classes[label] for label in real_classes(classes)]
    for start in range(max(1, len(asked)) if shuffle else 1):
        text = class_prompt(asked[start:] + asked[:start]).text
        yield count_tokens(text) + SPECIAL_TOKENS


def real_classes(classes: Sequence[str | ClassPrompt]) -> list[int]:
    """Indices of the classes that can be asked for."""
    return [index for index, name in enumerate(classes) if name != BACKGROUND]
