"""Operations and live memory of whatever runs, operation by operation."""

import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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
META = torch.device("meta")
SLOW_TO_SIMULATE = frozenset(
    (
        torch.ops.aten.native_layer_norm.default,
        torch.ops.aten.native_layer_norm_backward.default,
        torch.ops.aten.native_dropout.default,
        torch.ops.aten.native_dropout_backward.default,
        torch.ops.aten.addmm.default,
        torch.ops.aten.gelu.default,
        torch.ops.aten.gelu_backward.default,
        torch.ops.aten.roll.default,
        torch.ops.aten.sum.dim_IntList,
    )
)
"""Operations whose sizes take PyTorch a millisecond to find, and of which a model has hundreds alike."""
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
        self.sizes: dict[Hashable, list[Any]] = {}
        """Of the outputs of slow operations, by their inputs."""
        self.storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.num_found and func is torch.ops.aten.nonzero.default:
            output = args[0].new_zeros((self.num_found, args[0].dim()), dtype=torch.int64)
        elif self.num_found and func is torch.ops.aten._local_scalar_dense.default:
            return args[0].dtype != torch.bool  # nothing has ended; of steps there has been one
        elif self.num_found and func in SLOW_TO_SIMULATE:
            output = self.simulated_output(func, args, kwargs)
        else:
            output = func(*args, **kwargs)
        count = COUNTED.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=output)
        for tensor in tensors_of(output):
            self.watch(tensor)
        self.peak = max(self.peak, self.live + workspace(func, args, output))
        return output

    def simulated_output(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Outputs of the sizes that the first call with such inputs had."""
        key = (func, *map(signature, args), *((name, signature(value)) for name, value in kwargs.items()))
        if key in self.sizes:
            made = [empty(part) for part in self.sizes[key]]
            return tuple(made) if len(made) > 1 else made[0]
        output = func(*args, **kwargs)
        self.sizes[key] = [signature(part) for part in (output if isinstance(output, tuple) else (output,))]
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


class TensorSizes(NamedTuple):
    """What of a tensor decides about the outputs of an operation."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype


def signature(value: Any) -> Hashable:
    """An argument without the values in it."""
    if isinstance(value, Tensor):
        return TensorSizes(tuple(value.shape), value.stride(), value.dtype)
    hashable: Hashable = tuple(value) if isinstance(value, list) else value
    return hashable


def empty(sizes: TensorSizes | None) -> Tensor | None:
    """A tensor without values; None stays None."""
    if sizes is None:
        return None
    return torch.empty_strided(sizes.size, sizes.stride, dtype=sizes.dtype, device=META)


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
