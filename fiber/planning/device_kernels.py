"""Which kernels a device would run, for tensors that have sizes and no values.

Such tensors lie on PyTorch's meta device. Models are told that it is a CPU, since they ask, and what a GPU does
otherwise is done here: attention by its fused kernels, dropout by a mask of one byte per number, and autocast, which
the meta device does not have.

Axes: B batch, h heads, N queries, M keys, d head width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU, META = torch.device("cpu"), torch.device("meta")
DEVICE_OF: Any = torch.Tensor.device.__get__
HALF_PRECISION: frozenset[Callable[..., Any]] = frozenset(
    (F.linear, F.conv2d, torch.matmul, torch.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.bmm)
)
"""Run in half precision by autocast, of what the models call; attention is another."""
FULL_PRECISION: frozenset[Callable[..., Any]] = frozenset(
    (
        F.layer_norm,
        F.group_norm,
        F.softmax,
        F.log_softmax,
        F.normalize,
        F.interpolate,
        F.cross_entropy,
        F.binary_cross_entropy_with_logits,
        torch.softmax,
        torch.log_softmax,
        torch.sum,
        torch.exp,
        Tensor.softmax,
        Tensor.log_softmax,
        Tensor.sum,
        Tensor.exp,
        Tensor.cumsum,
        Tensor.norm,
    )
)
"""Run in float32 by a GPU's autocast, of what the models call."""


class DeviceKernels(TorchFunctionMode):
    """Makes tensors on the meta device, and replaces functions by what the planned device runs.

    Autocast is that of the CPU's state, with a GPU's lists of operations.

    Args:
        on_gpu: a GPU; else a CPU.
    """

    def __init__(self, *, on_gpu: bool) -> None:
        super().__init__()
        self.on_gpu = on_gpu
        self.keeps_casts = False
        """Whether weights in half precision are kept for the next use, as inside of autocast."""
        self.casts: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func == DEVICE_OF:  # every look-up makes another object
            return CPU
        args = [META if isinstance(value, torch.device) else value for value in args]
        kwargs = dict(kwargs or {})
        if kwargs.get("device") is not None:
            kwargs["device"] = META
        kwargs.pop("generator", None)
        if self.on_gpu and func is F.dropout:
            return gpu_dropout(*args, **kwargs)
        half = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        if half is not None and func in FULL_PRECISION:
            args = [single(value) for value in args]
        elif half is not None and (func in HALF_PRECISION or func is F.scaled_dot_product_attention):
            args = [self.halved(value, half) for value in args]
            kwargs = {key: self.halved(value, half) for key, value in kwargs.items()}
        if func is F.scaled_dot_product_attention:
            return gpu_attention(*args, **kwargs) if self.on_gpu else processor_attention(*args, **kwargs)
        return func(*args, **kwargs)

    @contextmanager
    def autocast(self, half: torch.dtype | None) -> Iterator[None]:
        """Mixed precision inside, where a weight is cast once; None = float32 throughout."""
        self.keeps_casts = True
        try:
            with torch.autocast("cpu", half, enabled=half is not None):
                yield
        finally:
            self.keeps_casts = False
            self.casts.clear()

    def halved(self, value: Any, half: torch.dtype) -> Any:
        """float32 in half precision, anything else as it is; a weight is cast once."""
        if not isinstance(value, Tensor) or value.dtype != torch.float32:
            return value
        is_weight = value.is_leaf and value.requires_grad
        if not (self.keeps_casts and is_weight and torch.is_grad_enabled()):
            return value.to(half)
        if id(value) not in self.casts:
            self.casts[id(value)] = value.to(half)
        return self.casts[id(value)]


def single(value: Any) -> Any:
    """Half precision to float32; anything else as it is."""
    is_half = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if is_half else value


def gpu_dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Keeps a mask of booleans; a CPU keeps one of floats."""
    return torch.native_dropout(x, p, True)[0] if training and p > 0 else x


def gpu_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0
) -> Tensor:
    """B h N d and B h M d -> B h N d: the flash kernel where there is no mask, else the memory-efficient one.

    Newer cards have a third, cuDNN's; it keeps the same things for the backward pass.
    """
    if attn_mask is None and query.dtype in (torch.bfloat16, torch.float16) and query.shape[-1] % 8 == 0:
        attended: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, dropout_p)[0]
        return attended
    if attn_mask is not None:
        attn_mask = additive(attn_mask, query.dtype).expand(*query.shape[:-1], key.shape[-2])  # B h N M
    keeps_sums = torch.is_grad_enabled()
    kernel = torch.ops.aten._scaled_dot_product_efficient_attention
    attended = kernel(query, key, value, attn_mask, keeps_sums, dropout_p)[0]
    return attended


def processor_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0
) -> Tensor:
    """The same on a CPU, whose fused kernel knows neither dropout nor a mask that is learned."""
    learned = attn_mask is not None and attn_mask.requires_grad and torch.is_grad_enabled()
    if dropout_p > 0 or learned:
        attended: Tensor = torch._scaled_dot_product_attention_math(query, key, value, attn_mask, dropout_p)[0]
        return attended
    mask = None if attn_mask is None else additive(attn_mask, query.dtype)
    attended = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, attn_mask=mask)[0]
    return attended


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask to be added to logits: True becomes 0, False minus infinity."""
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -torch.inf)
    return mask.to(dtype)
