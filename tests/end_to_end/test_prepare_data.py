"""`scripts/prepare_data.py` as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from .conftest import ROOT, environment


def prepare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    command = [sys.executable, str(ROOT / "scripts" / "prepare_data.py"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


def test_the_first_word_is_the_command(tmp_path: Path) -> None:
    few = ("data=shapes_coarse_caption", "data.train.0.num_samples=5", "output=counts.json")
    result = prepare(tmp_path, "document-frequencies", *few)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "5 images: counts.json" in result.stdout
    assert json.loads((tmp_path / "counts.json").read_text())["num_documents"] == 5
    assert [path.name for path in tmp_path.iterdir()] == ["counts.json"]


def test_the_status_tells_missing_images_from_a_wrong_command(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    for split, images in (("train", ("a.png", "b.png")), ("val", ("a.png",))):
        lines = [json.dumps({"image": image, "caption": "a thing"}) for image in images]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(lines))
    result = prepare(tmp_path, "verify", "data=jsonl", "data_dir=.", "output=verify.json")
    assert result.returncode == 1, result.stderr[-2000:]
    assert "train.jsonl (train): missing b.png" in result.stdout
    assert [split["missing"] for split in json.loads((tmp_path / "verify.json").read_text())["splits"]] == [1, 0]
    result = prepare(tmp_path, "verify", "data=jsno", "data_dir=.")
    assert result.returncode == 2 and "jsno" in result.stderr
