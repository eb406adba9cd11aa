"""Judging one split of images with boxes."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic

from PIL import Image
from torch import nn

from fiber.data.grounding_batch import EvaluationBatch, Truth
from fiber.tasks.fine.boxes.asking import Asker, ImageResult
from fiber.tasks.fine.boxes.pictures import MAX_BOXES, PictureGrid
from fiber.tasks.split_evaluator import EvaluationResult, ResultT, SplitEvaluator


class BoxEvaluator(SplitEvaluator[EvaluationBatch, ResultT], Generic[ResultT]):
    """Asks for what the split holds and judges image by image; draws ground truth beside prediction.

    Args:
        name: of the split, for messages.
        asker: what the images are asked for.
        num_samples: of the split.
        max_drawn: best detections of an image in the picture.
    """

    def __init__(self, name: str, *, asker: Asker, num_samples: int, max_drawn: int = MAX_BOXES) -> None:
        super().__init__(name, num_samples=num_samples)
        self.asker = asker
        self.grid = PictureGrid(max_drawn)

    @abstractmethod
    def judge_image(self, found: ImageResult, truths: Sequence[Truth]) -> ResultT:
        """The result of one image."""

    def judge(self, model: nn.Module, batch: EvaluationBatch) -> Mapping[int, ResultT]:
        found = self.asker.ask(model, batch)
        if not self.results:
            self.grid.begin()
        self.grid.keep(batch, found)
        return {one.image_index: self.judge_image(one, truths) for one, truths in zip(found, batch.truths, strict=True)}

    def finish(self, *, files: bool = True) -> EvaluationResult:
        self.asker.forget()
        return super().finish(files=files)

    def picture(self) -> Image.Image | None:
        return self.grid.draw()
