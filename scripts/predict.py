"""Predict: python scripts/predict.py task=ground checkpoint=RUN image=cat.jpg text="[a small dog] chases [a cat]" """

import sys

import hydra
from omegaconf import DictConfig

from fiber.inference.predicting import predict
from fiber.utils.errors import UserError
from fiber.utils.overrides import quoted


@hydra.main(config_path="../configs/predict", config_name="predict", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        predict(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    texts = ("text", "checkpoint", "classes_file", "output")
    sys.argv[1:] = quoted(sys.argv[1:], texts=texts, lists=("image",))
    main()
