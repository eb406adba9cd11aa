"""`scripts/prepare_data.py` as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

from .conftest import ROOT, environment


def test_the_first_word_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "prepare_data.py"), "document-frequencies"]
    few = [*command, "data=shapes_coarse_caption", "data.train.0.num_samples=5", "output=counts.json"]
    result = subprocess.run(few, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "5 images: counts.json" in result.stdout
    assert json.loads((tmp_path / "counts.json").read_text())["num_documents"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["counts.json"]
