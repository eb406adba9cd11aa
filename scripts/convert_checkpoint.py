"""Convert weights: python scripts/convert_checkpoint.py input=fiber_nlvr2.ckpt output=models/nlvr2 [to=reference]"""

import sys

import hydra
from omegaconf import DictConfig

from fiber.conversion.converting import convert
from fiber.utils.errors import exit_on_user_error
from fiber.utils.overrides import quoted


@hydra.main(config_path="../configs/convert", config_name="convert", version_base="1.3")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        convert(config)


if __name__ == "__main__":
    texts = ("input", "image", "text", "output", "answers", "tokenizer.path")
    sys.argv[1:] = quoted(sys.argv[1:], texts=texts)
    main()
