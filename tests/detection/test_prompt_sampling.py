"""Prompts of class names for training images."""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from fiber.detection.prompt_sampling import (
    AllClassesPrompter,
    NegativeSampling,
    PromptSampler,
    SampledPrompt,
    prompt_lengths,
)
from fiber.detection.prompts import ClassPrompt, clean_name
from fiber.utils.errors import UserError

CLASSES = [f"thing_{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
COST = 4
"""Tokens of `thing a. `: two words, the stop and the blank."""


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sampling(**changes: float | bool) -> NegativeSampling:
    """All negatives, unless told otherwise."""
    settings = {"one_negative": 0.0, "no_negatives": 0.0, "all_negatives": 1.0, "token_budget": 1000} | changes
    return NegativeSampling(**settings)  # type: ignore[arg-type]


def assert_names_match(sampled: SampledPrompt, classes: list[str]) -> None:
    assert sampled.prompt.names == tuple(clean_name(classes[label]) for label in sampled.classes)
    assert sampled.prompt.text == ". ".join(sampled.prompt.names)
    assert len(set(sampled.classes)) == len(sampled.classes)


def test_every_positive_is_asked_for_once_beside_negatives(count_tokens: Callable[[str], int]) -> None:
    sampler = PromptSampler(CLASSES, sampling(max_negatives=5), count_tokens=count_tokens)
    counts = Counter()
    for seed in range(300):
        sampled = sampler.sample([3, 3, 20], rng(seed))
        assert_names_match(sampled, CLASSES)
        assert {3, 20} <= set(sampled.classes)
        counts[len(sampled.classes)] += 1
    assert max(counts) == 7 and counts[7] > 150  # now and then a positive is among the five drawn
    assert set(counts) == {5, 6, 7}


def test_costs_are_those_of_each_name_at_the_start_of_a_text(count_tokens: Callable[[str], int]) -> None:
    sampler = PromptSampler(["person", "traffic_light"], NegativeSampling(), count_tokens=count_tokens)
    assert sampler.costs.tolist() == [3, 5]


def test_positives_beyond_the_budget_are_left_out_and_leave_no_room_for_negatives(
    count_tokens: Callable[[str], int],
) -> None:
    sampler = PromptSampler(CLASSES, sampling(token_budget=2 + 3 * COST + 3), count_tokens=count_tokens)
    seen = set()
    for seed in range(50):
        sampled = sampler.sample([1, 2, 3, 4, 5], rng(seed))
        assert len(sampled.classes) == 3 and set(sampled.classes) <= {1, 2, 3, 4, 5}
        seen |= set(sampled.classes)
    assert seen == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("spare", "negatives"), [(0, 1), (1, 2), (COST, 2), (COST + 1, 3)])
def test_negatives_fill_less_than_what_positives_leave(
    count_tokens: Callable[[str], int], spare: int, negatives: int
) -> None:
    budget = 2 + COST + 2 * COST + spare  # one positive and two more; the last token stays free
    sampler = PromptSampler(CLASSES, sampling(token_budget=budget), count_tokens=count_tokens)
    for seed in range(20):
        assert len(sampler.sample([7], rng(seed)).classes) == 1 + negatives


def test_the_number_of_negatives_follows_the_probabilities(count_tokens: Callable[[str], int]) -> None:
    config = NegativeSampling(max_negatives=10, token_budget=1000)
    sampler = PromptSampler(CLASSES, config, count_tokens=count_tokens)
    generator, draws = rng(), 20000
    counts = Counter(sampler.draw_count(generator) for _ in range(draws))
    expected = {0: 0.05, 1: 0.05 + 0.04, 10: 0.5 + 0.04} | {number: 0.04 for number in range(2, 10)}
    assert set(counts) == set(expected)
    for number, probability in expected.items():
        assert abs(counts[number] / draws - probability) < 0.012


def test_the_draw_of_negatives_includes_the_positives(count_tokens: Callable[[str], int]) -> None:
    sampler = PromptSampler(CLASSES[:4], sampling(max_negatives=3), count_tokens=count_tokens)
    sizes = Counter(len(sampler.sample([0], rng(seed)).classes) for seed in range(400))
    assert set(sizes) == {3, 4}  # two negatives when the positive is among the three drawn of four
    assert abs(sizes[3] / 400 - 0.75) < 0.08


def test_order_is_random_or_that_of_the_classes(count_tokens: Callable[[str], int]) -> None:
    shuffled = PromptSampler(CLASSES, sampling(), count_tokens=count_tokens)
    firsts = {shuffled.sample([0], rng(seed)).classes[0] for seed in range(200)}
    assert len(firsts) > 20
    ordered = PromptSampler(CLASSES, sampling(shuffle=False), count_tokens=count_tokens)
    assert ordered.sample([25, 4], rng()).classes == tuple(range(26))


