"""Benchmark: python scripts/benchmark.py model=base image_size=384 batch_size=2 [parts=[step]] [device=cuda]"""

import hydra
from omegaconf import DictConfig

from fiber.benchmarks.running import run_benchmark
from fiber.utils.errors import exit_on_user_error


@hydra.main(config_path="../configs", config_name="benchmark", version_base="1.3")
def main(config: DictConfig) -> None:
    with exit_on_user_error():
        run_benchmark(config)


if __name__ == "__main__":
    main()
