"""The original's numbers, in float64, from its own state dict.

Axes: B pairs, L tokens, P embedding width, Q queue.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import (
    captioning_names,
    from_original,
    pretraining_names,
    question_answering_names,
    to_original,
    visual_reasoning_names,
)
from fiber.checkpoints.position_bias import resize_position_bias
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.pretraining_model import FiberForPretraining
from fiber.objectives.contrastive import contrastive_loss, similarities
from fiber.objectives.masked_language_modeling import token_loss
from fiber.objectives.matching import matching_labels, matching_loss
from fiber.tasks.coarse.parameter_groups import CoarseGroupConfig

from .caption_entries import caption_entries
from .classifier_entries import classifier_entries, question_answering_model, visual_reasoning_model
from .comparison import Tensors, compare_entries, read_doubled, read_meta

NOT_COMPARED = {"out/caption/beam5_ids": "the original's beam search loses hypotheses and swaps their lengths"}
WITHOUT_COUNTERPART = re.compile(
    r"text_transformer\.pooler|rank_output|crossattention_t2i\.output\.LayerNorm"  # never used by the original
    r"|encoder\.layer\.\d+\.alpha_t2i"  # gates of layers that are not fused
    r"|cross_modal_att_layers\.\d+"  # adapters of layers that need none
)
"""Parameters of the original that have no place here."""


class Fixture:
    """One directory: sizes, weights, inputs and expected values."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = read_meta(folder)
        self.io = read_doubled(folder / "io.safetensors")
        self.state = read_doubled(folder / "reference_state.safetensors")
        self.config = read_config(self.meta["config"])
        self.names = pretraining_names(self.config)

    def model(self) -> FiberForPretraining:
        model = FiberForPretraining(self.config).double().eval()
        model.load_state_dict(from_original(self.state, self.names))
        return model

    def resized_model(self) -> FiberForPretraining:
        """The same weights for another image size."""
        window = self.meta["config"]["resized_image_size"] // self.config.image.stride
        model = FiberForPretraining(self.config.with_window(window)).double().eval()
        state = from_original(self.state, self.names)
        for name, value in state.items():
            if name.endswith("relative_position_bias"):
                state[name] = resize_position_bias(value, window)
        model.load_state_dict(state)
        return model


def read_config(sizes: dict[str, Any]) -> FusionConfig:
    return FusionConfig(
        image=SwinConfig(
            embed_dim=sizes["embed_dim"],
            depths=tuple(sizes["depths"]),
            num_heads=tuple(sizes["num_heads"]),
            window_size=sizes["window_size"],
            patch_size=sizes["patch_size"],
        ),
        text=RobertaConfig(
            hidden_size=sizes["text_hidden"],
            num_layers=sizes["text_layers"],
            num_heads=sizes["text_heads"],
            intermediate_size=sizes["text_intermediate"],
            vocab_size=sizes["vocab_size"],
            max_positions=sizes["max_position_embeddings"],
            pad_id=sizes["special_ids"]["pad"],
            layer_norm_eps=sizes["layer_norm_eps_text"],
        ),
        num_fusion_layers=sizes["num_fuse"],
        projection_size=sizes["hidden_size"],
    )


def recorded(model: FiberForPretraining, forward: Callable[[], object]) -> dict[str, list[Tensor]]:
    """Outputs of every image block, patch merging and text layer during `forward`."""
    outputs: dict[str, list[Tensor]] = {}
    handles = []
    for kind, modules in (
        ("block", model.backbone.image.blocks),
        ("merge", model.backbone.image.merges),
        ("layer", model.backbone.text.layers),
    ):
        for index, module in enumerate(modules):
            key = f"{kind}{index}"
            handles.append(
                module.register_forward_hook(lambda *call, key=key: outputs.setdefault(key, []).append(call[2]))
            )
    forward()
    for handle in handles:
        handle.remove()
    return outputs


def fused_entries(fixture: Fixture, model: FiberForPretraining) -> Iterator[tuple[str, Tensor]]:
    io, backbone = fixture.io, model.backbone
    mask = io["in/text_masks"].bool()

    def forward() -> None:
        fused = backbone.fuse(backbone.encode_image(io["in/image"]), backbone.encode_text(io["in/text_ids"], mask))
        features = model.cross_modal_head(fused)
        names = ("out/fused/text_feats", "out/fused/image_feats", "out/fused/cls_feats")
        entries.update(zip(names, features, strict=True))

    entries: Tensors = {}
    outputs = recorded(model, forward)
    config = fixture.config
    first_block, first_layer = config.first_fused_block, config.first_fused_layer
    places = {
        "image_stage2": "merge1",
        "image_stage3_block13": f"block{first_block - 1}",
        "text_layer5": f"layer{first_layer - 1}",
        "image_stage3_block14_fused": f"block{first_block}",
        "text_layer6_fused": f"layer{first_layer}",
        "text_layer10_fused": f"layer{config.text.num_layers - 2}",
        "text_layer11_fused": f"layer{config.text.num_layers - 1}",
        "image_stage4_block1_fused": f"block{config.image.num_blocks - 1}",
    }
    for name, place in places.items():
        value = outputs[place][0]
        entries[f"out/fused/{name}"] = value.flatten(1, 2) if value.dim() == 4 else value
    logits = model.matching_head(entries["out/fused/cls_feats"])
    yield from entries.items()
    yield "out/itm_logits", logits
    if "rank_output.weight" in fixture.state:  # a view of the matching head's row for "match"
        yield "out/rank_score", logits[:, 1:]


