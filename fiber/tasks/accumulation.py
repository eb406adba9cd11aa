"""Gradient accumulation that makes up the recipe's batch."""

from fiber.utils.errors import UserError


def accumulation_steps(
    *, batch_size: int, device_batch_size: int, world_size: int, needs_negatives: bool = False
) -> int:
    """Micro-batches per optimiser step.

    Args:
        batch_size: the recipe's, over all processes.
        device_batch_size: samples per process and micro-batch.
        world_size: processes.
        needs_negatives: samples are contrasted with each other, so that a micro-batch of one teaches nothing.

    Raises:
        UserError: the recipe's batch cannot be made up.
    """
    micro_batch = device_batch_size * world_size
    if micro_batch < 2 and needs_negatives:
        raise UserError("trainer.batch_size=1 on one device leaves no negatives: give 2 or more.")
    if batch_size % micro_batch == 0:
        return batch_size // micro_batch
    fitting = [size for size in range(1, batch_size // world_size + 1) if batch_size % (size * world_size) == 0]
    if not fitting:
        raise UserError(
            f"optimization.batch_size={batch_size} cannot be split over {world_size} devices: give a multiple of "
            f"{world_size}."
        )
    nearest = sorted(sorted(fitting, key=lambda size: abs(size - device_batch_size))[:3])
    raise UserError(
        f"trainer.batch_size={device_batch_size} on {world_size} devices does not divide the recipe's "
        f"optimization.batch_size={batch_size}: give trainer.batch_size={' or '.join(map(str, nearest))}."
    )
