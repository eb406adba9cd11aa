"""Rewarded captions: the loss as written out, its baselines, and that a rewarded word becomes more frequent.

Axes: B images, n captions written for each.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fiber.generation.caption_decoder import CaptionDecoder
from fiber.generation.sampling import caption_draws, greedy_captions, sample_captions
from fiber.generation.vocabulary import CaptionVocabulary
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig
from fiber.objectives.caption_reward import (
    Baseline,
    CaptionRewardConfig,
    CaptionRewardObjective,
    evaluation_mode,
    mean_log_probability,
)
from fiber.objectives.captioning import CaptionInputs, caption_labels
from fiber.objectives.masked_language_modeling import token_loss

VOCABULARY = CaptionVocabulary(bos_id=0, pad_id=1, eos_id=2, mask_id=49)
NUM_IMAGES, LENGTH = 4, 8
WANTED = 7


def make_inputs(rows: slice = slice(None)) -> CaptionInputs:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(NUM_IMAGES, 3, 32, 32, generator=generator).double()
    ids = torch.randint(4, 49, (NUM_IMAGES, LENGTH), generator=generator)
    ids[:, 0], ids[:, -1] = 0, 2
    keys = [11, 5, 8, 2]
    references = [[f"image {key}"] for key in keys]
    return CaptionInputs(pixels[rows], ids[rows], ids[rows] != 1, references[rows], torch.tensor(keys)[rows])


def count_wanted(captions: Sequence[Sequence[Sequence[int]]], references: Sequence[Sequence[str]]) -> Tensor:
    """Share of the wanted token in each caption, and a little of the image's key."""
    keys = [int(texts[0].split()[1]) for texts in references]
    return torch.tensor(
        [
            [caption.count(WANTED) / max(1, len(caption)) + key / 100 for caption in image]
            for image, key in zip(captions, keys, strict=True)
        ],
        dtype=torch.float64,
    )


def make_objective(baseline: Baseline = Baseline.CONSTANT, *, num_samples: int = 3) -> CaptionRewardObjective:
    config = CaptionRewardConfig(num_samples=num_samples, baseline=baseline)
    return CaptionRewardObjective(config, reward=count_wanted, vocabulary=VOCABULARY, seed=4)


@pytest.mark.parametrize("baseline", list(Baseline))
def test_the_loss_is_as_written_out(captioner: FiberForCaptioning, baseline: Baseline) -> None:
    inputs = make_inputs()
    image = captioner.read_image(inputs.pixels)
    draws = caption_draws(inputs.keys.tolist(), num_captions=3, max_tokens=LENGTH - 1, seed=4)
    written = sample_captions(CaptionDecoder(captioner, image), VOCABULARY, draws)
    reward = count_wanted(written.words(VOCABULARY), inputs.references)
    greedy = greedy_captions(CaptionDecoder(captioner, image), VOCABULARY, max_tokens=LENGTH - 1)
    expected, rows = 0.0, written.words(VOCABULARY)
    for index in range(NUM_IMAGES):
        for sample in range(3):
            num_tokens = min(len(rows[index][sample]) + 1, LENGTH - 1)
            compared = {
                Baseline.CONSTANT: 1.0,
                Baseline.GREEDY: float(count_wanted(greedy.words(VOCABULARY), inputs.references)[index, 0]),
                Baseline.LEAVE_ONE_OUT: float(reward[index, [s for s in range(3) if s != sample]].mean()),
            }[baseline]
            mean = float(written.scores[index, sample]) / num_tokens
            expected += mean * 100 * (compared - float(reward[index, sample])) / NUM_IMAGES
    losses = make_objective(baseline).losses(captioner, inputs, step=0)
    assert losses["reward"].item() == pytest.approx(0.7 * expected, rel=1e-4)
    logits = captioner.token_logits(inputs.token_ids, image, mask=inputs.mask)
    torch.testing.assert_close(losses["likelihood"], 0.3 * token_loss(logits, caption_labels(inputs.token_ids, 1)))


def test_log_probabilities_are_those_of_drawing(captioner: FiberForCaptioning) -> None:
    inputs = make_inputs()
    image = captioner.read_image(inputs.pixels)
    written = sample_captions(
        CaptionDecoder(captioner, image),
        VOCABULARY,
        caption_draws(inputs.keys.tolist(), num_captions=4, max_tokens=6, seed=1),
    )
    mean = mean_log_probability(captioner, image, written.tokens, VOCABULARY)
    num_tokens = (written.tokens != VOCABULARY.pad_id).sum(-1)
    torch.testing.assert_close(mean * num_tokens, written.scores)
    assert mean.requires_grad
    assert num_tokens.unique().numel() > 1


def test_processes_together_take_the_gradient_of_the_whole_batch(captioner: FiberForCaptioning) -> None:
    def gradient(rows: slice) -> Tensor:
        captioner.zero_grad()
        make_objective().losses(captioner, make_inputs(rows), step=0)["reward"].backward()
        return captioner.image_adapters.layers[0].weight.grad.clone()

    halves = (gradient(slice(0, 2)) + gradient(slice(2, 4))) / 2
    torch.testing.assert_close(halves, gradient(slice(None)))
    assert halves.abs().max() > 1e-3


def test_dropout_has_no_part_in_it(tiny_config: FusionConfig) -> None:
    losses = []
    for dropout in (0.0, 0.5):
        torch.manual_seed(0)
        text = replace(tiny_config.text, dropout=dropout)
        model = FiberForCaptioning(replace(tiny_config, text=text)).double().train()
        losses.append(make_objective().losses(model, make_inputs(), step=0))
        assert all(module.training for module in model.modules())
    torch.testing.assert_close(losses[0], losses[1])


def test_modes_are_as_before() -> None:
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Dropout())
    model[1].eval()
    with evaluation_mode(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, True, False]


def test_a_rewarded_word_becomes_frequent(captioner: FiberForCaptioning) -> None:
    objective, inputs = make_objective(Baseline.LEAVE_ONE_OUT, num_samples=5), make_inputs()
    optimizer = torch.optim.Adam(captioner.parameters(), lr=3e-3)
    rewards = []
    for step in range(40):
        optimizer.zero_grad()
        keys = step * NUM_IMAGES + torch.arange(NUM_IMAGES)
        objective.losses(captioner, inputs._replace(keys=keys), step=step)["reward"].backward()
        optimizer.step()
        rewards.append(objective.mean_reward)
    assert sum(rewards[:3]) / 3 < 0.2
    assert sum(rewards[-3:]) / 3 > 0.5
