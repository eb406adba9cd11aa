"""What decides which boxes count, in validation and evaluation."""

from dataclasses import dataclass, fields

from fiber.detection.postprocessing import PostProcessingConfig
from fiber.utils.errors import UserError


@dataclass(frozen=True, kw_only=True)
class BoxEvaluationConfig(PostProcessingConfig):
    """With how class lists are asked for."""

    classes_per_prompt: int | None = None
    """At most; None = as many as the model reads."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes_per_prompt is not None and self.classes_per_prompt < 1:
            raise UserError(f"evaluation.classes_per_prompt={self.classes_per_prompt}: give 1 or more.")

    @property
    def post_processing(self) -> PostProcessingConfig:
        """The part that the post-processing reads."""
        return PostProcessingConfig(**{field.name: getattr(self, field.name) for field in fields(PostProcessingConfig)})
