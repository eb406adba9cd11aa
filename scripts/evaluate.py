"""Evaluate: python scripts/evaluate.py checkpoint=RUN [split=test] [task=retrieval] [data=coco data_dir=/data]"""

import sys

import hydra
from omegaconf import DictConfig

from fiber.tasks.evaluation import evaluate
from fiber.utils.errors import UserError


@hydra.main(config_path="../configs", config_name="evaluate", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        evaluate(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
