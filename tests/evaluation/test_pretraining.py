"""Evaluation of pre-training on models whose answers are known."""

import torch
import torch.nn.functional as F

from fiber.evaluation.pretraining import zero_shot_recall
from fiber.models.pair_model import PairEmbeddings


def test_an_image_with_several_texts_counts_once() -> None:
    image_index = torch.tensor([7, 7, 3, 3, 9, 9])
    embedding = F.one_hot(torch.tensor([0, 0, 1, 1, 2, 2])).float()
    wrong_text = embedding.clone()
    wrong_text[0] = embedding[2]  # one text of image 7 looks like image 3
    recall = zero_shot_recall(PairEmbeddings(embedding, wrong_text), image_index)
    assert recall["text_to_image_r1"] == 5 / 6
    assert recall["image_to_text_r1"] == 2 / 3  # image 3 ties with a foreign text, and ties count against it