def dual_encoder_entries(fixture: Fixture, model: FiberForPretraining) -> Iterator[tuple[str, Tensor]]:
    io, backbone, head = fixture.io, model.backbone, model.contrastive_head
    image = backbone.pool_image(backbone.encode_image(io["in/image"]))
    text = backbone.pool_text(backbone.encode_text(io["in/text_ids"], io["in/text_masks"].bool()))
    yield "out/itc/image_feats", head.image_projection(image).flatten(1, 2)
    yield "out/itc/text_feats", head.text_projection(text)
    yield "out/itc/image_embed", head.embed_image(image)
    yield "out/itc/text_embed", head.embed_text(text)


def pretraining_entries(fixture: Fixture, model: FiberForPretraining) -> Iterator[tuple[str, Tensor]]:
    """Losses with the fixture's queue and negatives, and the gradients of their sum."""
    io, backbone = fixture.io, model.backbone
    mask = io["in/text_masks"].bool()
    image, text = backbone.encode_image(io["in/image"]), backbone.encode_text(io["in/text_ids"], mask)
    masked = backbone.encode_text(io["in/mlm_ids"], mask)
    negative_image = backbone.encode_image(io["in/itm_image_neg"])
    negative_text = backbone.encode_text(io["in/itm_text_neg"], io["in/itm_text_mask_neg"].bool())

    token_logits = model.masked_language_modeling_head(model.cross_modal_head(backbone.fuse(image, masked)).text)
    pairs = ((image, text), (image, negative_text), (negative_image, text))
    pooled = torch.cat([model.cross_modal_head(backbone.fuse(*pair)).pooled for pair in pairs])
    image_embedding, text_embedding = model.embed_image(image), model.embed_text(text)
    similarity = similarities(
        image_embedding,
        text_embedding,
        image_keys=torch.cat([image_embedding.detach(), io["in/image_queue"].T]),
        text_keys=torch.cat([text_embedding.detach(), io["in/text_queue"].T]),
        valid=torch.ones(len(image) + io["in/image_queue"].shape[1], dtype=torch.bool),
        temperature=model.temperature,
    )
    losses = {
        "mlm": token_loss(token_logits, io["in/mlm_labels"]),
        "itc": contrastive_loss(similarity, torch.arange(len(image))),
        "itm": matching_loss(
            model.matching_head(pooled), matching_labels(len(image), 2 * len(image), torch.device("cpu"))
        ),
    }
    torch.stack(list(losses.values())).sum().backward()
    yield "out/mlm_logits", token_logits
    yield from ((f"out/pretrain/{name}_loss", loss) for name, loss in losses.items())
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    yield from ((f"grad/{name}", value) for name, value in to_original(gradients, fixture.names).items())


def resized_entries(fixture: Fixture) -> Iterator[tuple[str, Tensor]]:
    model, io = fixture.resized_model(), fixture.io
    image = io["in/resized_image"]
    text = model.backbone.encode_text(io["in/text_ids"][: len(image)], io["in/text_masks"][: len(image)].bool())
    features = model.cross_modal_head(model.backbone.fuse(model.backbone.encode_image(image), text))
    first_of_stage3 = fixture.config.image.block_stages.index(2)
    yield "out/resized/cls_feats", features.pooled
    yield "out/resized/image_feats", features.image
    yield (
        "out/resized/bias_table_stage3_block0",
        model.backbone.image.blocks[first_of_stage3].attention.relative_position_bias,
    )


@pytest.fixture
def coarse(coarse_golden: Path) -> Fixture:
    """The directory under comparison."""
    return Fixture(coarse_golden)


def test_optimizer_groups_equal_the_original(coarse: Fixture, report: list[str]) -> None:
    config = CoarseGroupConfig(weight_decay=0.01, head_multiplier=50.0, cross_modal_multiplier=5.0)
    sizes = coarse.config
    models = (
        (coarse.model(), coarse.names),
        (question_answering_model(coarse), question_answering_names(sizes)),
        (visual_reasoning_model(coarse), visual_reasoning_names(sizes)),
        (FiberForCaptioning(sizes), captioning_names(sizes)),
    )
    expected = coarse.meta["param_groups"]
    compared = set()
    for model, names in models:
        groups = config.groups(model)
        ours = {
            original: [groups[name.ours].weight_decay, groups[name.ours].learning_rate_multiplier]
            for name in names
            for original in name.originals
        }
        assert {name: expected[name] for name in ours} == ours
        compared |= set(ours)
    left_out = sorted(set(expected) - compared)
    report.append(f"{coarse.folder.name}: {len(compared)} of {len(expected)} optimiser groups compared")
    report.extend(f"  left out   {name} (no such parameter here)" for name in left_out)
    assert all(WITHOUT_COUNTERPART.search(name) for name in left_out), left_out


def test_every_entry_equals_the_original(coarse: Fixture, report: list[str]) -> None:
    model = coarse.model()
    values: Tensors = {}
    for entries in (fused_entries, dual_encoder_entries, pretraining_entries):
        values.update(entries(coarse, model))
    values.update(resized_entries(coarse))
    values.update(classifier_entries(coarse))
    values.update(caption_entries(coarse))

    compare_entries(coarse.folder, values, coarse.io, report, left_out_because=NOT_COMPARED)