def test_draws_depend_on_their_generator_alone(count_tokens: Callable[[str], int]) -> None:
    sampler = PromptSampler(CLASSES, NegativeSampling(), count_tokens=count_tokens)
    draws = [sampler.sample([2, 9], rng(seed)) for seed in range(20)]
    assert draws == [sampler.sample([2, 9], rng(seed)) for seed in range(20)]
    assert len(set(draws)) > 15


def test_background_is_never_asked_for(count_tokens: Callable[[str], int]) -> None:
    classes = ["__background__", *CLASSES]
    sampler = PromptSampler(classes, sampling(), count_tokens=count_tokens)
    everything = AllClassesPrompter(classes, count_tokens=count_tokens, shuffle=False)
    for sampled in (sampler.sample([0, 5], rng()), everything.sample([0, 5], rng())):
        assert sorted(sampled.classes) == list(range(1, 27))
        assert "background" not in sampled.prompt.text


def test_an_image_without_objects_has_negatives_only(count_tokens: Callable[[str], int]) -> None:
    sampler = PromptSampler(CLASSES, sampling(max_negatives=4), count_tokens=count_tokens)
    assert len(sampler.sample([], rng()).classes) == 4
    nothing = PromptSampler(CLASSES, sampling(max_negatives=0), count_tokens=count_tokens)
    assert nothing.sample([], rng()).prompt.text == ""
    assert nothing.sample([6], rng()).classes == (6,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drop_positives": 0.2}, "drop_positives=0.2: only 0"),
        ({"all_negatives": 0.95}, "sum is at most 1"),
        ({"one_negative": -0.1}, "probabilities"),
        ({"max_negatives": -1}, "max_negatives=-1"),
        ({"token_budget": 2}, "token_budget=2"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        NegativeSampling(**settings)  # type: ignore[arg-type]


def test_a_blank_name_is_refused_before_training(count_tokens: Callable[[str], int]) -> None:
    with pytest.raises(UserError, match=r"class 1 \('\(x\)'\) names nothing: word it"):
        PromptSampler(["dog", "(x)"], NegativeSampling(), count_tokens=count_tokens)
    with pytest.raises(UserError, match=r"class 2 \('\(x\)'\) names nothing: word it"):
        AllClassesPrompter(["__background__", "dog", "(x)"], count_tokens=count_tokens, shuffle=False)


def test_all_classes_are_asked_for_in_random_order(count_tokens: Callable[[str], int]) -> None:
    prompter = AllClassesPrompter(CLASSES, count_tokens=count_tokens, shuffle=True)
    draws = [prompter.sample([3], rng(seed)) for seed in range(50)]
    for sampled in draws:
        assert_names_match(sampled, CLASSES)
        assert sorted(sampled.classes) == list(range(26))
    assert len({sampled.classes for sampled in draws}) == 50


def test_worded_classes_keep_their_words_when_shuffled(count_tokens: Callable[[str], int]) -> None:
    worded = [ClassPrompt("package", prefix="there is a ", suffix=" on the porch"), ClassPrompt("dog")]
    prompter = AllClassesPrompter(worded, count_tokens=count_tokens, shuffle=True)
    sampled = next(draw for seed in range(50) if (draw := prompter.sample([], rng(seed))).classes == (1, 0))
    assert sampled.prompt.text == "dog. there is a package on the porch"
    assert sampled.prompt.names == ("dog", "package")


def test_classes_that_do_not_fit_in_any_order_are_refused(count_tokens: Callable[[str], int]) -> None:
    classes = ["person", "traffic light", "dog"]
    assert count_tokens("person. traffic light. dog") == 6
    assert count_tokens("traffic light. dog. person") == 7  # a word that opens the text may need more tokens
    AllClassesPrompter(classes, count_tokens=count_tokens, shuffle=False, token_budget=8)
    AllClassesPrompter(classes, count_tokens=count_tokens, shuffle=True, token_budget=9)
    with pytest.raises(UserError, match="all 3 classes needs 9 of 8 tokens: train with sampled negatives"):
        AllClassesPrompter(classes, count_tokens=count_tokens, shuffle=True, token_budget=8)


def test_the_prompt_of_all_classes_is_counted_from_every_class_that_may_open_it(
    count_tokens: Callable[[str], int],
) -> None:
    classes = ["__background__", "person", "traffic light", "dog"]
    lengths = partial(prompt_lengths, classes, count_tokens=count_tokens)
    assert list(lengths(shuffle=False)) == [8]
    assert list(lengths(shuffle=True)) == [8, 9, count_tokens("dog. person. traffic light") + 2]
    assert list(prompt_lengths([], count_tokens=count_tokens, shuffle=True)) == [2]


def test_a_thousand_classes_are_sampled_in_a_fraction_of_a_millisecond(count_tokens: Callable[[str], int]) -> None:
    sampler = PromptSampler([f"class_{i}" for i in range(1203)], sampling(token_budget=256), count_tokens=count_tokens)
    generator = rng()
    start = time.process_time()
    for _ in range(200):
        sampler.sample([5, 17, 900, 44], generator)
    assert (time.process_time() - start) / 200 < 1e-3
