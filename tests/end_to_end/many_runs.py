"""Several runs in the processes of one launch: `python many_runs.py FILE`, where FILE lists calls as JSON.

A call is `["train" or "evaluate", [override, ...]]`. Starting a script costs more than these runs.
"""

import json
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

from fiber.tasks.evaluation import evaluate
from fiber.tasks.training import train

CONFIGS = Path(__file__).parents[2] / "configs"

if __name__ == "__main__":
    for name, overrides in json.loads(Path(sys.argv[1]).read_text()):
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = compose(name, overrides=overrides)
        (train if name == "train" else evaluate)(config)
