"""How many broken images a run puts up with."""

from collections.abc import Iterable

from fiber.utils.errors import UserError

MIN_SAMPLES = 1000
"""Samples after which the share means something; a few early failures do not stop a long run."""
MAX_NAMED = 20


class BrokenImageLog:
    """Counts samples and broken images, and remembers the latter's names.

    Args:
        max_share: broken images over samples, in [0, 1], above which a run stops.
    """

    def __init__(self, max_share: float = 0.01) -> None:
        self.max_share = max_share
        self.num_samples = 0
        self.num_broken = 0
        self.locations: dict[str, None] = {}

    def add(self, num_samples: int, broken: Iterable[str]) -> list[str]:
        """Count a batch.

        Returns:
            The broken images that had not been met before.

        Raises:
            UserError: too large a share is broken.
        """
        broken = list(broken)
        new = [location for location in dict.fromkeys(broken) if location not in self.locations]
        self.num_samples += num_samples
        self.num_broken += len(broken)
        self.locations.update(dict.fromkeys(broken))
        if self.num_samples >= MIN_SAMPLES:
            self.check()
        return new

    def check(self) -> None:
        """Raise if the share is too large; also called at the end of an epoch, however short.

        Raises:
            UserError: naming the images.
        """
        if self.num_broken > self.max_share * self.num_samples:
            names = list(self.locations)
            listed = "\n  ".join(names[:MAX_NAMED])
            more = f"\n  and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
            raise UserError(
                f"{self.num_broken} of {self.num_samples} samples met an image that cannot be read, more than "
                f"data.max_broken={self.max_share:g}:\n  {listed}{more}\nMend the files, or raise data.max_broken."
            )
