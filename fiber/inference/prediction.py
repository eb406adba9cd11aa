"""What every answer of a model can do, whatever was asked."""

from typing import Any, Protocol

from PIL import Image


class Prediction(Protocol):
    """One answer about one picture, or one pair of them."""

    def draw(self) -> Image.Image:
        """The picture with the answer."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Content of a JSON object."""
        ...
