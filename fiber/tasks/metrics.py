"""Metrics as a file and for people."""

import json
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from fiber.checkpoints.run_folder import METRICS_FILE


def metrics_json(metrics: Mapping[str, float]) -> str:
    """Content of a file of metrics."""
    return json.dumps(metrics, indent=2) + "\n"


def write_metrics(folder: Path, metrics: Mapping[str, float]) -> None:
    """Write `metrics.json` anew."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METRICS_FILE).write_text(metrics_json(metrics))


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """The content of `metrics.json`."""
    table = Table(title=METRICS_FILE)
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if abs(value) < 100 else f"{value:,.1f}")
    return table
