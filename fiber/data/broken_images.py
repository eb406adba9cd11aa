"""How many broken images a run puts up with."""

from collections.abc import Iterable

from fiber.utils.errors import UserError

MIN_SAMPLES = 1000
"""Samples after which the share means something; a few early failures do not stop a long run."""
MAX_NAMED = 20
MAX_REPLACEMENTS = 10
"""Samples passed over for one before it is given up."""


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


class Replacements:
    """What was passed over on the way to one sample.

    Args:
        name: of the data set, for messages.
        training: in training another sample stands in for one that cannot be used; in evaluation it is an error.
    """

    def __init__(self, name: str, *, training: bool) -> None:
        self.name = name
        self.training = training
        self.broken: list[str] = []
        """Locations of broken images."""
        self.faults: list[str] = []
        """Everything passed over, for the message."""

    def pass_over(self, location: str, error: OSError) -> None:
        """Note a broken image.

        Raises:
            UserError: in evaluation, or after ten samples in a row.
        """
        if not self.training:
            raise UserError(f"{self.name}: cannot evaluate without {location}: {error}") from error
        self.broken.append(location)
        self.count(f"{location} (broken)")

    def count(self, fault: str) -> None:
        """Count a sample that cannot be used, for whatever reason.

        Args:
            fault: the sample and what is wrong with it.

        Raises:
            UserError: after ten in a row.
        """
        self.faults.append(fault)
        if len(self.faults) == MAX_REPLACEMENTS:
            names = ", ".join(dict.fromkeys(self.faults))
            raise UserError(f"{self.name}: {MAX_REPLACEMENTS} images in a row cannot be used: {names}")
