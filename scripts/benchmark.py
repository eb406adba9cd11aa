"""Benchmark: python scripts/benchmark.py model=base image_size=384 batch_size=2 [parts=[step]] [device=cuda]"""

import sys

import hydra
from omegaconf import DictConfig

from fiber.benchmarks.running import run_benchmark
from fiber.utils.errors import UserError


@hydra.main(config_path="../configs", config_name="benchmark", version_base="1.3")
def main(config: DictConfig) -> None:
    try:
        run_benchmark(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
