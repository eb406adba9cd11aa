"""Our RoBERTa against transformers' on the same random weights."""

from pathlib import Path

import torch
from torch import nn
from transformers import RobertaConfig as TheirConfig
from transformers import RobertaModel

from fiber.checkpoints.pretrained import load_pretrained_text
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.fusion_backbone import FusionBackbone


def test_roberta_equals_transformers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = RobertaModel(
        TheirConfig(
            vocab_size=60,
            hidden_size=24,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=40,
            max_position_embeddings=20,
            type_vocab_size=1,
            layer_norm_eps=1e-5,
            pad_token_id=1,
        ),
        add_pooling_layer=False,
    )
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.4)
    theirs = theirs.double().eval()
    theirs.save_pretrained(tmp_path)
    text = RobertaConfig(
        hidden_size=24, num_layers=3, num_heads=4, intermediate_size=40, vocab_size=60, max_positions=20
    )
    image = SwinConfig(embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=2)
    backbone = FusionBackbone(FusionConfig(image=image, text=text, num_fusion_layers=2)).double().eval()
    report = load_pretrained_text(backbone, str(tmp_path))
    assert all("cross_attention" in name for name in report.fresh)

    ids = torch.randint(4, 60, (3, 18))
    mask = torch.arange(18) < torch.tensor([18, 7, 1])[:, None]
    ids = torch.where(mask, ids, 1)
    expected = theirs(ids, attention_mask=mask.long()).last_hidden_state
    value = backbone.text(ids, mask)
    assert (value - expected)[mask].abs().max() <= 1e-10 * expected.abs().max()
    assert expected.abs().max() > 0.1
