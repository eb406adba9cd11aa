"""Tests that need a CUDA device."""

import pytest
import torch


@pytest.fixture
def cuda() -> torch.device:
    """The GPU, computing in full precision."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda")
