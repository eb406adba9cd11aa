"""How well a pre-trained model matches, fills in and retrieves on held-out pairs.

Axes: B pairs, L text tokens, P embedding width.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from fiber.evaluation.retrieval import retrieval_recall
from fiber.models.pair_model import PairEmbeddings
from fiber.models.pretraining_model import FiberForPretraining
from fiber.models.trunks import ImageTrunk, TextTrunk
from fiber.objectives.contrastive import Similarities, contrastive_loss, similarities
from fiber.objectives.hard_negatives import row_uniforms, sample_hard_negatives
from fiber.objectives.masked_language_modeling import IGNORED, token_accuracy, token_loss_sum
from fiber.objectives.matching import matching_labels, matching_loss


class EvaluationInputs(NamedTuple):
    """A batch of true pairs, on the device."""

    pixels: Tensor
    """float B 3 S S, normalised."""
    text_ids: Tensor
    """int64 B L."""
    text_mask: Tensor
    """bool B L."""
    masked_ids: Tensor
    """int64 B L."""
    masked_labels: Tensor
    """int64 B L, -100 where no token was selected."""
    content_mask: Tensor
    """bool B L, True = token of a content word."""


METRICS = ("mlm/loss", "itc/loss", "itm/loss", "mlm/accuracy", "mlm/accuracy_shuffled_images", "itm/accuracy")
"""Names of what a `PairEvaluation` sums up."""


class Tally(NamedTuple):
    """A sum and the number of its terms, both scalars."""

    total: Tensor
    number: Tensor


class PairEvaluation(NamedTuple):
    """What one batch contributes."""

    embeddings: PairEmbeddings
    mlm_loss: Tally
    itc_loss: Tally
    itm_loss: Tally
    mlm_accuracy: Tally
    """Masked content words filled in rightly."""
    mlm_accuracy_shuffled_images: Tally
    """The same, each text beside another pair's image."""
    itm_accuracy: Tally
    """As many true pairs as hard negatives."""
    filled_ids: Tensor
    """int64 B L, the masked texts with the model's choice where a token was selected."""

    def tallies(self) -> tuple[Tally, ...]:
        """The sums in the order of `METRICS`."""
        losses = (self.mlm_loss, self.itc_loss, self.itm_loss)
        return (*losses, self.mlm_accuracy, self.mlm_accuracy_shuffled_images, self.itm_accuracy)


@torch.no_grad()
def evaluate_pairs(model: FiberForPretraining, inputs: EvaluationInputs, *, seed: int, step: int) -> PairEvaluation:
    """Judge a batch of true pairs; hard negatives come from the batch, drawn as in training.

    Args:
        model: in evaluation mode.
        inputs: B pairs.
        seed: of the draws of negatives.
        step: number of the batch, which seeds the draws with `seed`.
    """
    image = model.backbone.encode_image(inputs.pixels)
    text = model.backbone.encode_text(inputs.text_ids, inputs.text_mask)
    masked = model.backbone.encode_text(inputs.masked_ids, inputs.text_mask)
    embeddings = PairEmbeddings(model.embed_image(image), model.embed_text(text))
    positive = torch.arange(len(image), device=inputs.text_ids.device)
    similarity = similarities(
        *embeddings,
        image_keys=embeddings.image,
        text_keys=embeddings.text,
        valid=torch.ones_like(positive, dtype=torch.bool),
        temperature=model.temperature,
    )
    token_logits = masked_token_logits(model, image, masked)
    shuffled_logits = masked_token_logits(model, image[positive.roll(1)], masked)
    matching_logits, matching_truth = judge_hard_negatives(model, image, text, similarity, seed=seed, step=step)
    content_labels = inputs.masked_labels.masked_fill(~inputs.content_mask, IGNORED)
    count = positive.new_tensor(len(image))
    selected = inputs.masked_labels != IGNORED
    return PairEvaluation(
        embeddings=embeddings,
        mlm_loss=Tally(token_loss_sum(token_logits, inputs.masked_labels), selected.sum()),
        itc_loss=Tally(contrastive_loss(similarity, positive) * count, count),
        itm_loss=Tally(matching_loss(matching_logits, matching_truth) * count, count),
        mlm_accuracy=Tally(*token_accuracy(token_logits, content_labels)),
        mlm_accuracy_shuffled_images=Tally(*token_accuracy(shuffled_logits, content_labels)),
        itm_accuracy=Tally((matching_logits.argmax(dim=-1) == matching_truth).sum(), 2 * count),
        filled_ids=torch.where(selected, token_logits.argmax(dim=-1), inputs.text_ids),
    )


def masked_token_logits(model: FiberForPretraining, image: ImageTrunk, masked: TextTrunk) -> Tensor:
    """Logits of the masked texts beside the given images, B L V."""
    fused = model.cross_modal_head(model.backbone.fuse(image, masked))
    logits: Tensor = model.masked_language_modeling_head(fused.text)
    return logits


def judge_hard_negatives(
    model: FiberForPretraining, image: ImageTrunk, text: TextTrunk, similarity: Similarities, *, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Matching logits and labels of B true pairs and B hard negatives.

    Even rows get a negative text, odd rows a negative image.

    Returns:
        float 2B 2, int64 2B.
    """
    positive = torch.arange(len(image), device=similarity.image_to_text.device)
    uniform = row_uniforms(len(positive), seed=seed, step=step, rank=0, world_size=1).to(positive.device)
    negative_image = sample_hard_negatives(similarity.text_to_image, positive, uniform[:, 0])
    negative_text = sample_hard_negatives(similarity.image_to_text, positive, uniform[:, 1])
    even = positive % 2 == 0
    images = torch.cat([positive, torch.where(even, positive, negative_image)])
    texts = torch.cat([positive, torch.where(even, negative_text, positive)])
    pooled = model.cross_modal_head(model.backbone.fuse(image[images], text[texts])).pooled
    return model.matching_head(pooled), matching_labels(len(positive), len(positive), positive.device)


def zero_shot_recall(embeddings: PairEmbeddings, image_index: Tensor) -> dict[str, float]:
    """Dual-encoder retrieval over a whole split.

    Args:
        embeddings: of all pairs; an image with several texts occurs several times.
        image_index: int64, the image of each pair.
    """
    unique, text_image = torch.unique(image_index, return_inverse=True)
    first = torch.full_like(unique, len(image_index)).scatter_reduce(
        0, text_image, torch.arange(len(image_index), device=image_index.device), "amin"
    )
    scores = embeddings.image[first] @ embeddings.text.T  # I T
    return retrieval_recall(scores, text_image).named()
