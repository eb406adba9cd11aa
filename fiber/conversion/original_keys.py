"""What the original's state dicts hold beside the tensors of a model of ours, and why each is left out."""

import re
from collections.abc import Iterable

from fiber.conversion.key_report import DropReason

QUEUES = frozenset(
    {
        "image_queue",
        "text_queue",
        "image_input_queue",
        "text_input_queue",
        "text_input_mask_queue",
        "queue_ptr",
        "queue_total",
    }
)
REASONS: tuple[tuple[DropReason, re.Pattern[str]], ...] = (
    (DropReason.GOLD_COPY, re.compile(r"copy_module\.")),
    (DropReason.QUEUE, re.compile(rf"({'|'.join(sorted(QUEUES))})$")),
    (
        DropReason.BUFFER,
        re.compile(r".*\.(attn_mask|relative_position_index|position_ids)$|rpn\.anchor_generator\.cell_anchors\.\d+$"),
    ),
    (DropReason.RANK_OUTPUT, re.compile(r"rank_output\.")),
    (
        DropReason.UNUSED,
        re.compile(
            r"text_transformer\.pooler\.dense\.|text_transformer\.encoder\.layer\.\d+\.alpha_t2i$"
            r"|.*\.crossattention_t2i\.output\.LayerNorm\.|cross_modal_att_layers\.\d+\.(weight|bias)$"
            r"|rpn\.head\.cls_logits\.|token_type_embeddings\.weight$|logit_scale$"
        ),
    ),
    (
        DropReason.OTHER_HEAD,
        re.compile(
            r"cross_modal_(image|text)_(transform|pooler)(_itc)?\.|itm_score\.|mlm_score\.|temp$"
            r"|vqa_classifier\.|nlvr2_classifier\."
        ),
    ),
)


def drop_reason(name: str) -> DropReason | None:
    """Why a tensor of the original that a model has no place for is left out; None if it is none of the original's."""
    return next((reason for reason, pattern in REASONS if pattern.match(name)), None)


def sort_out(names: Iterable[str]) -> tuple[dict[DropReason, tuple[str, ...]], tuple[str, ...]]:
    """Names without a place in the model: those dropped on purpose by reason, and the surprising ones."""
    reasons = {name: drop_reason(name) for name in names}
    dropped = {
        reason: tuple(name for name, found in reasons.items() if found is reason)
        for reason in DropReason
        if reason in reasons.values()
    }
    return dropped, tuple(name for name, reason in reasons.items() if reason is None)
