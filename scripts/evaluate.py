"""Evaluate: python scripts/evaluate.py checkpoint=RUN [split=test] [task=retrieval] [data=coco data_dir=/data]"""

import hydra
from omegaconf import DictConfig

from fiber.tasks.evaluation import evaluate
from fiber.utils.errors import exit_on_user_error


@hydra.main(config_path="../configs", config_name="evaluate", version_base="1.3")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        evaluate(config)


if __name__ == "__main__":
    main()
