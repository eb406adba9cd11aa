"""Tensors by name."""

from collections.abc import Mapping

from torch import Tensor

State = Mapping[str, Tensor]
