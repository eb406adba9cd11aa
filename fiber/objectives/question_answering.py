"""Answering questions by choosing from a vocabulary (spread of annotators' answers as soft labels).

Axes: B questions, A answers.
"""

import torch.nn.functional as F
from torch import Tensor


def question_answering_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, summed over answers, mean over questions.

    Args:
        logits: B A.
        targets: soft labels in [0, 1], B A.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float(), reduction="sum") / len(logits)
