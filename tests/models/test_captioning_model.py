"""The decoder reads an image once, sees nothing to come, and gives the same numbers with and without its cache."""

import torch
from torch import Tensor

from fiber.models.captioning_model import FiberForCaptioning, narrow_widths
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.decoding_cache import DecodingCache, KeyValue
from fiber.models.roberta import causal_mask, position_ids
from fiber.tasks.acceleration import checkpoint_activations

NUM_TOKENS = 7


def pixels(num_images: int) -> Tensor:
    return torch.randn(num_images, 3, 64, 64, generator=torch.Generator().manual_seed(3)).double()


def captions(num_texts: int) -> Tensor:
    return torch.randint(4, 50, (num_texts, NUM_TOKENS), generator=torch.Generator().manual_seed(4))


def test_tokens_do_not_see_those_to_come(captioner: FiberForCaptioning) -> None:
    image, ids = captioner.read_image(pixels(2)), captions(2)
    other = ids.clone()
    other[:, 4:] = 9
    before, after = captioner.token_logits(ids, image), captioner.token_logits(other, image)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().max() > 1e-3


def test_padding_changes_no_real_token(captioner: FiberForCaptioning) -> None:
    image, ids = captioner.read_image(pixels(2)), captions(2)
    mask = torch.arange(NUM_TOKENS) < torch.tensor([NUM_TOKENS, 3])[:, None]
    padded = captioner.token_logits(torch.where(mask, ids, 1), image, mask=mask)
    torch.testing.assert_close(padded[0], captioner.token_logits(ids, image)[0])
    short = captioner.token_logits(ids[:, :3], image)
    torch.testing.assert_close(padded[1, :3], short[1])


def test_cached_tokens_equal_the_whole_text(captioner: FiberForCaptioning) -> None:
    image, ids = captioner.read_image(pixels(3)), captions(3)
    whole = captioner.token_logits(ids, image)
    cache = DecodingCache(captioner.config.text.num_layers)
    pieces = [captioner.token_logits(piece, image, cache=cache) for piece in ids.split([1, 1, 3, 2], dim=1)]
    assert cache.num_tokens == NUM_TOKENS
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-10, atol=1e-12)


def test_a_cache_follows_its_texts(captioner: FiberForCaptioning) -> None:
    image, ids = captioner.read_image(pixels(1)), captions(3)
    cache = DecodingCache(captioner.config.text.num_layers)
    captioner.token_logits(ids[:, :4], image, cache=cache)
    rows = torch.tensor([2, 0, 2])
    cache.select(rows)
    continued = captioner.token_logits(ids[rows, 4:], image, cache=cache)
    torch.testing.assert_close(continued, captioner.token_logits(ids[rows], image)[:, 4:])


def test_several_captions_share_an_image(captioner: FiberForCaptioning) -> None:
    ids = captions(6)
    shared = captioner.token_logits(ids, captioner.read_image(pixels(2)))
    repeated = captioner.token_logits(ids, captioner.read_image(pixels(2).repeat_interleave(3, dim=0)))
    torch.testing.assert_close(shared, repeated)


def test_the_image_matters_to_every_token(captioner: FiberForCaptioning) -> None:
    ids = captions(1).expand(2, -1)
    first, second = captioner.token_logits(ids, captioner.read_image(pixels(2)))
    assert (first - second).abs().amax(dim=-1).min() > 1e-4


def test_every_parameter_but_the_idle_ones_learns(captioner: FiberForCaptioning) -> None:
    captioner.token_logits(captions(2), captioner.read_image(pixels(2))).square().mean().backward()
    idle = {id(parameter) for module in captioner.idle_modules() for parameter in module.parameters()}
    without = {name for name, p in captioner.named_parameters() if p.grad is None}
    assert without == {name for name, p in captioner.named_parameters() if id(p) in idle}
    assert any("image.blocks" in name and "cross_attention" in name for name in without)


def test_activation_checkpointing_changes_no_gradient(captioner: FiberForCaptioning) -> None:
    gradients = []
    for _ in range(2):
        captioner.zero_grad()
        captioner.token_logits(captions(2), captioner.read_image(pixels(2))).square().mean().backward()
        gradients.append(captioner.backbone.image.patch_embedding.projection.weight.grad.clone())
        checkpoint_activations(captioner.backbone)
    torch.testing.assert_close(*gradients)


def test_adapters_stand_where_an_earlier_stage_was_read() -> None:
    assert narrow_widths(FusionConfig()) == [512] * 4  # text layers 6 to 9 of 12
    image = SwinConfig(embed_dim=8, depths=(1, 1, 2, 2), num_heads=(1, 1, 1, 1), window_size=2)
    text = RobertaConfig(hidden_size=8, num_layers=3, num_heads=1, intermediate_size=8, vocab_size=20)
    assert narrow_widths(FusionConfig(image=image, text=text, num_fusion_layers=2)) == []


def test_positions_go_on_where_the_cache_ends() -> None:
    ids = torch.tensor([[0, 5, 6, 1]])
    assert position_ids(ids, 1).tolist() == [[2, 3, 4, 1]]
    assert position_ids(ids[:, 2:], 1, start=2).tolist() == [[4, 1]]


def test_causal_mask_of_new_tokens() -> None:
    assert causal_mask(2, 1, torch.device("cpu")).tolist() == [[True, True, False], [True, True, True]]


def test_cache_selects_rows_of_keys_and_values() -> None:
    cache = DecodingCache(1)
    cache.select(torch.tensor([0]))  # nothing is stored yet
    stored = cache.layers[0].extend(KeyValue(torch.arange(2.0).view(2, 1, 1, 1), torch.arange(2.0, 4).view(2, 1, 1, 1)))
    assert stored.batch_size == 2
    cache.select(torch.tensor([1, 1]))
    extended = cache.layers[0].extend(KeyValue(torch.full((2, 1, 1, 1), 7.0), torch.full((2, 1, 1, 1), 8.0)))
    assert extended.key.flatten(1).tolist() == [[1, 7], [1, 7]]
    assert extended.value.flatten(1).tolist() == [[3, 8], [3, 8]]
