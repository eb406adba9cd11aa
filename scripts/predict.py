"""Predict: python scripts/predict.py task=answer checkpoint=RUN image=photos text="what color is the cat?" """

import sys
from dataclasses import fields
from pathlib import Path

import hydra
from omegaconf import DictConfig

from fiber.inference.predicting import kept_line, predict
from fiber.inference.prediction_config import PredictionConfig
from fiber.utils.errors import exit_on_user_error
from fiber.utils.overrides import quoted, require_pairs

INTERRUPT_STATUS = 130
"""As shells report Ctrl-C."""
TEXTS = ("checkpoint", "text_file", "classes_file", "inputs", "output")
LISTS = ("image", "second_image", "phrases", "classes")


@hydra.main(config_path="../configs/predict", config_name="predict", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        with exit_on_user_error():
            broken = predict(config)
    except KeyboardInterrupt as interrupt:
        print(f"interrupted: {str(interrupt) or kept_line(0, Path(config.output))}", file=sys.stderr)
        sys.exit(INTERRUPT_STATUS)
    if broken:
        sys.exit(1)


if __name__ == "__main__":
    with exit_on_user_error():
        require_pairs(sys.argv[1:], [field.name for field in fields(PredictionConfig)])
    if "task=ground" in sys.argv:  # brackets mark phrases
        sys.argv[1:] = quoted(sys.argv[1:], texts=(*TEXTS, "text"), lists=LISTS)
    else:
        sys.argv[1:] = quoted(sys.argv[1:], texts=TEXTS, lists=(*LISTS, "text"))
    main()
