"""The README's example of boxes of one's own, to the letter."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from .conftest import ROOT, environment, training_command

HEADING = "## Detect what you like"


def example() -> str:
    """The commands below the heading."""
    section = (ROOT / "README.md").read_text().partition(HEADING)[2].partition("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return str(blocks[0])


def test_the_example_leads_from_a_folder_of_images_to_drawn_predictions(tmp_path: Path) -> None:
    for folder in ("scripts", "configs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    # What the README trains before: here of one step, since the example is about what follows.
    small = ("data.train.0.num_samples=32", "data.train.1.num_samples=32", "data.max_val_samples=8")
    fine = training_command(
        "stage=fine", "experiment=demo", "debug=fast", "logger=csv", *small, f"run_dir={tmp_path / 'outputs/fine'}"
    )
    where = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 600}
    assert subprocess.run(fine, env=environment(), **where).returncode == 0  # type: ignore[call-overload]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = environment() | {"PATH": path, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(["bash", "-ec", example()], env=variables, **where)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stderr[-3000:]
    metrics = json.loads((tmp_path / "outputs/sketches/metrics.json").read_text())
    assert {"zero_shot/detection/AP50", "val/detection/AP50", "best/detection/AP"} <= set(metrics)
    assert metrics["best/detection/AP"] >= metrics["zero_shot/detection/AP"]
    judged = tmp_path / "outputs/sketches/evaluation/custom_val"
    assert (judged / "coco_results.json").is_file() and (judged / "predictions.png").is_file()
    drawn = sorted((tmp_path / "outputs/predictions").glob("*.png"))
    assert len(drawn) == 10
    with Image.open(drawn[0]) as picture:
        assert len(set(picture.convert("RGB").resize((64, 64)).getdata())) > 20
