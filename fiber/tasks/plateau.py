"""When a validation metric no longer improves: lower the learning rate, later end the run."""

from dataclasses import asdict, dataclass

THRESHOLD = 1e-4
"""By this share a value must exceed the best to count as better for the rate."""


@dataclass
class PlateauState:
    """What a plateau remembers of the values so far; plain numbers, so that a checkpoint holds them."""

    factor: float = 1.0
    """Of the learning rate."""
    rate_best: float = float("-inf")
    """Best value for the rate, which a slightly better one does not move."""
    rate_bad: int = 0
    """Values since then, or since the rate dropped."""
    best: float = 0.0
    """Best value of all."""
    bad: int = 0
    """Values below it since."""


class Plateau:
    """Judges one value per validation; more is better.

    Two counts go on beside each other. The rate drops when more than `patience` values in a row fail to exceed the best
    by a share of 1e-4. A value of exactly 0 is left out there: a model that finds nothing yet is not on a plateau. The
    run ends after `stop_patience` values in a row below the best; a tie is no value below, and 0 counts like any other.
    This is how FIBER tunes on the sets of ODinW.

    Args:
        patience: values without improvement that the rate bears.
        stop_patience: values below the best that end the run; None never ends it.
        gamma: factor of the rate at each drop.
    """

    def __init__(self, *, patience: int, stop_patience: int | None, gamma: float) -> None:
        self.patience = patience
        self.stop_patience = stop_patience
        self.gamma = gamma
        self.memory = PlateauState()

    @property
    def factor(self) -> float:
        """Of the learning rate, in [0, 1]."""
        return self.memory.factor

    @property
    def exhausted(self) -> bool:
        """Whether the run should end."""
        return self.stop_patience is not None and self.memory.bad >= self.stop_patience

    def observe(self, value: float) -> None:
        """Take in what a validation found."""
        value = float(value)  # a checkpoint holds no number of NumPy's
        if value != 0:
            self.observe_for_rate(value)
        if value >= self.memory.best:
            self.memory.best, self.memory.bad = value, 0
        else:
            self.memory.bad += 1

    def observe_for_rate(self, value: float) -> None:
        """Drop the rate where `value` is one too many without improvement."""
        if value > self.memory.rate_best * (1 + THRESHOLD):
            self.memory.rate_best, self.memory.rate_bad = value, 0
            return
        self.memory.rate_bad += 1
        if self.memory.rate_bad > self.patience:
            self.memory.factor *= self.gamma
            self.memory.rate_bad = 0

    def state(self) -> dict[str, float]:
        """For a checkpoint."""
        return asdict(self.memory)

    def restore(self, state: dict[str, float]) -> None:
        """Go on from what `state` gave."""
        self.memory = PlateauState(**state)  # type: ignore[arg-type]
