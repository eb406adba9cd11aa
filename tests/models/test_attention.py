"""The fast attention equals its plain formula."""

import pytest
import torch

from fiber.models.attention import attend, attend_eager


@pytest.mark.parametrize("kind", ["none", "bool", "float"])
def test_attend_equals_the_formula(kind: str) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 5, 8), torch.randn(3, 2, 7, 8), torch.randn(3, 2, 7, 8)
    masks = {
        "none": None,
        "bool": (torch.arange(7) < torch.tensor([3, 7, 5])[:, None])[:, None, None],
        "float": torch.randn(1, 2, 5, 7),
    }
    fast = attend(query, key, value, mask=masks[kind])
    torch.testing.assert_close(fast, attend_eager(query, key, value, mask=masks[kind]))
