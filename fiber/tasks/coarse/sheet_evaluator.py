"""Judging one split of a task whose predictions are lines of text beside images."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic

from PIL import Image

from fiber.tasks.coarse.sheets import SheetRow, draw_sheet
from fiber.tasks.split_evaluator import BatchT, ResultT, SplitEvaluator

NUM_ROWS = 8
"""Samples of a picture."""


class SheetEvaluator(SplitEvaluator[BatchT, ResultT], Generic[BatchT, ResultT]):
    """With a sheet of the first samples. Arguments as for `SplitEvaluator`."""

    def __init__(self, name: str, *, num_samples: int) -> None:
        super().__init__(name, num_samples=num_samples)
        self.rows: list[SheetRow] = []

    @abstractmethod
    def draw(self, batch: BatchT, results: Sequence[ResultT]) -> list[SheetRow]:
        """Rows for the picture from the first samples of a batch and their results."""

    def keep(self, batch: BatchT, results: Sequence[ResultT]) -> None:
        self.rows = self.draw(batch, results[:NUM_ROWS])

    def sheet(self) -> Sequence[SheetRow]:
        """Rows of the picture."""
        return self.rows

    def picture(self) -> Image.Image | None:
        return draw_sheet(self.rows) if self.rows else None
