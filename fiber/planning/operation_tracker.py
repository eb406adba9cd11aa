"""Operations and live memory of whatever runs, operation by operation."""

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, shape_wrapper

from fiber.benchmarks.flops import FURTHER_OPERATIONS
from fiber.models.deformable_convolution import TAPS

COUNTED: dict[Any, Callable[..., int]] = {
    **flop_registry,
    **{operation: shape_wrapper(count) for operation, count in FURTHER_OPERATIONS.items()},  # type: ignore[no-untyped-call]
}
GPU_BLOCK = 512
"""Bytes that CUDA's caching allocator rounds up to."""


class OperationTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts floating-point operations and follows the bytes of all storages that are alive.

    It sees tensors from their first operation inside. Buffers that a kernel takes and gives back unseen are not in it,
    but for those of the deformable convolution on a GPU, which are the largest.

    Args:
        block: bytes that every storage is rounded up to.
        num_found: elements that are taken to be true where a simulated tensor is searched, which has no values.
    """

    def __init__(self, *, block: int = 1, num_found: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.block = block
        self.num_found = num_found
        self.flops = 0
        self.live = 0
        """Bytes."""
        self.peak = 0
        """Largest `live` so far; may be set back."""
        self.storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.num_found and func is torch.ops.aten.nonzero.default:
            output = args[0].new_zeros((self.num_found, args[0].dim()), dtype=torch.int64)
        elif self.num_found and func is torch.ops.aten._local_scalar_dense.default:
            return args[0].dtype != torch.bool  # nothing has ended; of steps there has been one
        else:
            output = func(*args, **kwargs)
        count = COUNTED.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=output)
        for tensor in tensors_of(output):
            self.watch(tensor)
        self.peak = max(self.peak, self.live + workspace(func, args, output))
        return output

    def watch(self, tensor: Tensor) -> None:
        """Take a tensor's storage in, until it dies."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.storages:
            return
        size = -(-storage.nbytes() // self.block) * self.block
        self.live += size

        def forget(_: object) -> None:
            del self.storages[key]
            self.live -= size

        self.storages[key] = weakref.ref(storage, forget)


def tensors_of(output: Any) -> Iterator[Tensor]:
    """All tensors that an operation returns."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, list | tuple):
        for part in output:
            yield from tensors_of(part)


def workspace(func: Any, args: Sequence[Any], output: Any) -> int:
    """Bytes that a kernel takes while it runs: the samples of a deformable convolution, 9 C h w numbers an image."""
    packet = func._overloadpacket
    if packet is torch.ops.torchvision.deform_conv2d:
        like: Tensor = output
        channels = args[0].shape[1]
    elif packet is torch.ops.torchvision._deform_conv2d_backward:
        like = args[0]
        channels = args[1].shape[1]
    else:
        return 0
    return int(TAPS * channels * like.shape[0] * like.shape[2] * like.shape[3] * like.element_size())
