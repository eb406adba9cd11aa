"""How far the matching of a gallery has come."""

import time
from datetime import timedelta

from fiber.utils.distributed import rank

EVERY = 30.0
"""Seconds between two lines."""


class MatchingProgress:
    """Prints a line now and then on the first process: pairs done of all, and the time to go.

    Args:
        total: pairs that this process matches.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.started = self.reported = time.monotonic()

    def __call__(self, num_pairs: int) -> None:
        """Count pairs."""
        self.done += num_pairs
        now = time.monotonic()
        if now - self.reported >= EVERY:
            self.reported = now
            if rank() == 0:
                print(self.line(now - self.started), flush=True)

    def line(self, seconds: float) -> str:
        """What is said after so much time."""
        left = timedelta(seconds=round(seconds / self.done * max(0, self.total - self.done)))
        return f"matching: {self.done:,} of {self.total:,} pairs, {self.done / seconds:,.0f} per second, {left} to go"
