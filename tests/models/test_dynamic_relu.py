"""Dynamic ReLU against its formula."""

import pytest
import torch
from torch import Tensor

from fiber.models.dynamic_relu import DynamicRelu


@pytest.fixture
def features() -> Tensor:
    """B 8 h w."""
    return torch.randn(2, 8, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_relu_while_the_last_layer_gives_zero(features: Tensor) -> None:
    module = DynamicRelu(8).double()
    torch.nn.init.zeros_(module.expand.weight)
    torch.nn.init.zeros_(module.expand.bias)
    assert torch.equal(module(features), features.relu())


def test_it_equals_the_formula(features: Tensor) -> None:
    torch.manual_seed(0)
    module = DynamicRelu(8).double()
    torch.nn.init.normal_(module.expand.weight, std=3.0)
    torch.nn.init.normal_(module.expand.bias, std=2.0)
    output = module(features)
    for image in range(2):
        hidden = (module.reduce.weight @ features[image].mean(dim=(1, 2)) + module.reduce.bias).clamp(min=0)
        z = (module.expand.weight @ hidden + module.expand.bias + 3).clamp(0, 6) / 6
        for channel in range(8):
            slope1, intercept1, slope2, intercept2 = (z[part * 8 + channel] for part in range(4))
            x = features[image, channel]
            first = x * (2 * (slope1 - 0.5) + 1) + intercept1 - 0.5
            second = x * (2 * (slope2 - 0.5)) + intercept2 - 0.5
            assert torch.allclose(output[image, channel], torch.maximum(first, second), atol=1e-12)
